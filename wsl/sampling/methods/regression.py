"""Sampling by a network that predicts codes from (D, R)."""

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from wsl.files.plain import Files
from wsl.jobs.job import Job
from wsl.sampling.methods.base import METHODS, CodeSampler
from wsl.sampling.settings import Learned
from wsl.settings.sections import PositiveInt
from wsl.shared.losses.base import Losses
from wsl.training.recipe import IMAGE_COUNTS, ImageCounts


class RegressionSettings(Learned):
    """The sampler `regression`: a network that predicts PCA coefficients, trained on their squared error."""

    hidden: list[PositiveInt] = Field([512], description="sizes of the hidden layers")
    image_counts: ImageCounts = Field([], description=IMAGE_COUNTS)
    outcome_embedding: ClassVar[int] = 32
    standardise: ClassVar[bool] = True
    space: ClassVar[str] = "coefficients"
    normalise: ClassVar[str] = "per-parameter"

    @cached_property
    def losses(self) -> Losses:
        """The mean squared error alone: other losses do not determine the length of a prediction."""
        return Losses(mse=1.0)


@METHODS.register("regression")
class Regression(CodeSampler):
    """The prediction, the same for every seed."""

    Settings = RegressionSettings
    label, colour = "regression", "#009E73"
    learned = True
    fit = "fit_regression"

    def __init__(self, settings, run):
        super().__init__(settings, run)
        from wsl.outcomes.bins import read_bins
        from wsl.shared.predictor import load_predictor

        self.network, self.bins = load_predictor(run.files["fitted"]), read_bins(run.files.bins)

    def codes(self, datasets: np.ndarray, losses: np.ndarray, seed: int = 0) -> np.ndarray:
        """Return predictions (n, code), see ``CodeSampler.codes``."""
        return self.network.predict(datasets, self.bins.position(losses))

    @classmethod
    def fit_entries(cls, run: Any) -> list[type]:
        return [loss for loss, _ in cls.own_settings(run).losses.used()]


def fit_regression(
    train: str | Path,
    validation: str | Path,
    class_means: Files,
    bins: str | Path,
    out: str | Path,
    history: str | Path,
    settings: RegressionSettings,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Fit the network that predicts codes; see ``wsl.shared.training.fit_predictor``."""
    from wsl.shared.training import fit_predictor

    fit_predictor(train, validation, class_means, bins, out, history, settings, job)
