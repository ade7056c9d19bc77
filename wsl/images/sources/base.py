"""The protocol of image sources: the classes, and the images of each."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from wsl.images.classes import choose
from wsl.settings.registry import Registry
from wsl.settings.sections import Named, Share

if TYPE_CHECKING:
    import numpy as np

    from wsl.images.fetched import FetchedSource
    from wsl.images.settings import Packing

SOURCES: Registry = Registry("image source", "wsl.images.sources")


class ImageSource(Named):
    """A source of images, which is its own settings.

    A subclass implements ``names`` and ``images``; ``wsl.images.packing`` handles sizes, splits, repeated images, the
    minimum and files.

    Attributes:
        title: name of the source in messages, for example ``the digits``.
        empty: whether the run has no images, so that only stages of weights run.
    """

    title: ClassVar[str]
    empty: ClassVar[bool] = False

    @property
    def base(self) -> "ImageSource":
        """The source that a derived one takes its images from; of all others, itself."""
        return self

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of all classes, in their order."""

    @abstractmethod
    def images(self, name: str, packing: "Packing", seed: int) -> Mapping[str, Path | Iterable[Any]]:
        """Return the images of a class by part.

        Args:
            name: name of the class.
            packing: its ``size`` and ``validation_share``.
            seed: the run's seed.

        Returns:
            ``train``; ``train`` and ``test``; or ``train``, ``validation`` and ``test``. Missing parts are split off
            from ``train``; a source without ``test`` derives from ``PooledSource``. A part is the path of a folder of
            image files, or an iterable over images: PIL images, uint8 arrays, (h, w) or (h, w, 3), or the bytes of
            image files, of any size. An image may come in a pair of its origin, a text, and the image. An exception in
            place of an image is the reason why it cannot be read.
        """

    def change(self, name: str, images: "np.ndarray", seed: int) -> "np.ndarray":
        """Return the scaled images of a class, uint8 (n, size, size, 3), as they are packed: by default, as they are.

        Args:
            name: name of the class.
            images: of one part.
            seed: the run's seed.
        """
        return images

    def original(self, name: str) -> str:
        """Return the name of a class by which its images are divided into parts; copies of a class share it."""
        return name

    def at_most(self, name: str) -> int | None:
        """Return the largest number of images of a class to train and validate on; None: all."""
        return None

    def find(self, wanted: Sequence[str] | int | None, minimum: int) -> tuple[list[str], list[str]]:
        """Return the names of the run's classes and all faults, one sentence each, before any job starts.

        Args:
            wanted: names, the number of first classes, or None for all.
            minimum: fewest images that a class may have to learn from.
        """
        return choose(wanted, self.names(), f"in {self.title}")

    def check(self, names: Sequence[str] = ()) -> None:
        """Refuse a source that lacks images when a run starts; a plan alone needs no images.

        Args:
            names: names of the run's classes; empty: their contents are not checked.

        Raises:
            ConfigError: with the key and the remedy of each fault.
        """

    def missing(self) -> list[Path]:
        """Return the folders of images that do not exist."""
        return []

    def fetched(self) -> list["FetchedSource"]:
        """Return the sources that a local rule fetches before the first class is packed."""
        return []

    def owner(self, name: str) -> tuple["ImageSource", str]:
        """Return the source that has a class, and the name of the class there: one of several sources, or this one."""
        return self, name

    def group(self, name: str) -> str:
        """Return the label of the source that has a class, among several sources."""
        return ""

    def fingerprint(self, name: str) -> Any:
        """Return plain values that change with the images of a class, so that the class is packed again."""
        return None

    def count(self, names: Sequence[str]) -> int:
        """Return the number of images of these classes, for the estimate of disk space; 0: unknown."""
        return 0


class PooledSource(ImageSource):
    """A source without test images of its own: a share of all of its images is set aside."""

    test_share: Share = Field(
        0.2,
        description="share of a class's images set aside for the final evaluation, if the source has no test images",
    )
