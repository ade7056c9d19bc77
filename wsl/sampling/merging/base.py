"""Ways to merge members into one body. Each becomes baselines of the accuracy table, one per kind of head."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from wsl.sampling.methods.base import NoSettings
from wsl.settings.registry import Registry
from wsl.settings.sections import PositiveFloat, Section

if TYPE_CHECKING:
    from wsl.sampling.merging._members import Members


class Merge(ABC):
    """A way to merge members.

    Attributes:
        name: in the config; set by ``MERGES.register``.
        Settings: its section of the config, ``sampling.merging.<name>``.
        label: name of the body in figures and in the report.
        marker: matplotlib's marker.
        needs_start: whether it merges task vectors, the differences of members from their common start.
        by_task: whether it makes a body for each task, from the members with the most similar data sets.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[Section]] = NoSettings
    label: ClassVar[str]
    marker: ClassVar[str] = "o"
    needs_start: ClassVar[bool] = False
    by_task: ClassVar[bool] = False

    def __init__(self, settings: Any):
        self.settings = settings

    @property
    def numbers(self) -> list[float]:
        """Values of its one number, of which the best on validation tasks is chosen; empty: it has none."""
        return []

    @abstractmethod
    def body(self, members: "Members", number: float | None) -> np.ndarray:
        """Return flat weights (n_weights,), of which the head is not used."""


class ScaledSettings(Section):
    """A merged task vector with a scale."""

    scales: Annotated[list[PositiveFloat], Field(min_length=1)] = Field(
        [0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0],
        description="multiples of the merged task vector; the best on validation tasks is used",
    )


class Scaled(Merge):
    """A merged task vector, added to the start with a scale. Subclasses implement ``vector``."""

    Settings = ScaledSettings
    needs_start = True

    @property
    def numbers(self) -> list[float]:
        return self.settings.scales

    @abstractmethod
    def vector(self, members: "Members") -> np.ndarray:
        """Return the merged task vector (n_weights,)."""

    def body(self, members: "Members", number: float | None) -> np.ndarray:
        return np.float32(members.start + number * self._vector(members))

    def _vector(self, members: "Members") -> np.ndarray:
        if not hasattr(self, "_merged"):  # the same for all scales
            self._merged = self.vector(members)
        return self._merged


class ByTask(Merge):
    """A body for each task, from the members with the most similar data sets."""

    by_task = True

    def body(self, members: "Members", number: float | None) -> np.ndarray:
        raise TypeError(f"{self.name} makes a body for each task; call `of_task`")

    @abstractmethod
    def of_task(self, members: "Members", nearest: np.ndarray, number: float) -> np.ndarray:
        """Return flat weights (n_weights,), of which the head is not used.

        Args:
            members: of the zoo.
            nearest: all members' rows of the index, the most similar data set first (members,).
            number: one of ``numbers``.
        """


class Merges(Registry[type[Merge]]):
    """The registry of merges, which tells others of each entry."""

    def __init__(self, kind: str, package: str):
        super().__init__(kind, package)
        self._told: list[Callable[[type[Merge]], None]] = []

    def register(self, name: str) -> Callable[[type[Merge]], type[Merge]]:
        """Return a decorator that adds a class, see ``Registry.register``."""
        add = super().register(name)

        def added(entry: type[Merge]) -> type[Merge]:
            add(entry)
            for tell in self._told:
                tell(entry)
            return entry

        return added

    def tell(self, function: Callable[[type[Merge]], None]) -> None:
        """Call a function with each entry, and with those of plug-ins once others load them."""
        self._discover()
        for entry in list(self._entries.values()):
            function(entry)
        self._told.append(function)


MERGES = Merges("way to merge", "wsl.sampling.merging")
HeadName = Literal["prototypes", "probe", "inference"]
