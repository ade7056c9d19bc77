"""Losses between projections and codes of weights, and their weighted sum."""

import torch
from torch.nn import functional

from wsl.ntxent import nt_xent


def mse_loss(projections: torch.Tensor, codes: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error over codes (n, code) in units of their training deviations ``scale`` (code,)."""
    return ((projections - codes) / scale).square().mean()


def cosine_loss(projections: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Return 1 - cosine similarity, averaged over rows."""
    return 1 - functional.cosine_similarity(projections, codes).mean()


def norm_loss(projections: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Return the squared difference of the logarithms of norms, averaged over rows."""
    own, wanted = (rows.norm(dim=1).clamp_min(1e-12).log() for rows in (projections, codes))
    return (own - wanted).square().mean()


def mixed_loss(
    projections: torch.Tensor,
    codes: torch.Tensor,
    scale: torch.Tensor,
    weights: dict[str, float],
    temperature: float,
    symmetric: bool,
) -> torch.Tensor:
    """Return the weighted sum of losses between rows that belong together.

    Args:
        projections, codes: (n, code), in the codes' own units.
        scale: see ``mse_loss``.
        weights: of ``nt_xent``, ``mse``, ``cosine``, ``norm``; what has none or 0 is not computed.
        temperature, symmetric: see ``nt_xent``.
    """
    losses = {
        "nt_xent": lambda: nt_xent(projections, codes, temperature, symmetric),
        "mse": lambda: mse_loss(projections, codes, scale),
        "cosine": lambda: cosine_loss(projections, codes),
        "norm": lambda: norm_loss(projections, codes),
    }
    return sum(weight * losses[name]() for name, weight in weights.items() if weight)
