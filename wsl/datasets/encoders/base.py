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

    It starts from a class file of features of images, by default those of CLIP.

    Attributes:
        features: function that writes these class files, see ``wsl.datasets.clip.embed_classes``.
        embed: ``embed(inputs: ClassFiles, out, model: ClipModel, job)`` writes a class file with another ``mean`` and
            ``features``; None: the file of features is the class file.
        fit: ``fit(inputs: ClassFiles, out, history, model: ClipModel, job)`` trains the encoder on the classes of
            training members and of the backbone; None: nothing is trained.
        reads_names: whether class files keep the text features of class names.
        reads_clip: whether the features are CLIP's.
        uses_gpu: whether ``embed`` runs on a GPU.
    """

    features: ClassVar[str] = "wsl.datasets.clip.embed_classes"
    embed: ClassVar[str | None] = None
    fit: ClassVar[str | None] = None
    reads_names: ClassVar[bool] = True
    reads_clip: ClassVar[bool] = True
    uses_gpu: ClassVar[bool] = True

    def check(self) -> None:
        """Refuse settings that cannot be used, before any job starts; by default, none.

        Raises:
            ConfigError: the message names the key.
        """

    def entries(self) -> list[type]:
        """Return the registered classes that ``features`` looks up by name."""
        return []


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
