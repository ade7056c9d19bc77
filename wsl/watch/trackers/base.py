"""The protocol of trackers: tools that show learning curves, settings and results of runs."""

import hashlib
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from wsl.errors import ConfigError
from wsl.files.packages import install_hint
from wsl.settings.registry import Registry
from wsl.watch.state import Epoch
from wsl.watch.written import News, Written

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

TRACKERS: Registry = Registry("tracker", "wsl.watch.trackers")


@dataclass(frozen=True)
class Results:
    """The results of a finished run.

    Attributes:
        digest: changes when they change.
        config: all its keys, nested; empty: unknown.
        numbers: its main numbers, by names such as ``accuracy/seen/flow``.
        tables: by name.
        latents: z_W (n, latent) of snapshots; None: the run has none.
        snapshots: one row per latent, with text and numbers.
    """

    digest: str
    config: Mapping[str, Any] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, "pd.DataFrame"] = field(default_factory=dict)
    latents: "np.ndarray | None" = None
    snapshots: "pd.DataFrame | None" = None


class Tracker(ABC):
    """A tracker of one run.

    Subclasses import their tool by ``tool``, so that nothing needs it before it is chosen.

    Attributes:
        package: of the tool on PyPI.
        folder: for the tool's local data of all runs.
        run: name of the run.
        written: what the tool has been given.

    Raises:
        ConfigError: the tool is not installed, or cannot take this run.
    """

    name: ClassVar[str]
    package: ClassVar[str]

    def __init__(self, folder: str | Path, run: str):
        self.folder, self.run = Path(folder), run
        self.written = Written(self.folder / run / "written.jsonl", self.place())

    def place(self) -> str:
        """Return a name of the place where the data goes, if the environment determines it; see ``place_of``."""
        return ""

    @abstractmethod
    def log(self, news: News) -> None:
        """Write new epochs of a curve, or its end."""

    @abstractmethod
    def finish(self, results: Results, attempt: int) -> None:
        """Write the results of the finished run.

        Args:
            results: of the run.
            attempt: 1, or more if the tool already has other results of this run.
        """

    @abstractmethod
    def close(self) -> None:
        """Complete everything that is written."""

    @abstractmethod
    def view(self) -> str:
        """Return the command that shows the curves."""

    def tool(self, module: str) -> ModuleType:
        """Import a module of the tool."""
        try:
            return import_module(module)
        except ImportError as error:
            raise ConfigError(
                f"{self.name} needs a package that is not installed here ({error}); run `pip install {self.package}` "
                f"or, for all trackers, `{install_hint('trackers')}`"
            ) from error


def place_of(*variables: str) -> str:
    """Return a digest of variables of the environment, since addresses may contain passwords; empty: none is set."""
    values = [os.environ.get(name, "") for name in variables]
    return hashlib.sha256("\n".join(values).encode()).hexdigest()[:12] if any(values) else ""


def grouped(epoch: Epoch) -> dict[str, float]:
    """Return the values of an epoch; ``train_loss`` becomes ``loss/train``, so that tools group both parts."""
    return {"/".join(reversed(key.split("_", 1))): value for key, value in epoch.values.items()}


def flat(content: Mapping[str, Any], separator: str, prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one: ``{"zoo": {"members": 8}}`` becomes ``{"zoo.members": 8}``."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, separator, f"{prefix}{key}{separator}")
        else:
            found[f"{prefix}{key}"] = value
    return found


def numbers_of(content: Mapping[str, Any]) -> dict[str, float]:
    """Return the finite numbers in nested mappings, by names joined with ``/``; lists and text are left out."""
    return {
        name: float(value)
        for name, value in flat(content, "/").items()
        if isinstance(value, int | float) and math.isfinite(value)
    }
