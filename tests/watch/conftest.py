"""A made-up run of two members and an encoder, in a folder that tests fill like jobs."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wsl.files.plain import write_json
from wsl.watch.record import NAME, StepsHandler, read_record, write_record

PLAN = [{"member": 0, "part": "train", "max_epoch": 3}, {"member": 12, "part": "test", "max_epoch": 5}]
JOBS = {
    "pack_classes_0": ["images/cat.h5", "images/dog.h5"],
    "pack_classes_1": ["images/emu.h5"],
    "train_cohort/00000": ["zoo/members/00000.h5"],
    "train_cohort/00012": ["zoo/members/00012.h5"],
    "train_shared": ["shared/encoder.safetensors", "shared/history.csv"],
    "html_report": ["report.html"],
}
NEEDS = {
    "train_cohort/00000": ["pack_classes_0", "pack_classes_1"],
    "train_cohort/00012": ["pack_classes_0", "pack_classes_1"],
    "train_shared": ["train_cohort/00000", "train_cohort/00012"],
    "html_report": ["train_shared"],
}
COMMAND = "snakemake --cores 2 --configfile made-up.yaml"
LOSSES = {"train_loss": 0.5, "validation_loss": 0.25}


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
            log = str(self.root / "logs" / f"{name}.log")
            needs = [list(JOBS).index(need) for need in NEEDS.get(name, ())]
            jobs.append({"outputs": paths, "log": log, "due": name in due, "needs": needs, "share": 0.5})
        write_record(self.root, plan, jobs, COMMAND)
        self.steps = StepsHandler(self.root)
        self.steps.begin()

    def write(self, path: str, text: str = "made") -> None:
        """Write a file as a job does, with a later modification time than before."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.stat().st_mtime_ns if file.exists() else 0
        file.write_text(text)
        now = time.time_ns()
        os.utime(file, ns=(now, max(now, before + 1)))

    def say(self, job: str, *lines: tuple[float, str] | str) -> None:
        """Write a job's log: plain lines, or pairs of seconds ago and message."""
        stamped = [item if isinstance(item, str) else f"{stamp(time.time() - item[0])} {item[1]}" for item in lines]
        self.write(f"logs/{job}.log", "".join(f"{text}\n" for text in stamped))

    def train(self, job: str, *epochs: tuple[float, int], member: int | None = None, of: int = 9, **values) -> None:
        """Write a job's log and history: pairs of seconds ago and number of an epoch."""
        self.say(job, (min((ago for ago, _ in epochs), default=0), "INFO trains"))
        name = {} if member is None else {"member": f"{member:05d}"}
        rows = [
            {"time": time.time() - ago, **name, "epoch": epoch, "epochs": of, **(values or LOSSES)}
            for ago, epoch in epochs
        ]
        self.write(f"logs/{job}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    def step(self, what: str, job: str = "", ago: float = 0.0) -> None:
        """Write a step that happened ``ago`` seconds ago."""
        with open(self.root / "logs" / "steps.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({"time": time.time() - ago, "job": job, "what": what}) + "\n")

    def began(self, ago: float) -> None:
        """Set the start of the workflow to ``ago`` seconds ago."""
        record = read_record(self.root)
        write_json(self.root / NAME, record.model_copy(update={"started": time.time() - ago}).model_dump())

    def ended(self) -> None:
        """Record a process of Snakemake that has ended."""
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        write_json(self.root / NAME, read_record(self.root).model_copy(update={"process": gone.pid}).model_dump())

    def finish(self, *jobs: str) -> None:
        """Write the outputs and the logs of jobs."""
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
