"""A zoo of trained members, of this project or imported: tables, weights and probes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsl.api.options import checked, one_thread
from wsl.api.views import as_html, as_text
from wsl.errors import DataError
from wsl.hub.fetching import local_copy

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from torch import nn

    from wsl.api.space import EncodedRun
    from wsl.zoo.layout import Layout

PARTS = ("train", "validation", "test", "unseen")
HELD_OUT = ("test", "unseen")


class Zoo:
    """The members of a folder with one index per part; ``wsl.import_zoo`` and ``wsl.open_zoo`` return it.

    Args:
        path: folder that ``wsl import`` wrote, or ``results/<run>/zoo``.

    Attributes:
        path: the folder.

    Raises:
        DataError: the folder holds no index of training members.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not (self.path / "train.h5").is_file():
            is_run = (self.path / "summary.json").is_file()
            remedy = (
                f"open this run by wsl.open({str(path)!r})" if is_run else "name the folder that `wsl import` wrote"
            )
            raise DataError(f"{path} holds no train.h5; {remedy}")

    @property
    def parts(self) -> list[str]:
        """The parts that have members."""
        return [part for part in PARTS if self._index(part).is_file()]

    @property
    def layout(self) -> Layout:
        """Where each named parameter lies in flat weights."""
        from wsl.zoo.index import open_zoo

        with open_zoo(self._index("train")) as zoo:
            return zoo.layout

    @property
    def members(self) -> pd.DataFrame:
        """One row per member: part, task, hyper-parameters, metrics of its snapshots."""
        from wsl.zoo.overview import overview

        return overview([self._index(part) for part in self.parts])[0].reset_index(drop=True)

    @property
    def history(self) -> pd.DataFrame:
        """One row per epoch of every member."""
        from wsl.zoo.overview import overview

        return overview([self._index(part) for part in self.parts])[1].reset_index(drop=True)

    def weights(self, member: int, snapshot: str = "max") -> dict[str, torch.Tensor]:
        """Return the state dict of a snapshot of a member.

        Args:
            member: its number.
            snapshot: ``max``, the last, or another name in the zoo, for example ``early``.

        Raises:
            DataError: there is no such member or snapshot.
        """
        from wsl.zoo.index import open_zoo, read_snapshot
        from wsl.zoo.network import state_dict

        names: list[str] = []
        for part in self.parts:
            with open_zoo(self._index(part)) as zoo:
                own = zoo.snapshots[zoo.snapshots["member"] == member]
                names += list(own["snapshot"])
                for row in own.index[own["snapshot"] == snapshot]:
                    return state_dict(read_snapshot(zoo, row), zoo.layout, zoo.counters[row])
        if names:
            raise DataError(f"member {member} of {self.path} has no snapshot {snapshot!r}; it has {', '.join(names)}")
        raise DataError(f"{self.path} has no member {member} with weights")

    def network(self, member: int, snapshot: str = "max") -> nn.Module:
        """Return the network of a member in evaluation mode, see ``weights``.

        Raises:
            DataError: there is no such snapshot, or networks of this zoo cannot be built.
        """
        from wsl.zoo.network import network_for

        network = network_for(self.layout)
        network.load_state_dict(self.weights(member, snapshot))
        return network.eval()

    def probe(self, target: str | None = "test_accuracy", encoder: EncodedRun | None = None) -> pd.DataFrame:
        """Predict a property of held-out members by ridge regression on training members.

        Args:
            target: ``test_accuracy``, ``validation_loss``, ``epoch``, ``generalisation_gap`` or ``optimizer``; None:
                all that the zoo has.
            encoder: a finished run with members of the same architecture, whose latents are features too; None: none.

        Returns:
            One row per target and features: ``hyper-parameters`` (with the epoch, without weights), ``statistics``
            (mean, variance and quantiles of each named parameter), ``flat`` (the weights themselves), and the encoder's
            latents, alone and ``with_statistics``; latents of several tokens with all their numbers (``summary`` is
            ``all``) and as the mean over tokens (``token-mean``). ``score`` is R², or accuracy for the optimizer, with
            its 95 % interval ``low`` to ``high`` over sets of classes, or over members if all have one set; ``gain`` is
            the R² above that of ``statistics``, with its interval; ``kendall`` the rank correlation; ``chance``.

        Raises:
            DataError: the zoo has no held-out members, or no such target.
        """
        from wsl.evaluation.probe_baselines import probes_of
        from wsl.evaluation.probes import OPTIMIZER, TARGETS

        if target is not None and target not in (known := (*TARGETS, OPTIMIZER)):
            raise DataError(f"there is no target {target!r}; give one of {', '.join(known)}")
        held_out = [self._index(part) for part in HELD_OUT if part in self.parts]
        if not held_out:
            raise DataError(
                f"{self.path} has no test members; import the zoo again into another folder with a share for each "
                "part, as in --parts 70,15,15"
            )
        named = {} if encoder is None else {f"latents of {encoder.name}": encoder.codec_for(self.layout)}
        with one_thread():
            table = probes_of(self._index("train"), held_out, named)
        found = table if target is None else table[table["target"] == target]
        if not len(found):
            there = ", ".join(table["target"].unique())
            raise DataError(f"{self.path} has no two values of {target} in each part; its targets are {there}")
        return found.reset_index(drop=True)

    def _index(self, part: str) -> Path:
        return self.path / f"{part}.h5"

    def _facts(self) -> dict[str, Any]:
        from wsl.zoo.index import open_zoo

        counts = {}
        for part in self.parts:
            with open_zoo(self._index(part)) as zoo:
                counts[part] = len(zoo.members)
        return {**counts, "parameters": self.layout.size}

    def __repr__(self) -> str:
        return as_text("Zoo", {"path": str(self.path), **self._facts()})

    def _repr_html_(self) -> str:
        return as_html(f"Zoo {self.path.name}", self._facts(), self.members.head())


def open_zoo(folder: str | Path) -> Zoo:
    """Open a zoo that was imported before, or that of a run.

    Args:
        folder: folder that ``wsl import`` or ``wsl.import_zoo`` wrote, ``results/<run>/zoo``, or one on the Hugging
            Face Hub (``hf://owner/name``).

    Raises:
        DataError: the folder holds no zoo.
    """
    return Zoo(local_copy(folder))


def import_zoo(source: str | Path, out: str | Path, **options: Any) -> Zoo:
    """Import a zoo that other software trained.

    Args:
        source: folder in Ray Tune's layout, or of state dicts with a CSV table; or one on the Hugging Face Hub.
        out: folder to make; it must not exist.
        options: those of ``wsl import``, by the names of ``wsl.zoo.foreign.options.ImportOptions``, for example
            ``classes=["cat", "dog"]``, ``shares=(70, 15, 15)`` or ``epochs=[50]``.

    Returns:
        The zoo. Runs that were left out are listed in ``import.json`` in its folder.

    Raises:
        DataError: the folder cannot be read, or no run in it.
        ConfigError: an option is unknown or does not fit.

    Examples:
        >>> zoo = wsl.import_zoo("tune_zoo_cifar10_resnet18", out="zoos/cifar10")
        >>> zoo.probe("test_accuracy")
    """
    from wsl.zoo.foreign.importing import import_zoo as imported
    from wsl.zoo.foreign.options import ImportOptions

    imported(local_copy(source), out, checked(ImportOptions, **options))
    return Zoo(out)
