"""The shared encoder: (z_D, outcome bin) -> z_proj in the weight latent space (section 3.3)."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from wsl.fitting import mlp
from wsl.tensors import read_tensors


class SharedEncoder(nn.Module):
    """z_proj = MLP([z_D; z_R]), with z_R the learned embedding of the outcome bin (sections 3.2.3, 3.3).

    Args:
        dataset: numbers in z_D.
        bins: outcome bins.
        latent: numbers in z_W.
        outcome_embedding: numbers in z_R.
        hidden: sizes of hidden layers.
        dropout: after each.
    """

    def __init__(
        self, dataset: int, bins: int, latent: int, outcome_embedding: int, hidden: Sequence[int], dropout: float
    ):
        super().__init__()
        self.shape = {
            "dataset": dataset,
            "bins": bins,
            "latent": latent,
            "outcome_embedding": outcome_embedding,
            "hidden": list(hidden),
            "dropout": dropout,
        }
        self.outcomes = nn.Embedding(bins, outcome_embedding)
        self.mlp = mlp([dataset + outcome_embedding, *hidden, latent], dropout)
        self.register_buffer("mean", torch.zeros(dataset))
        self.register_buffer("scale", torch.ones(dataset))
        # Mean norm of the training latents: NT-Xent fixes a projection's direction, a decoder needs its length too.
        self.register_buffer("latent_norm", torch.ones(()))

    def standardise_by(self, training: torch.Tensor) -> None:
        """Standardise z_D by training embeddings (n, dataset)."""
        self.mean.copy_(training.mean(0))
        deviation = training.std(0, correction=0)
        self.scale.copy_(torch.where(deviation > 0, deviation, 1.0))

    def forward(self, datasets: torch.Tensor, bins: torch.Tensor) -> torch.Tensor:
        """Return z_proj (n, latent) of z_D (n, dataset) and outcome bins (n,)."""
        standardised = (datasets - self.mean) / self.scale
        return self.mlp(torch.cat([standardised, self.outcomes(bins)], dim=1))


def load_shared(path: str | Path) -> SharedEncoder:
    """Load a trained shared encoder, in evaluation mode, on the CPU."""
    state, shape = read_tensors(path)
    module = SharedEncoder(**shape)
    module.load_state_dict(state)
    return module.eval()
