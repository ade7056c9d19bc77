"""The sampler `flow`: its network, training (Lipman et al. 2023) and sampling."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from wsl.files.plain import Files, write_csv
from wsl.files.tensors import read_tensors, write_tensors
from wsl.jobs.job import Job
from wsl.sampling.methods.flow import FlowSettings
from wsl.shared.pairs import Pairs, load_pairs
from wsl.shared.predictor import ConditionalPredictor, load_predictor
from wsl.training.fitting import Standardiser, fit, mlp
from wsl.training.recipe import ImageCounts
from wsl.weights.coefficients import owners

FREQUENCIES = 8  # of the waves that represent time and outcome
# Each validation row is evaluated at this many fixed times of the flow with fixed noise. With a single random time,
# noise would decide which state has the lowest loss.
TIMES = 8


class WaveFeatures(nn.Module):
    """u -> [u, cos(pi k u), sin(pi k u)] for k = 1 to ``frequencies``: resolves small changes of u."""

    def __init__(self, frequencies: int):
        super().__init__()
        self.size = 2 * frequencies + 1
        self.register_buffer("angles", torch.pi * torch.arange(1, frequencies + 1), persistent=False)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return (n, size) of values in 0 to 1 (n,)."""
        column = values.unsqueeze(1)
        return torch.cat([column, (column * self.angles).cos(), (column * self.angles).sin()], dim=1)


class ResidualFlow(nn.Module):
    """A flow from noise to residuals of codes, in coordinates x along their principal components.

    v(x, t, R) = (t - (1 - t)) / (t^2 + (1 - t)^2) x + MLP([x; t; R]). The first term is the best velocity between
    independent Gaussians x_0 and x_1 of equal deviation. Untrained, the flow is the identity.

    It depends on R and not on D: a zoo has few members per dataset, and a flow of both overfits to them.

    Args:
        bins: outcome bins.
        code: size of a code.
        directions: components along which codes differ from predictions.
        hidden: sizes of hidden layers.
        dropout: after each hidden layer.
        frequencies: of the waves that represent t and R.
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
        # A residual is coordinates @ basis; deviations are those of the training residuals' coordinates.
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
        inputs = torch.cat([x, self.waves(t), self.waves(positions.float() / self.last)], dim=1)
        return gaussian.unsqueeze(1) * x + self.mlp(inputs)


def load_flow(path: str | Path) -> ResidualFlow:
    """Load a trained flow, in evaluation mode, on the CPU."""
    state, shape = read_tensors(path)
    flow = ResidualFlow(**shape)
    flow.load_state_dict(state)
    return flow.eval()


@torch.no_grad()
def sample_residuals(
    flow: ResidualFlow, positions: np.ndarray, steps: int, temperature: float, seed: int
) -> np.ndarray:
    """Return residuals of codes (n, code), by Heun's method.

    Args:
        flow: from noise to residuals.
        positions: of outcomes on the axis of bins (n,).
        steps: equal steps from noise to residuals.
        temperature: standard deviation of the noise, in units of the residuals' coordinates.
        seed: of the noise.
    """
    outcomes, count, step = torch.from_numpy(positions), len(positions), 1 / steps
    noise = torch.randn((count, len(flow.deviations)), generator=torch.Generator().manual_seed(seed))
    x = temperature * noise * flow.deviations
    for number in range(steps):
        velocity = flow(x, torch.full((count,), number * step), outcomes)
        ahead = flow(x + step * velocity, torch.full((count,), (number + 1) * step), outcomes)
        x = x + step * ((velocity + ahead) / 2)
    return (x @ flow.basis).numpy()


@dataclass(frozen=True)
class FlowFiles:
    """Input files of ``fit_flow``."""

    train: str | Path  # codes of training snapshots, in the space of the predictions
    validation: str | Path  # codes of validation snapshots
    class_means: Files  # one file per class, or a list of them
    bins: str | Path  # outcome bins
    regression: str | Path  # the network that predicts codes


def fit_flow(
    inputs: FlowFiles,
    out: str | Path,
    history: str | Path,
    settings: FlowSettings,
    normalise: str,
    image_counts: ImageCounts,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Train the flow: with noise x_0, residual x_1 and t uniform in 0 to 1, v(x_0 + t (x_1 - x_0), t) fits x_1 - x_0.

    Args:
        inputs: codes, conditions and the network that predicts codes.
        out: safetensors file of the flow.
        history: CSV, one row per epoch.
        settings: of the network and its training.
        normalise: how codes are scaled, see ``wsl.training.fitting.Standardiser.fit``.
        image_counts: see ``wsl.shared.pairs.load_pairs``.
        job: seed of initial weights, batches, noise, times, dropout and image counts.
    """
    device = job.device
    network = load_predictor(inputs.regression).to(device)
    pairs = {
        part: load_pairs(path, inputs.class_means, inputs.bins, network.shape["space"], image_counts).to(device)
        for part, path in (("train", inputs.train), ("validation", inputs.validation))
    }
    train, rows = pairs["train"], len(pairs["validation"])
    units = Standardiser(train.codes.shape[1]).to(device)
    units.fit(train.codes, normalise, owners(inputs.train, normalise))
    torch.manual_seed(job.seed)
    residuals = _residuals(network, train) / units.scale
    directions = min(settings.directions, *residuals.shape)
    _, singular, principal = torch.svd_lowrank(residuals, q=directions, niter=4)
    shape = network.shape["bins"], train.codes.shape[1], directions
    flow = ResidualFlow(*shape, settings.hidden, settings.dropout, FREQUENCIES).to(device)
    flow.basis.copy_(principal.T * units.scale)
    flow.deviations.copy_(singular / len(residuals) ** 0.5)
    fixed_noise = torch.randn(rows * TIMES, directions)
    fixed_times = (torch.randperm(rows * TIMES) + 0.5) / (rows * TIMES)

    def loss_of(part: str, indices: torch.Tensor) -> torch.Tensor:
        training = part == "train"
        chosen = (indices if training else indices % rows).to(device)
        datasets, positions, codes = pairs[part].batch(chosen, random=training)
        with torch.no_grad():
            ends = (codes - network(datasets, positions)) / units.scale @ principal
        noise = torch.randn(ends.shape) if training else fixed_noise[indices]
        times = (torch.rand(len(ends)) if training else fixed_times[indices]).to(device)
        noise = noise.to(device) * flow.deviations
        path = ends - noise
        return (flow(noise + times.unsqueeze(1) * path, times, positions) - path).square().mean()

    counts = {"train": len(train), "validation": rows * TIMES}
    write_csv(history, fit(flow, loss_of, counts, settings, job.seed, progress=job.progress))
    write_tensors(out, flow.state_dict(), flow.shape)


@torch.no_grad()
def _residuals(network: ConditionalPredictor, pairs: Pairs) -> torch.Tensor:
    """Return codes minus their predictions (n, code), each row with its fixed count of images."""
    residuals = []
    for rows in torch.arange(len(pairs), device=pairs.codes.device).split(1024):
        datasets, positions, codes = pairs.batch(rows, random=False)
        residuals.append(codes - network(datasets, positions))
    return torch.cat(residuals)
