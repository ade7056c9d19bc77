"""A sampler in one file: ridge regression from (D, R) to PCA coefficients."""

from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from wsl.files.plain import Files, write_csv
from wsl.files.tensors import read_tensors, write_tensors
from wsl.jobs.job import Job
from wsl.sampling.methods.base import METHODS, CodeSampler
from wsl.settings.sections import PositiveFloat, Section
from wsl.shared.pairs import load_pairs


class RidgeSettings(Section):
    """The sampler `toy-ridge`: ridge regression from (D, R) to PCA coefficients."""

    penalty: PositiveFloat = Field(1.0, description="L2 penalty of the slope")
    shrinkage: PositiveFloat = Field(1.0, description="factor of the predicted deviation from the mean")


@METHODS.register("toy-ridge")
class Ridge(CodeSampler):
    """The prediction: a single answer for each condition."""

    Settings = RidgeSettings
    label, colour, marker = "toy ridge", "#17BECF", "h"
    learned = True
    fit = "fit_ridge"
    at_sampling = ("shrinkage",)

    def __init__(self, settings, run):
        super().__init__(settings, run)
        tensors, _ = read_tensors(run.files["fitted"])
        self.inputs, self.mean, self.slope = (tensors[name].numpy() for name in ("inputs", "mean", "slope"))

    def codes(self, datasets, losses, seed=0):
        deviations = (np.column_stack([datasets, losses]) - self.inputs) @ self.slope
        return np.float32(self.mean + self.settings.shrinkage * deviations)


def fit_ridge(
    train: str | Path,
    validation: str | Path,
    class_means: Files,
    bins: str | Path,
    out: str | Path,
    history: str | Path,
    settings: RidgeSettings,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Fit the regression to a random half of the training snapshots, so that draws differ."""
    import torch

    parts = [load_pairs(path, class_means, bins, "coefficients") for path in (train, validation)]
    inputs, codes = zip(*(_arrays(part) for part in parts), strict=True)
    chosen = np.random.default_rng(job.seed).permutation(len(codes[0]))[: (len(codes[0]) + 1) // 2]
    centre, mean = inputs[0][chosen].mean(axis=0), codes[0][chosen].mean(axis=0)
    x, y = inputs[0][chosen] - centre, codes[0][chosen] - mean
    slope = np.linalg.solve(x.T @ x + settings.penalty * np.eye(x.shape[1]), x.T @ y)
    errors = [
        np.square(mean + (values - centre) @ slope - wanted).mean()
        for values, wanted in zip(inputs, codes, strict=True)
    ]
    row = {"epoch": 1, "train_loss": errors[0], "validation_loss": errors[1], "kept": True}
    write_csv(history, pd.DataFrame([row]))
    tensors = {"inputs": centre, "mean": mean, "slope": slope}
    write_tensors(out, {name: torch.from_numpy(np.float32(value)) for name, value in tensors.items()}, {})


def _arrays(part) -> tuple[np.ndarray, np.ndarray]:
    """Return conditions (n, dataset + 1) and codes (n, code), float64."""
    datasets = part.datasets[part.turns, range(len(part))].double().numpy()
    return np.column_stack([datasets, part.snapshots["validation_loss"]]), part.codes.double().numpy()
