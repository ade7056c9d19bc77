"""The parameter of a rule's function besides files and settings."""

from dataclasses import dataclass

from wsl.jobs.progress import NOWHERE, Progress


@dataclass(frozen=True)
class Job:
    """The circumstances of one job."""

    device: str = "cpu"  # cuda or mps
    threads: int = 1  # CPU threads that numeric libraries may use
    seed: int = 0  # seed of all random numbers in the job
    progress: Progress = NOWHERE  # saves states to resume from, and writes the history of epochs
