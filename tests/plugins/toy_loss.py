"""A loss of the shared encoder in one file: a hinge on the distance between a projection and its code."""

from pydantic import Field
from torch.nn import functional

from wsl.settings.sections import NonNegativeFloat
from wsl.shared.losses.base import LOSSES, Loss, LossSettings


class HingeSettings(LossSettings):
    """Settings of the hinge."""

    margin: NonNegativeFloat = Field(0.1, description="cosine distance up to which a pair costs nothing")


@LOSSES.register("toy_hinge")
class Hinge(Loss):
    """Cosine distance above a margin, averaged over rows."""

    Settings = HingeSettings
    summary = "cosine distance above a margin: the direction"

    @staticmethod
    def compute(projections, codes, scale, settings):
        distances = 1 - functional.cosine_similarity(projections, codes)
        return (distances - settings.margin).clamp_min(0).mean()
