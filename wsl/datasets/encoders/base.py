"""Dataset encoders: their interface and their input files."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wsl.files.plain import Files
from wsl.settings.registry import Registry
from wsl.settings.sections import Named

DATASET_ENCODERS: Registry = Registry("dataset encoder", "wsl.datasets.encoders")


class DatasetEncoder(Named):
    """An encoder of the images of a class. Its functions are jobs of the workflow, named by module and function.

    It starts from a class file of CLIP features, see ``wsl.datasets.class_means.embed_classes``.

    Attributes:
        embed: ``embed(inputs: ClassFiles, out, model: ClipModel, job)`` writes a class file with another ``mean`` and
            ``features``; None: the file of CLIP features is the class file.
        fit: ``fit(inputs: ClassFiles, out, history, model: ClipModel, job)`` trains the encoder on the classes of
            training members and of the backbone; None: nothing is trained.
        reads_names: whether class files keep the text features of class names.
        uses_gpu: whether ``embed`` runs on a GPU.
    """

    embed: ClassVar[str | None] = None
    fit: ClassVar[str | None] = None
    reads_names: ClassVar[bool] = True
    uses_gpu: ClassVar[bool] = True


@dataclass(frozen=True)
class ClassFiles:
    """Input files: of one class for ``embed``, of several for ``fit``.

    Attributes:
        packed: packed images.
        clip: CLIP features.
        encoder: the trained encoder, for ``embed``.
    """

    packed: Files
    clip: Files
    encoder: str | Path | None = None
