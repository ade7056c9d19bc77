"""The NT-Xent loss of the thesis (eq. 2.7; Chen et al. 2020)."""

import math

import torch
from torch.nn import functional


def nt_xent(
    projections: torch.Tensor, weights: torch.Tensor, temperature: float, symmetric: bool = True
) -> torch.Tensor:
    """Return the normalised temperature-scaled cross entropy of N positive pairs.

    For an anchor i with its positive j among the 2N embeddings of the batch (N projections, N weight latents),

        L_ij = -log( exp(sim(z_i, z_j) / tau) / sum over k != i of exp(sim(z_i, z_k) / tau) )

    with cosine similarity; the negatives include embeddings of the same kind as the anchor.

    Args:
        projections: z_proj (N, dimension).
        weights: z_W (N, dimension); row i belongs to projection i.
        temperature: tau.
        symmetric: average over both anchors of each pair (2N terms); otherwise over projections as anchors (N terms).
    """
    count = len(projections)
    embeddings = functional.normalize(torch.cat([projections, weights]), dim=1)
    logits = embeddings @ embeddings.T / temperature
    logits = logits.masked_fill(torch.eye(2 * count, dtype=torch.bool, device=logits.device), -torch.inf)
    anchors = 2 * count if symmetric else count
    positives = (torch.arange(anchors, device=logits.device) + count) % (2 * count)
    return functional.cross_entropy(logits[:anchors], positives)


def chance_loss(pairs: int) -> float:
    """Return the loss of equal embeddings, for a batch of ``pairs`` pairs."""
    return math.log(2 * pairs - 1)
