"""Settings of networks that predict codes of weights from (D, R), and of the shared encoder."""

from typing import ClassVar

from pydantic import Field

from wsl.settings.sections import PositiveInt
from wsl.shared.losses.base import Losses
from wsl.training.recipe import Fitting


class Predictor(Fitting):
    """A network that predicts codes of weights from (D, R).

    Subclasses also have ``losses``, ``space`` and ``image_counts`` (see ``wsl.shared.pairs.load_pairs``), and
    ``normalise``: how codes are scaled where a loss compares values, see ``Standardiser.fit``.
    """

    hidden: list[PositiveInt] = Field([512], description="sizes of the hidden layers")
    outcome_embedding: PositiveInt = Field(512, description="size of the learned embedding of an outcome bin")
    standardise: bool = Field(True, description="standardise dataset embeddings by their training statistics")


class SharedLosses(Losses):
    """Losses of the shared encoder. ``mse: 1`` is short for ``mse: {weight: 1}``."""

    defaults = {"nt_xent": 1.0}  # noqa: RUF012


class Shared(Predictor):
    """The shared encoder (section 3.3)."""

    space: ClassVar[str] = "latent"
    normalise: ClassVar[str] = "per-coefficient"
    image_counts: ClassVar[tuple[int, ...]] = ()
    losses: SharedLosses = Field(default_factory=SharedLosses)
