"""A made-up run of two members and an encoder, in a folder that tests fill as jobs would."""

import os
import time
from pathlib import Path

import pytest

from wsl.watch.record import write_record

PLAN = [{"member": 0, "part": "train", "max_epoch": 3}, {"member": 12, "part": "test", "max_epoch": 5}]
JOBS = {
    "pack_classes_0": ["images/cat.h5", "images/dog.h5"],
    "pack_classes_1": ["images/emu.h5"],
    "train_member/00000": ["zoo/members/00000.h5"],
    "train_member/00012": ["zoo/members/00012.h5"],
    "train_shared": ["shared/encoder.safetensors", "shared/history.csv"],
    "html_report": ["report.html"],
}


class Folder:
    """The folder of a run, ``root``."""

    def __init__(self, root: Path):
        self.root = root
        self.start()

    def start(self, due=tuple(JOBS), plan=tuple(PLAN)) -> None:
        """Record a start of the workflow that runs these jobs."""
        jobs = []
        for name, outputs in JOBS.items():
            paths = [str(self.root / path) for path in outputs]
            history = next((path for path in paths if path.endswith(".csv")), None)
            log = str(self.root / "logs" / f"{name}.log")
            jobs.append({"outputs": paths, "log": log, "history": history, "due": name in due})
        write_record(self.root, plan, jobs)

    def write(self, path: str, text: str = "made") -> None:
        """Write a file as a job does; another one than what lay there, to any clock."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.stat().st_mtime_ns if file.exists() else 0
        file.write_text(text)
        now = time.time_ns()
        os.utime(file, ns=(now, max(now, before + 1)))

    def say(self, job: str, *lines: tuple[float, str] | str) -> None:
        """Write a job's log: lines as they are, or said so many seconds ago."""
        stamped = [one if isinstance(one, str) else f"{stamp(time.time() - one[0])} {one[1]}" for one in lines]
        self.write(f"logs/{job}.log", "".join(f"{text}\n" for text in stamped))

    def finish(self, *jobs: str) -> None:
        """Do jobs: their outputs and their logs."""
        for job in jobs:
            self.say(job, (0, "INFO done"))
            for path in JOBS[job]:
                self.write(path)


def stamp(moment: float) -> str:
    """Return a time as logging writes it."""
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(moment))},{int(moment % 1 * 1000):03d}"


@pytest.fixture
def folder(tmp_path) -> Folder:
    (tmp_path / "results" / "made-up").mkdir(parents=True)
    return Folder(tmp_path / "results" / "made-up")
