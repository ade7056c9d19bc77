"""A user's own classes, embedded by a finished run."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Self

from wsl.api.views import as_html, as_text

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from wsl.sampling.description import Description
    from wsl.sampling.user_classes import UserClasses


class Data:
    """A dataset D in the space of a run: classes with their images, or names alone. ``FinishedRun.embed`` makes it.

    Its files are temporary: they vanish with the object, at the end of a ``with`` block, or by ``close``.

    Attributes:
        run: folder of the run that embeds it.
        classes: in the order of a model's outputs.
    """

    def __init__(self, run: Path, description: Description, user: UserClasses):
        self.run, self.classes = run, list(user.classes)
        self._description, self.user = description, user

    @property
    def images(self) -> dict[str, int]:
        """The number of images of each class that a model is made from; 0 for classes that are only named."""
        return dict(zip(self.classes, self.user.counts, strict=True))

    @cached_property
    def embedding(self) -> np.ndarray:
        """z_D (classes * dimension,): the embeddings of the classes, concatenated in their order."""
        return self.user.embedding(self._description)

    def close(self) -> None:
        """Remove the temporary files."""
        self.user.files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return as_text("Data", {"run": self.run.name, "images": self.images})

    def _repr_html_(self) -> str:
        return as_html(f"Data for {self.run.name}", self.images)
