"""Sampling around a prediction: a flow makes what the condition leaves open (Lipman et al. 2023)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from wsl.fitting import mlp
from wsl.outcomes.bins import OutcomeBins
from wsl.shared.predictor import ConditionalPredictor
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


class ResidualFlow(nn.Module):
    """A flow from noise to residuals of codes, in coordinates x along their principal directions.

    Between independent Gaussians of one deviation, x_0 and x_1, the best velocity (t - (1 - t)) / (t^2 + (1 - t)^2) x_t
    is known; the network adds to it: v(x, t, R) = that + MLP([x; t; R]). As it is made, the flow ends where it began.

    What it makes depends on R and not on D: a zoo knows each dataset from few members, and a flow that sees both learns
    these members by heart.

    Args:
        bins: outcome bins.
        code: numbers in a code.
        directions: along which codes differ from predictions.
        hidden: sizes of hidden layers.
        dropout: after each.
        frequencies: of waves by which it sees t and R.
    """

    def __init__(self, bins: int, code: int, directions: int, hidden: Sequence[int], dropout: float, frequencies: int):
        super().__init__()
        self.shape = {
            "bins": bins,
            "code": code,
            "directions": directions,
            "hidden": list(hidden),
            "dropout": dropout,
            "frequencies": frequencies,
        }
        self.last = max(bins - 1, 1)
        self.waves = WaveFeatures(frequencies)
        self.mlp = mlp([directions + 2 * self.waves.size, *hidden, directions], dropout)
        nn.init.zeros_(self.mlp[-1].weight)
        nn.init.zeros_(self.mlp[-1].bias)
        # A residual is coordinates @ basis; of training residuals, each coordinate has its deviation.
        self.register_buffer("basis", torch.zeros(directions, code))
        self.register_buffer("deviations", torch.ones(directions))

    def forward(self, x: torch.Tensor, t: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return velocities (n, directions).

        Args:
            x: (n, directions).
            t: 0 (noise) to 1 (residuals) (n,).
            positions: of outcomes on the axis of bins (n,).
        """
        gaussian = (2 * t - 1) / (t.square() + (1 - t).square())
        seen = torch.cat([x, self.waves(t), self.waves(positions.float() / self.last)], dim=1)
        return gaussian.unsqueeze(1) * x + self.mlp(seen)


def load_flow(path: str | Path) -> ResidualFlow:
    """Load a trained flow, in evaluation mode, on the CPU."""
    state, shape = read_tensors(path)
    flow = ResidualFlow(**shape)
    flow.load_state_dict(state)
    return flow.eval()


class FlowSampler:
    """A prediction, and beside it what a flow makes of the seed's noise.

    Args:
        network: predicts codes from (z_D, outcome), see ``wsl.sampling.regression``.
        flow: of what predictions leave open.
        bins: of outcomes.
        steps: from noise to residuals, equal ones.
        method: ``euler``, or ``heun``, which looks at the velocity twice a step.
        temperature: deviation of the noise; below 1 codes lie nearer to the prediction, at 0 they are it.
    """

    def __init__(
        self,
        network: ConditionalPredictor,
        flow: ResidualFlow,
        bins: OutcomeBins,
        steps: int,
        method: str,
        temperature: float,
    ):
        self.network, self.flow, self.bins = network, flow, bins
        self.steps, self.method, self.temperature = steps, method, temperature
        self.space = network.shape["space"]

    @torch.no_grad()
    def codes(self, datasets: np.ndarray, losses: np.ndarray, seed: int = 0) -> np.ndarray:
        """Return codes (n, code), see ``Sampler.codes``."""
        positions = torch.from_numpy(self.bins.position(losses))
        predicted = self.network(torch.from_numpy(datasets), positions)
        if self.temperature:
            predicted = predicted + self._coordinates(positions, seed) @ self.flow.basis
        return predicted.numpy()

    def _coordinates(self, positions: torch.Tensor, seed: int) -> torch.Tensor:
        count, step = len(positions), 1 / self.steps
        noise = torch.randn((count, len(self.flow.deviations)), generator=torch.Generator().manual_seed(seed))
        x = self.temperature * noise * self.flow.deviations
        for number in range(self.steps):
            velocity = self.flow(x, torch.full((count,), number * step), positions)
            if self.method == "heun":
                ahead = self.flow(x + step * velocity, torch.full((count,), (number + 1) * step), positions)
                velocity = (velocity + ahead) / 2
            x = x + step * velocity
        return x
