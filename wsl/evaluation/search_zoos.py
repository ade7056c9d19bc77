"""The zoos that a search looks into: runs and imported folders, their members, and what each makes of images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from wsl.errors import DataError
from wsl.images.inputs import normalised
from wsl.paths import Paths
from wsl.sampling.description import load_description
from wsl.zoo.borrowed import read_description, zoo_folder, zoo_is_described
from wsl.zoo.index import Zoo, open_zoo, read_snapshot
from wsl.zoo.layout import Layout
from wsl.zoo.network import FlatNetwork, features_and_logits
from wsl.zoo.recognition import architecture_of, running_fault

PARTS = ("train", "validation", "test", "unseen")
BATCH = 512  # images


@dataclass(frozen=True)
class Candidate:
    """A trained member.

    Attributes:
        zoo: as the user named its zoo.
        index: the index that lists it.
        row: its last snapshot in the index.
        member: its number.
        part: its part of the zoo.
        task: the classes that it distinguishes, see ``join_task``.
    """

    zoo: str
    index: Path
    row: int
    member: int
    part: str
    task: str


class SearchedZoo:
    """A zoo of finished members: a run's, or one that ``wsl import`` wrote.

    Args:
        path: a run's folder, or a folder with one index per part.
        size: side of images in pixels, for networks that read any size; None: the run's.

    Attributes:
        run: the run's folder; None: an imported zoo.

    Raises:
        DataError: there are no indices, or their networks cannot be run.
    """

    def __init__(self, path: str | Path, size: int | None = None):
        self.name, folder = str(path), Path(path)
        self.run = folder if (folder / "zoo").is_dir() else None
        inside = folder / "zoo" if self.run else folder
        folders = [inside, *sorted(path for path in inside.glob("*") if path.is_dir())]  # by architecture
        self.indices = [one / f"{part}.h5" for one in folders for part in PARTS if (one / f"{part}.h5").is_file()]
        if not self.indices:
            raise DataError(
                f"{path} holds no zoo: neither zoo/train.h5 (a run) nor train.h5 (a folder of `wsl import`); name the "
                "folder of one, or finish the run"
            )
        self.layouts: dict[Path, Layout] = {}
        self.candidates: list[Candidate] = []
        for index in self.indices:
            with open_zoo(index) as zoo:
                if fault := running_fault(zoo.layout):
                    raise DataError(f"{index}: {fault}")
                self.layouts[index] = zoo.layout._replace(image_size=zoo.layout.image_size or size or self._size())
                table = zoo.snapshots.iloc[zoo.trained]
                for row, member, task in zip(zoo.trained, table["member"], table["task"], strict=True):
                    self.candidates.append(Candidate(self.name, index, int(row), int(member), index.stem, task))

    def _size(self) -> int:
        """Return the size of a run's images, for networks that read any size."""
        if self.run is not None and zoo_is_described(self.run):
            return read_description(self.run).images["size"]
        if self.run is not None:
            return load_description(self.run).about["size"]
        raise DataError(f"the networks of {self.name} read images of any size; give that of their training by --size")

    @cached_property
    def start(self) -> dict[Path, Path]:
        """The file of the members' common start by index; without those of adapters, whose start has other names."""
        if self.run is None:
            return {}
        paths = {index: index.parent / "start.safetensors" for index in self.indices}
        shared = Path(Paths(str(self.run), str(zoo_folder(self.run))).start)
        paths = {index: path if path.is_file() else shared for index, path in paths.items()}
        return {index: path for index, path in paths.items() if path.is_file() and not self.layouts[index].frozen}


class Networks:
    """Runs networks of several layouts on images; each layout is built once."""

    def __init__(self, device: str = "cpu"):
        self.device = device
        self._built: dict[Layout, FlatNetwork] = {}

    @torch.no_grad()
    def answers(self, weights: np.ndarray, layout: Layout, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return features (n, F) and logits (n, own classes) of normalised inputs (n, 3, h, w) on the CPU."""
        if layout not in self._built:
            self._built[layout] = FlatNetwork(layout, self.device)
        network = self._built[layout].load(weights)
        pairs = [features_and_logits(network, batch.to(self.device)) for batch in inputs.split(BATCH)]
        return torch.cat([pair[0] for pair in pairs]).cpu(), torch.cat([pair[1] for pair in pairs]).cpu()


class Inputs:
    """Images as inputs of networks, normalised once per size and normalisation."""

    def __init__(self, images_of_size):
        self._images_of_size = images_of_size
        self._ready: dict[tuple, tuple[torch.Tensor, torch.Tensor]] = {}

    def of(self, layout: Layout, part: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return inputs (n, 3, h, w) of a network and labels (n,); ``part`` is ``train`` or ``test``."""
        key = layout.image_size, layout.normalisation, part
        if key not in self._ready:
            images, labels = self._images_of_size(layout.image_size, part)
            self._ready[key] = normalised(images, layout.normalisation), labels
        return self._ready[key]


def weights_of(candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, np.ndarray, Zoo]]:
    """Yield candidates with their flat weights (n_weights,) and their opened index, one index after the other."""
    for index in dict.fromkeys(candidate.index for candidate in candidates):
        with open_zoo(index) as zoo:
            for candidate in candidates:
                if candidate.index == index:
                    yield candidate, read_snapshot(zoo, candidate.row), zoo


def network_name(layout: Layout) -> str:
    """Return the architecture of a layout in words."""
    return str(architecture_of(layout))
