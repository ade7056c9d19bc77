"""What the function behind a rule is given besides files and settings."""

from dataclasses import dataclass

from wsl.progress import NOWHERE, Progress


@dataclass(frozen=True)
class Job:
    """The circumstances of one job.

    Attributes:
        device: ``cpu`` or ``cuda``.
        threads: CPU threads that numeric libraries may use.
        seed: of everything random in the job.
        progress: saves intermediate states, and returns the one to resume from.
    """

    device: str = "cpu"
    threads: int = 1
    seed: int = 0
    progress: Progress = NOWHERE
