"""The network (z_D, outcome) -> code of weights: the shared encoder (section 3.3), and that of `regression`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from wsl.files.tensors import read_tensors
from wsl.training.fitting import Standardiser, mlp


class ConditionalPredictor(nn.Module):
    """z_proj = MLP([z_D; z_R]), with z_R the learned embedding of the outcome bin (sections 3.2.3, 3.3).

    ``dataset``, ``code`` and ``outcome_embedding`` are the sizes of z_D, a code and z_R, ``bins`` is the number of
    bins. ``space``: whether codes are z_W (``latent``, the thesis) or C_m (``coefficients``).
    """

    def __init__(
        self,
        dataset: int,
        bins: int,
        code: int,
        outcome_embedding: int,
        hidden: Sequence[int],
        dropout: float,
        space: str = "latent",
    ):
        super().__init__()
        self.shape = {"dataset": dataset, "bins": bins, "code": code, "outcome_embedding": outcome_embedding}
        self.shape |= {"hidden": list(hidden), "dropout": dropout, "space": space}
        self.outcomes = nn.Embedding(bins, outcome_embedding)
        self.mlp = mlp([dataset + outcome_embedding, *hidden, code], dropout)
        self.datasets, self.codes = Standardiser(dataset), Standardiser(code)
        # Mean norm of the training codes: NT-Xent fixes a projection's direction, a decoder needs its length too.
        self.register_buffer("code_norm", torch.ones(()))

    def outcome(self, positions: torch.Tensor) -> torch.Tensor:
        """Return z_R (n, outcome_embedding) of bins (n,), or interpolated between bins at float positions (n,)."""
        if not positions.is_floating_point():
            return self.outcomes(positions)
        low, high = positions.floor(), positions.ceil()
        share = (positions - low).unsqueeze(1)
        return torch.lerp(self.outcomes(low.long()), self.outcomes(high.long()), share)

    def forward(self, datasets: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return z_proj (n, code), in the units of the codes, of z_D (n, dataset) and outcome positions (n,)."""
        joined = torch.cat([self.datasets(datasets), self.outcome(positions)], dim=1)
        return self.codes.inverse(self.mlp(joined))

    @torch.no_grad()
    def predict(self, datasets: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return ``forward`` of arrays as an array."""
        return self(torch.from_numpy(datasets), torch.from_numpy(positions)).numpy()


def load_predictor(path: str | Path) -> ConditionalPredictor:
    """Load a trained predictor, in evaluation mode, on the CPU."""
    state, shape = read_tensors(path)
    module = ConditionalPredictor(**shape)
    module.load_state_dict(state)
    return module.eval()
