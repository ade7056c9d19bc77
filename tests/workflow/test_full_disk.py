"""A disk that fills up while the workflow runs, and one that cannot be written to."""

import subprocess
import sys
import time
from pathlib import Path

import yaml
from printed import job_counts

TARGETS = ("results/tiny/images/0.h5", "results/tiny/images/1.h5")


def test_a_disk_that_fills_up_costs_what_is_not_made_and_nothing_else(
    tiny_config, disk, fill, repository, plain_snakemake, tmp_path
):
    results = disk(tmp_path / "results", "size=64m")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny_config), encoding="utf-8")
    workflow = ["--snakefile", repository / "Snakefile", "--configfile", "tiny.yaml", "--cores", "1", *TARGETS]
    with open(tmp_path / "printed", "w") as stream:
        running = subprocess.Popen(
            [sys.executable, "-m", "snakemake", *workflow], cwd=tmp_path, stdout=stream, stderr=subprocess.STDOUT
        )
        while running.poll() is None and not any((tmp_path / path).exists() for path in TARGETS):
            time.sleep(0.02)
        filler = fill(results, 0)
        assert running.wait() != 0
    (first,) = (path for path in TARGETS if (tmp_path / path).exists())
    (other,) = set(TARGETS) - {first}
    made = (tmp_path / first).read_bytes()
    # The log is on the same full disk, so the message is printed on the terminal.
    printed = Path(tmp_path, "printed").read_text()
    assert (
        f"{other} cannot be written (No space left on device); free disk space and run again: finished files" in printed
    )
    assert {path.name for path in (results / "tiny" / "images").iterdir()} == {Path(first).name}

    filler.unlink()
    again = plain_snakemake(tiny_config, "--cores", "1", *TARGETS)
    assert again.returncode == 0, again.stdout
    assert job_counts(again.stdout) == {"pack_class": 1}
    assert (tmp_path / other).is_file() and (tmp_path / first).read_bytes() == made


def test_results_that_cannot_be_written_are_refused_before_any_job(tiny_config, disk, plain_snakemake, tmp_path):
    disk(tmp_path / "results", "ro")
    done = plain_snakemake(tiny_config, "--cores", "1", *TARGETS)
    assert done.returncode != 0 and "Traceback" not in done.stdout and "rule pack_class" not in done.stdout
    assert "results/tiny cannot be written (Read-only file system); make results writable" in done.stdout
