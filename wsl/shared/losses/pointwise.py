"""Losses that compare each projection with its own code: squared error, direction and length."""

from wsl.shared.losses.base import LOSSES, Loss


@LOSSES.register("mse")
class SquaredError(Loss):
    """Mean squared error over codes in units of their training deviations."""

    summary = "mean squared error over standardised codes"
    compares_values = True

    @staticmethod
    def compute(projections, codes, scale, settings):
        return ((projections - codes) / scale).square().mean()


@LOSSES.register("cosine")
class Cosine(Loss):
    """1 - cosine similarity, averaged over rows."""

    summary = "1 - cosine similarity: the direction"

    @staticmethod
    def compute(projections, codes, scale, settings):
        from torch.nn import functional

        return 1 - functional.cosine_similarity(projections, codes).mean()


@LOSSES.register("norm")
class Norm(Loss):
    """Squared difference of the logarithms of norms, averaged over rows."""

    summary = "squared difference of log norms: the length"

    @staticmethod
    def compute(projections, codes, scale, settings):
        lengths = [rows.norm(dim=1).clamp_min(1e-12).log() for rows in (projections, codes)]
        return (lengths[0] - lengths[1]).square().mean()
