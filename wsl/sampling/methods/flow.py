"""The sampler `flow`: a flow generates the residuals of a prediction (Lipman et al. 2023)."""

from typing import Any

import numpy as np
from pydantic import Field

from wsl.sampling.methods.base import METHODS, CodeSampler
from wsl.sampling.settings import Learned
from wsl.settings.sections import NonNegativeFloat, PositiveInt


class FlowSettings(Learned):
    """The sampler `flow`: the prediction of `regression`, plus residuals that a flow generates from noise."""

    hidden: list[PositiveInt] = Field([512, 512], description="sizes of the hidden layers")
    directions: PositiveInt = Field(
        32, description="principal components of the regression residual along which models differ"
    )
    steps: PositiveInt = Field(32, description="integration steps (Heun) from noise to a code")
    temperature: NonNegativeFloat = Field(
        1.0,
        description="standard deviation of the noise that a sample starts from: at 1 samples differ like trained "
        "members, below 1 they differ less, and at 0 they equal the prediction",
    )


@METHODS.register("flow")
class Flow(CodeSampler):
    """The prediction plus a residual that a flow generates from noise."""

    Settings = FlowSettings
    label, colour = "flow", "#CC79A7"
    learned = True
    fit = "wsl.sampling.residual_flow.fit_flow"
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
