"""Sampling by a network that predicts codes from (D, R)."""

from pathlib import Path

import numpy as np
import torch

from wsl.files import Files
from wsl.job import Job
from wsl.outcomes.bins import OutcomeBins
from wsl.sampling.settings import Regression
from wsl.shared.predictor import ConditionalPredictor
from wsl.shared.training import fit_predictor


def fit_regression(
    train: str | Path,
    validation: str | Path,
    class_means: Files,
    bins: str | Path,
    out: str | Path,
    history: str | Path,
    settings: Regression,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Fit the network that predicts codes; see ``wsl.shared.training.fit_predictor``."""
    fit_predictor(train, validation, class_means, bins, out, history, settings, job)


class RegressionSampler:
    """The prediction, as it is: one answer for each condition.

    Args:
        network: projects (z_D, outcome) into the space of its codes.
        bins: of outcomes.
    """

    def __init__(self, network: ConditionalPredictor, bins: OutcomeBins):
        self.network, self.bins = network, bins
        self.space = network.shape["space"]

    @torch.no_grad()
    def codes(self, datasets: np.ndarray, losses: np.ndarray, seed: int = 0) -> np.ndarray:
        """Return z_proj (n, code), see ``Sampler.codes``."""
        return self.network(torch.from_numpy(datasets), torch.from_numpy(self.bins.position(losses))).numpy()
