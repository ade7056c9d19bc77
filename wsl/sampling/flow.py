"""Sampling by a flow from noise to codes: many models for one condition (Lipman et al. 2023)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from wsl.fitting import Standardiser, mlp
from wsl.outcomes.bins import OutcomeBins
from wsl.tensors import read_tensors


class WaveFeatures(nn.Module):
    """u -> [u, cos(pi k u), sin(pi k u)] for k = 1 to ``frequencies``: what an MLP can tell small steps of u by."""

    def __init__(self, frequencies: int):
        super().__init__()
        self.size = 2 * frequencies + 1
        self.register_buffer("angles", torch.pi * torch.arange(1, frequencies + 1), persistent=False)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return (n, size) of values in 0 to 1 (n,)."""
        column = values.unsqueeze(1)
        return torch.cat([column, (column * self.angles).cos(), (column * self.angles).sin()], dim=1)


class VelocityField(nn.Module):
    """Velocity of a standardised code x at time t, given z_D and R: MLP([x; t; z_D; R; known]).

    Args:
        dataset: numbers in z_D.
        bins: outcome bins.
        code: numbers in a code.
        hidden: sizes of hidden layers.
        dropout: after each.
        frequencies: of waves by which it sees t and R.
        space: what its codes are: ``latent`` (z_W) or ``coefficients`` (C_m).
    """

    def __init__(
        self, dataset: int, bins: int, code: int, hidden: Sequence[int], dropout: float, frequencies: int, space: str
    ):
        super().__init__()
        self.shape = {
            "dataset": dataset,
            "bins": bins,
            "code": code,
            "hidden": list(hidden),
            "dropout": dropout,
            "frequencies": frequencies,
            "space": space,
        }
        self.last = max(bins - 1, 1)
        self.waves = WaveFeatures(frequencies)
        self.datasets, self.codes = Standardiser(dataset), Standardiser(code)
        self.mlp = mlp([code + dataset + 2 * self.waves.size + 1, *hidden, code], dropout)

    def forward(
        self, x: torch.Tensor, t: torch.Tensor, datasets: torch.Tensor, positions: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """Return velocities (n, code).

        Args:
            x: (n, code), standard units.
            t: 0 (noise) to 1 (codes) (n,).
            datasets: z_D (n, dataset).
            positions: of outcomes on the axis of bins (n,).
            known: 1 where the condition may be seen, 0 where it is hidden (n,).
        """
        seen = known.unsqueeze(1)
        condition = torch.cat([self.datasets(datasets), self.waves(positions.float() / self.last)], dim=1)
        return self.mlp(torch.cat([x, self.waves(t), condition * seen, seen], dim=1))


def load_flow(path: str | Path) -> VelocityField:
    """Load a trained field, in evaluation mode, on the CPU."""
    state, shape = read_tensors(path)
    field = VelocityField(**shape)
    field.load_state_dict(state)
    return field.eval()


class FlowSampler:
    """Codes at the end of a flow that starts from the seed's noise.

    Args:
        field: velocities.
        bins: of outcomes.
        steps: from noise to codes, equal ones.
        method: ``euler``, or ``heun``, which looks at the velocity twice a step.
        guidance: how far to go from the velocity without a condition towards the one with it (Ho and Salimans 2022);
            1 is there.
        temperature: deviation of the noise; below 1 codes lie nearer to the middle of what was learnt.
    """

    def __init__(
        self, field: VelocityField, bins: OutcomeBins, steps: int, method: str, guidance: float, temperature: float
    ):
        self.field, self.bins, self.steps, self.method, self.guidance = field, bins, steps, method, guidance
        self.temperature = temperature
        self.space = field.shape["space"]

    @torch.no_grad()
    def codes(self, datasets: np.ndarray, losses: np.ndarray, seed: int = 0) -> np.ndarray:
        """Return codes (n, code), see ``Sampler.codes``."""
        condition = torch.from_numpy(datasets), torch.from_numpy(self.bins.position(losses))
        generator = torch.Generator().manual_seed(seed)
        x = self.temperature * torch.randn((len(datasets), self.field.shape["code"]), generator=generator)
        step = 1 / self.steps
        for number in range(self.steps):
            velocity = self._velocity(x, number * step, *condition)
            if self.method == "heun":
                ahead = self._velocity(x + step * velocity, (number + 1) * step, *condition)
                velocity = (velocity + ahead) / 2
            x = x + step * velocity
        return self.field.codes.inverse(x).numpy()

    def _velocity(self, x: torch.Tensor, t: float, datasets: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        times, known = torch.full((len(x),), t), torch.ones(len(x))
        velocity = self.field(x, times, datasets, positions, known)
        if self.guidance == 1:
            return velocity
        plain = self.field(x, times, datasets, positions, torch.zeros(len(x)))
        return plain + self.guidance * (velocity - plain)
