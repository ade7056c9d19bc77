"""The sampler of the thesis: the projection of (D, R) by the shared encoder, decoded (section 3.3, figure 3.2)."""

from typing import Literal

import numpy as np
from pydantic import Field

from wsl.sampling.methods.base import METHODS, CodeSampler, codec_files
from wsl.settings.sections import Section


class ProjectionSettings(Section):
    """The sampler `projection`: the projection of the shared encoder (the thesis)."""

    norm: Literal["training", "raw"] = Field(
        "training",
        description="length of a projection, which NT-Xent does not determine: `training` scales it to the mean norm "
        "of training latents, `raw` keeps it",
    )


@METHODS.register("projection")
class Projection(CodeSampler):
    """z_proj of the shared encoder."""

    Settings = ProjectionSettings
    label, colour = "projection (thesis)", "#0072B2"
    learned = True
    space = "latent"

    def __init__(self, settings, run):
        super().__init__(settings, run)
        from wsl.outcomes.bins import read_bins
        from wsl.shared.predictor import load_predictor

        self.network, self.bins = load_predictor(run.files["shared"]), read_bins(run.files.bins)

    def codes(self, datasets: np.ndarray, losses: np.ndarray, seed: int = 0) -> np.ndarray:
        """Return z_proj (n, latent), see ``CodeSampler.codes``."""
        import torch
        from torch.nn import functional

        projections = torch.from_numpy(self.network.predict(datasets, self.bins.position(losses)))
        if self.settings.norm == "raw":
            return projections.numpy()
        return (functional.normalize(projections, dim=1) * self.network.code_norm).detach().numpy()

    @classmethod
    def files(cls, run, draw):
        return {**codec_files(run), "shared": run.paths.shared(draw)}
