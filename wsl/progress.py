"""Where a long job has got to, so that one that was killed goes on from there."""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wsl.files import written_whole

log = logging.getLogger(__name__)
SECONDS = 30.0  # between two states that are kept


class Progress:
    """Keeps states of a job in a hidden folder beside the file that it makes.

    Args:
        out: the file.
        key: all that the job's result depends on, as JSON would hold it; a state of another key is not gone on from.
        seconds: how long to wait between two states of one part; less is lost than that.
    """

    def __init__(self, out: str | Path, key: Any, seconds: float = SECONDS):
        out = Path(out)
        self.folder = out.with_name(f".{out.name}.progress")
        self.key = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()
        self.seconds = seconds
        self._begun, self._saved = time.monotonic(), {}

    def load(self, part: str = "whole", device: str = "cpu") -> dict[str, Any] | None:
        """Return the last state of a part of the job; None where there is none of this key."""
        import torch

        path = self.folder / f"{part}.pt"
        if not path.is_file():
            return None
        try:
            kept = torch.load(path, map_location=device, weights_only=True)
        except Exception as error:  # a damaged or hostile file raises whatever its unpickling met first
            log.warning("%s cannot be read (%s): the job begins anew", path, error)
            return None
        if kept["key"] != self.key:
            log.info("%s is of other settings, data or code: the job begins anew", path)
            return None
        log.info("goes on from %s", path)
        return kept["state"]

    def save(self, state: Callable[[], dict[str, Any]], part: str = "whole", now: bool = False) -> None:
        """Keep a state, of tensors and plain values, unless the last one is too young; ``now``: in any case."""
        import torch

        if not now and time.monotonic() - self._saved.get(part, self._begun) < self.seconds:
            return
        # Into a file of Python's: torch's own writer does not say that a disk is full.
        with written_whole(self.folder / f"{part}.pt") as beside, open(beside, "wb") as file:
            torch.save({"key": self.key, "state": state()}, file)
        self._saved[part] = time.monotonic()

    def remove(self) -> None:
        """Forget all states: the job is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


class _Nowhere(Progress):
    """Keeps nothing."""

    def __init__(self):
        super().__init__("nowhere", None)

    def load(self, part: str = "whole", device: str = "cpu") -> None:
        return None

    def save(self, state: Callable[[], dict[str, Any]], part: str = "whole", now: bool = False) -> None:
        pass


NOWHERE = _Nowhere()


def keep(progress: Progress, parts: dict[str, Any], epoch: int, **more: Any) -> None:
    """Keep the state of an epoch: that of ``parts``, by ``state_dict``, torch's random numbers, and ``more``."""
    import torch

    def state() -> dict[str, Any]:
        own = {name: part.state_dict() for name, part in parts.items()}
        return {**own, "random": torch.get_rng_state(), "epoch": epoch, **more}

    progress.save(state)


def resume(progress: Progress, parts: dict[str, Any], device: str = "cpu", **more: Any) -> int:
    """Bring ``parts`` and random numbers to where they were kept, fill ``more``, and return the epoch; 0: nowhere.

    Args:
        more: lists and dicts, by the names that ``keep`` was given them by; they get the content that was kept.
    """
    import torch

    state = progress.load(device=device)
    if state is None:
        return 0
    for name, part in parts.items():
        part.load_state_dict(state[name])
    torch.set_rng_state(state["random"].cpu())
    for name, held in more.items():
        held.extend(state[name]) if isinstance(held, list) else held.update(state[name])
    return state["epoch"]
