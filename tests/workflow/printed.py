"""What Snakemake prints of its jobs, read back."""

import re
from collections import Counter

JOB = re.compile(r"^(?:local)?rule (\S+):\n((?:    .*\n)+)", re.MULTILINE)


def job_counts(printed: str) -> Counter:
    """Read the job statistics that Snakemake prints."""
    if "Job stats:" not in printed:
        assert "Nothing to be done" in printed, printed
        return Counter()
    table = printed.split("Job stats:\n", 1)[1]
    rows = re.findall(r"^(\S+) +(\d+)$", table.split("\ntotal", 1)[0], re.MULTILINE)
    counts = Counter({rule: int(count) for rule, count in rows})
    assert counts.total() == int(re.search(r"^total +(\d+)$", table, re.MULTILINE)[1])
    del counts["all"]
    return counts


def jobs(printed: str) -> list[dict[str, str]]:
    """Read the jobs that Snakemake prints: ``rule``, and what it says of each (``input``, ``output``, ``log``, ...)."""
    found = []
    for rule, block in JOB.findall(printed):
        lines = (line.strip().partition(": ") for line in block.splitlines())
        found.append({"rule": rule, **{key: value for key, _, value in lines}})
    return found
