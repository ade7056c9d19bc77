"""The parameter of a rule's function besides files and settings."""

from dataclasses import dataclass

from wsl.jobs.progress import NOWHERE, Progress


@dataclass(frozen=True)
class Job:
    """The circumstances of one job.

    Attributes:
        device: ``cpu`` or ``cuda``.
        threads: CPU threads that numeric libraries may use.
        seed: seed of all random numbers in the job.
        progress: saves states to resume from, and writes the history of epochs.
    """

    device: str = "cpu"
    threads: int = 1
    seed: int = 0
    progress: Progress = NOWHERE
