"""The overhead of the workflow: planning, checking that nothing is to be done, overhead per job, interpreter starts.

Real jobs are replaced by jobs that only write empty files, so the remaining time is the overhead of Snakemake and wsl.
The baseline is the same run with one job per member and per class.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from runs import ROOT, snakemake
from side_by_side import ratio, report, seconds

PARTS = ("Snakefile", "config", "profiles", "workflow", "wsl")
CALLED = "called"  # one line per job
STUB = f"""
from pathlib import Path

for path in snakemake.output:
    Path(path).touch()
with open({CALLED!r}, "a") as file:
    print(snakemake.params.call, file=file)
"""
ALONE = {"zoo": {"cohort": 1}, "images": {"classes_per_job": 1}}
SLOW = "seconds.txt"  # of the main process, see HANDLERS
HANDLERS = f"""
from resource import RUSAGE_SELF, getrusage
from wsl.launch.rounds import wait_only_at_the_limit


onstart:
    wait_only_at_the_limit(workflow.scheduler)


onsuccess:
    used = getrusage(RUSAGE_SELF)
    Path({SLOW!r}).write_text(str(used.ru_utime + used.ru_stime))


"""
SLEEP = "import time\n\ntime.sleep(1)\n"
LARGE = "thesis, 10,000 members"
TEN_THOUSAND = {"zoo": {"members": 10_000, "cohort": 100}, "images": {"classes_per_job": 100}}
AT_ONCE = 20  # sleeping jobs
STARTS = 2  # interpreter starts per imported module


def changed(config: str, changes: dict[str, dict[str, Any]], folder: Path) -> Path:
    """Write a preset with changed keys to ``folder``."""
    raw = yaml.safe_load((ROOT / "config" / config).read_text(encoding="utf-8"))
    for section, keys in changes.items():
        raw[section] = {**raw[section], **keys}
    path = folder / "given.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def pretended(folder: Path) -> Path:
    """Copy the project, replace the script of the jobs by one that does nothing, and return the Snakefile.

    Checks of images and disk space are removed, since nothing is read or written; of the handlers, only those remain
    that concern the scheduler.
    """
    for name in PARTS:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    (folder / "workflow" / "scripts" / "call.py").write_text(STUB, encoding="utf-8")
    snakefile = folder / "workflow" / "Snakefile"
    text = snakefile.read_text(encoding="utf-8")
    snakefile.write_text(text.replace('include: "rules/handlers.smk"\n', HANDLERS), encoding="utf-8")
    return folder / "Snakefile"


def count_jobs(snakefile: Path, config: Path, work: Path) -> int:
    """Return the number of jobs of a dry run."""
    return int(re.search(r"^ *total +(\d+)$", snakemake(snakefile, config, work, "-n"), re.MULTILINE)[1])


def planning(rounds: int, folder: Path) -> tuple[list[dict], dict[str, Any]]:
    """Time dry runs in an empty folder. After the first one, the plan of a large zoo is in the user's cache."""
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    runs = {
        "thesis": ("thesis.yaml", {}),
        "thesis, one job per member and class": ("thesis.yaml", ALONE),
        LARGE: ("thesis.yaml", TEN_THOUSAND),
        "default": ("config.yaml", {}),
    }
    calls, jobs = {}, {}
    for name, (config, changes) in runs.items():
        work = folder / f"plan {name}"
        work.mkdir()
        given = changed(config, changes, work)
        calls[name] = lambda given=given, work=work: snakemake(ROOT / "Snakefile", given, work, "-n", "-q")
        jobs[name] = count_jobs(ROOT / "Snakefile", given, work)
    first, again = f"{LARGE}, first start", calls[LARGE]
    jobs[first] = jobs[LARGE]
    calls[first] = lambda: (shutil.rmtree(folder / "cache" / "wsl" / "plans"), again())
    taken = seconds(calls, rounds)
    rows = [{"run": name, "jobs": jobs[name], "planned in": min(taken[name])} for name in calls]
    figures = {"ratio_planning_alone": ratio(taken["thesis, one job per member and class"], taken["thesis"])}
    return rows, figures


def scheduling(folder: Path, cores: int) -> list[dict]:
    """Time complete runs of empty jobs, and the dry runs after them, which have nothing to do."""
    rows = []
    for name, changes in (("thesis", {}), (LARGE, TEN_THOUSAND)):
        work = folder / f"run {name}"
        work.mkdir()
        # No downloads, since the empty jobs can write files but not folders.
        snakefile, given = pretended(work), changed("thesis.yaml", {**changes, "datasets": {"weights": None}}, work)
        jobs = count_jobs(snakefile, given, work)
        begun = time.perf_counter()
        snakemake(snakefile, given, work, "-q", "--cores", str(cores))
        whole = time.perf_counter() - begun
        begun = time.perf_counter()
        assert "Nothing to be done" in snakemake(snakefile, given, work, "-n")
        checked = time.perf_counter() - begun
        rows.append({"run": name, "jobs": jobs, "run in": whole, "checked in": checked})
    return rows


def slow(folder: Path, counts: Sequence[int]) -> list[dict]:
    """Measure the core seconds of Snakemake's main process in runs of jobs that sleep for a second, many at once."""
    rows = []
    for members in counts:
        work = folder / f"slow {members}"
        work.mkdir()
        changes = {**ALONE, "zoo": {"cohort": 1, "members": members}, "datasets": {"weights": None}}
        snakefile, given = pretended(work), changed("thesis.yaml", changes, work)
        targets = [f"results/thesis/zoo/{part}.h5" for part in ("train", "validation", "test")]
        snakemake(snakefile, given, work, "-q", "--cores", str(AT_ONCE), "--until", "pack_class", "--", *targets)
        script = work / "workflow" / "scripts" / "call.py"
        script.write_text(SLEEP + script.read_text(encoding="utf-8"), encoding="utf-8")
        snakemake(snakefile, given, work, "-q", "--cores", str(AT_ONCE), "--", *targets)
        rows.append({"jobs": members, "core seconds": float((work / SLOW).read_text(encoding="utf-8"))})
    return rows


def starts(work: Path) -> list[dict]:
    """Time the interpreter and the imports of each function that jobs of the default run call."""
    work.mkdir()
    snakemake(pretended(work), changed("config.yaml", {}, work), work, "-q", "--cores", "1")
    called = Counter((work / CALLED).read_text(encoding="utf-8").split())
    jobs: Counter[str] = Counter()
    for function, count in called.items():
        jobs[function.rpartition(".")[0]] += count
    taken = seconds({module: lambda module=module: start(module) for module in jobs}, STARTS)
    rows = [
        {"module": module, "jobs": jobs[module], "a start": min(times), "all starts": jobs[module] * min(times)}
        for module, times in taken.items()
    ]
    return sorted(rows, key=lambda row: -row["all starts"])


def start(module: str) -> None:
    """Start an interpreter that imports a module of wsl."""
    subprocess.run([sys.executable, "-c", f"import {module}"], cwd=ROOT, check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--slow", type=int, nargs="+", default=[100, 1000], help="numbers of sleeping jobs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        begun = starts(Path(folder, "starts"))
        report("starts", begun, {"seconds_of_starts": sum(row["all starts"] for row in begun)})
        slept = slow(Path(folder), given.slow)
        fewest, most = slept[0], slept[-1]
        each = (most["core seconds"] - fewest["core seconds"]) / (most["jobs"] - fewest["jobs"])
        report("slow jobs", slept, {"main_process_core_seconds_per_job": each})
        report("planning", *planning(given.rounds, Path(folder)))
        run = scheduling(Path(folder), given.cores)
        overhead = {row["run"]: (row["run in"] - row["checked in"]) * given.cores / row["jobs"] for row in run}
        report("scheduling", run, {"core_seconds_per_job": overhead})
