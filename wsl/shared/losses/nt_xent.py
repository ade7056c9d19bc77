"""NT-Xent between projections and codes (eq. 2.7): the loss of the thesis."""

from pydantic import Field

from wsl.settings.sections import PositiveFloat
from wsl.shared.losses.base import LOSSES, Loss, LossSettings


class NtXentSettings(LossSettings):
    """Settings of NT-Xent."""

    temperature: PositiveFloat = Field(0.5, description="tau of NT-Xent (eq. 2.7)")
    symmetric: bool = Field(True, description="average over both anchors of a pair; otherwise over projections only")


@LOSSES.register("nt_xent")
class NtXent(Loss):
    """Contrasts each code with the other codes and projections of its batch; lengths have no effect."""

    Settings = NtXentSettings
    summary = "NT-Xent (eq. 2.7): fixes the direction of a projection"

    @staticmethod
    def compute(projections, codes, scale, settings):
        from wsl.training.ntxent import nt_xent

        return nt_xent(projections, codes, settings.temperature, settings.symmetric)

    @staticmethod
    def chance(pairs, settings):
        from wsl.training.ntxent import chance_loss

        return chance_loss(pairs)
