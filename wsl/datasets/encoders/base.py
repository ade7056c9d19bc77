"""What a dataset encoder is: how the images of a class become the numbers that stand for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wsl.registry import Registry
from wsl.sections import Named

DATASET_ENCODERS: Registry = Registry("dataset encoder", "wsl.datasets.encoders")


class DatasetEncoder(Named):
    """An encoder of the images of a class. Its functions are jobs of the workflow, named by module and function.

    Every encoder begins with a class file of CLIP features, see ``wsl.datasets.class_means.embed_classes``.

    Attributes:
        embed: ``embed(inputs: ClassFiles, out, model: ClipModel, job)`` writes a class file with another ``mean`` and
            ``features``; None: the file of CLIP features is the class file.
        fit: ``fit(inputs: FitFiles, out, history, model: ClipModel, job)`` trains the encoder on the classes of
            training members and of the backbone; None: nothing is trained.
        reads_names: whether class files keep the text features of the classes' names.
        uses_gpu: whether ``embed`` runs on a GPU.
    """

    embed: ClassVar[str | None] = None
    fit: ClassVar[str | None] = None
    reads_names: ClassVar[bool] = True
    uses_gpu: ClassVar[bool] = True


@dataclass(frozen=True)
class ClassFiles:
    """Input files for one class.

    Attributes:
        packed: its packed images.
        clip: its CLIP features.
        encoder: what ``DatasetEncoder.fit`` wrote, where the encoder is trained.
    """

    packed: str | Path
    clip: str | Path
    encoder: str | Path | None = None


@dataclass(frozen=True)
class FitFiles:
    """Input files for training an encoder, one file per class each.

    Attributes:
        packed: packed images.
        clip: CLIP features.
    """

    packed: Sequence[str | Path]
    clip: Sequence[str | Path]
