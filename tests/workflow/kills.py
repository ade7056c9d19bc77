"""Kill Snakemake, trainings and fits at random moments, start again, and compare with a run that nothing disturbed.

    .venv/bin/python tests/workflow/kills.py --kills 40 --seed 0

Each kill is ``kill -9`` of one process: of Snakemake, whose jobs then go on without it while the run is started again,
or of a job.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from wsl.launch.serving import SWITCH

VICTIMS = {"training": "/train_cohort/", "PCA": "/fit_small_pca", "snakemake": None}  # part of the path of a job's log
MOMENTS = {"training": 0.4, "PCA": 0.2, "snakemake": 10.0}  # seconds after its start, at most
PATIENCE = 600  # seconds for one start of Snakemake


class Campaign:
    """Kills in one project.

    Args:
        root: a project's folder; command: starts Snakemake there.
        seed: of victims and moments.
    """

    def __init__(self, root: Path, command: Sequence[str], seed: int):
        self.root, self.command, self.random = root, [*command], random.Random(seed)

    def kill(self, victim: str, patience: float = 1.0) -> bool:
        """Start the run and kill a victim; False where the run was done before there was one to kill.

        Args:
            patience: how much of the time that this kind of victim is given may pass.
        """
        with open(self.root / "printed", "a", encoding="utf-8") as printed:
            run = subprocess.Popen(self.command, cwd=self.root, stdout=printed, stderr=subprocess.STDOUT)
        wait = self.random.uniform(0, patience * MOMENTS[victim])
        end, due = time.monotonic() + PATIENCE, None
        while run.poll() is None and time.monotonic() < end:
            found = run.pid if victim == "snakemake" else self._job(VICTIMS[victim])
            if found and due is None:
                due = time.monotonic() + wait
            if found and time.monotonic() >= due:
                try:
                    os.kill(found, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                run.wait(PATIENCE)
                self._unlock()
                return True
            time.sleep(0.02)
        assert run.poll() is not None, "Snakemake hangs"
        return False

    def finish(self) -> None:
        """Run to the end, without the server of jobs, from which the other starts fork theirs."""
        while self._orphans():  # jobs of a Snakemake that was killed
            time.sleep(0.1)
        done = subprocess.run(
            self.command, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE,
            env={**os.environ, SWITCH: "0"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-5000:]

    def _unlock(self) -> None:
        start = self.command.index("snakemake") + 1
        command = [*self.command[:start], "--unlock", *self.command[start:]]
        subprocess.run(command, cwd=self.root, check=True, capture_output=True)

    def _job(self, log: str) -> int | None:
        """Return the process of this project whose standard error is a log with this in its path."""
        return next((pid for pid, path in self._logs() if log in path), None)

    def _orphans(self) -> bool:
        return any(True for _ in self._logs())

    def _logs(self):
        for process in Path("/proc").glob("[0-9]*"):
            try:
                path = os.readlink(process / "fd" / "2")
            except OSError:  # it has ended, or belongs to another user
                continue
            if path.startswith(f"{self.root}/results/"):
                yield int(process.name), path


def run_campaign(
    make: Callable[[], Path], command: Sequence[str], victims: Sequence[str], seed: int, compare: Callable[[Path], None]
) -> Counter[str]:
    """Kill these, in as many runs as that takes, compare each run when it is done, and return what was killed.

    Args:
        make: makes a new project and returns its folder; command: starts Snakemake there.
        victims: see ``VICTIMS``.
        compare: raises where a finished project's results are not as they should be.
    """
    left, killed, missed = list(victims), Counter(), 0
    while left:
        campaign = Campaign(make(), command, seed)
        # One that was missed has less time in the next run: a job may be over in a moment.
        while left and campaign.kill(left[0], patience=1 / (1 + missed)):
            killed[left.pop(0)] += 1
            missed = 0
        missed, seed = missed + 1, seed + 1
        campaign.finish()
        compare(campaign.root)
    return killed


if __name__ == "__main__":
    from conftest import TINY, Project
    from same import differing

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    chosen = random.Random(given.seed).choices(list(VICTIMS), k=given.kills)
    command = [sys.executable, "-m", "snakemake", "--configfile", "tiny.yaml", "--cores", str(given.cores)]
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = Project(Path(folder, "undisturbed"), TINY)
        undisturbed.run()

        def make() -> Path:
            shutil.rmtree(Path(folder, "disturbed"), ignore_errors=True)
            return Project(Path(folder, "disturbed"), TINY).root

        def compare(root: Path) -> None:
            found = differing(undisturbed.results, root / "results" / "tiny")
            print(f"a run is done; files that differ from the undisturbed one's: {found or 'none'}", flush=True)
            if found:
                raise SystemExit(1)

        print(dict(run_campaign(make, command, chosen, given.seed, compare)))
