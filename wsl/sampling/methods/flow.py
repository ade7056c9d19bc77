"""Sampling around a prediction: a flow generates what the condition leaves open (Lipman et al. 2023)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from wsl.files.plain import Files
from wsl.jobs.job import Job
from wsl.sampling.methods.base import METHODS, CodeSampler
from wsl.sampling.settings import Learned
from wsl.settings.sections import NonNegativeFloat, PositiveInt
from wsl.training.recipe import ImageCounts


class FlowSettings(Learned):
    """The sampler `flow`: the prediction of `regression`, plus residuals that a flow generates from noise."""

    hidden: list[PositiveInt] = Field([512, 512], description="sizes of the hidden layers")
    directions: PositiveInt = Field(
        32, description="principal components of the regression residual along which models differ"
    )
    steps: PositiveInt = Field(32, description="integration steps (Heun) from noise to a code")
    temperature: NonNegativeFloat = Field(
        1.0,
        description="standard deviation of the noise that a sample starts from: at 1 samples differ as trained members "
        "do, below 1 they differ less, and at 0 they are the prediction",
    )


@dataclass(frozen=True)
class FlowFiles:
    """Input files of ``fit_flow``.

    Attributes:
        train: codes of training snapshots, in the space of the predictions.
        validation: codes of validation snapshots.
        class_means: one file per class, or a list of them.
        bins: outcome bins.
        regression: the network that predicts codes.
    """

    train: str | Path
    validation: str | Path
    class_means: Files
    bins: str | Path
    regression: str | Path


@METHODS.register("flow")
class Flow(CodeSampler):
    """The prediction plus a residual that a flow generates from the seed's noise."""

    Settings = FlowSettings
    label, colour = "flow", "#CC79A7"
    learned = True
    fit = "fit_flow"
    at_sampling = ("steps", "temperature")

    def __init__(self, settings, run):
        super().__init__(settings, run)
        from wsl.outcomes.bins import read_bins
        from wsl.sampling.residual_flow import load_flow
        from wsl.shared.predictor import load_predictor

        self.network, self.flow = load_predictor(run.files["regression"]), load_flow(run.files["fitted"])
        self.bins = read_bins(run.files.bins)

    def codes(self, datasets: np.ndarray, losses: np.ndarray, seed: int = 0) -> np.ndarray:
        """Return codes (n, code), see ``CodeSampler.codes``."""
        from wsl.sampling.residual_flow import sample_residuals

        positions = self.bins.position(losses)
        predicted = self.network.predict(datasets, positions)
        if not self.settings.temperature:
            return predicted
        return predicted + sample_residuals(self.flow, positions, self.settings.steps, self.settings.temperature, seed)

    @classmethod
    def files(cls, run: Any, draw: int | str) -> dict[str, Any]:
        return {**super().files(run, draw), "regression": run.paths.fitted("regression", draw)}

    @classmethod
    def fit_files(cls, run: Any, draw: int | str) -> dict[str, Any]:
        return {**super().fit_files(run, draw), "regression": run.paths.fitted("regression", draw)}

    @classmethod
    def fit_values(cls, run: Any) -> dict[str, Any]:
        prediction = run.config.sampling.of("regression")
        shared = {"normalise": prediction.normalise, "image_counts": prediction.image_counts}
        return {**super().fit_values(run), **shared}


def fit_flow(
    inputs: FlowFiles,
    out: str | Path,
    history: str | Path,
    settings: FlowSettings,
    normalise: str,
    image_counts: ImageCounts,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Train the flow, see ``wsl.sampling.residual_flow.train_flow``.

    Args:
        inputs: codes, conditions and the network whose predictions codes are compared with.
        out: safetensors file of the flow.
        history: CSV, one row per epoch.
        settings: of the network and its training.
        normalise: how codes are scaled where errors are squared, see ``wsl.training.fitting.Standardiser.fit``.
        image_counts: see ``wsl.shared.pairs.load_pairs``.
        job: its seed is that of initial weights, batches, noise, times, dropout and image counts.
    """
    from wsl.files.plain import write_csv
    from wsl.files.tensors import write_tensors
    from wsl.sampling.residual_flow import train_flow
    from wsl.shared.pairs import load_pairs
    from wsl.shared.predictor import load_predictor
    from wsl.weights.coefficients import owners

    network = load_predictor(inputs.regression).to(job.device)
    train, validation = (
        load_pairs(path, inputs.class_means, inputs.bins, network.shape["space"], image_counts).to(job.device)
        for path in (inputs.train, inputs.validation)
    )
    scaling = normalise, owners(inputs.train, normalise)
    flow, table = train_flow(network, train, validation, scaling, settings, job)
    write_csv(history, table)
    write_tensors(out, flow.state_dict(), flow.shape)
