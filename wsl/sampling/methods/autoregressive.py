"""The sampler `autoregressive`: a transformer generates the codes of `vq` one by one (Bedionita et al. 2025, IGPG)."""

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from wsl.sampling.methods.base import METHODS, CodeSampler
from wsl.settings.sections import NonNegativeFloat, PositiveInt, Whole
from wsl.training.recipe import IMAGE_COUNTS, ImageCounts, Recipe


class AutoregressiveSettings(Recipe):
    """The sampler `autoregressive`: a transformer over the codes of the weight encoder `vq`, given D and R."""

    width: Annotated[Whole, Field(ge=4, multiple_of=4)] = Field(128, description="width of the transformer")
    depth: PositiveInt = Field(3, description="blocks of the transformer")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="dropout in each block")
    patience: PositiveInt | None = Field(
        20, description="stop after this many epochs without a lower validation loss; empty: never"
    )
    image_counts: ImageCounts = Field([], description=IMAGE_COUNTS)
    temperature: NonNegativeFloat = Field(
        1.0, description="divisor of the logits of a code: below 1 samples differ less; 0: always the most likely code"
    )
    top_k: Annotated[Whole, Field(ge=0)] = Field(
        0, description="draw from this many of the most likely codes; 0: from all"
    )
    top_p: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="draw from the most likely codes whose probabilities add up to this (nucleus sampling)"
    )


@METHODS.register("autoregressive")
class Autoregressive(CodeSampler):
    """Networks as sequences of codes, each drawn given D, R and the codes before it."""

    Settings = AutoregressiveSettings
    label, colour, marker = "autoregressive", "#8C564B", "D"
    learned = True
    space = "latent"
    needs_encoder = "vq"
    fit = "wsl.sampling.token_prior.fit_prior"
    at_sampling = ("temperature", "top_k", "top_p")

    def __init__(self, settings, run):
        super().__init__(settings, run)
        from wsl.outcomes.bins import read_bins
        from wsl.sampling.token_prior import load_prior

        self.prior, self.bins = load_prior(run.files["fitted"]), read_bins(run.files.bins)

    def codes(self, datasets: np.ndarray, losses: np.ndarray, seed: int = 0) -> np.ndarray:
        """Return z_W (n, code), see ``CodeSampler.codes``."""
        from wsl.sampling.token_prior import Choosing, sample_codes

        chosen = Choosing(self.settings.temperature, self.settings.top_k, self.settings.top_p)
        codes = sample_codes(self.prior, datasets, self.bins.position(losses), chosen, seed)
        return self.prior.codebook[codes].flatten(1).numpy()

    @classmethod
    def fit_files(cls, run: Any, draw: int | str) -> dict[str, Any]:
        return {**super().fit_files(run, draw), "encoder": run.paths.weight_encoder}

    @classmethod
    def fit_entries(cls, run: Any) -> list[type]:
        return [type(run.config.weights.encoder)]
