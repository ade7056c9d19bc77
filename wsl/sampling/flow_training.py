"""Train the flow of residuals by matching straight paths from noise to them (Lipman et al. 2023)."""

from collections.abc import Sequence
from pathlib import Path

import torch

from wsl.files import Files, write_csv
from wsl.fitting import Standardiser, fit
from wsl.progress import NOWHERE, Progress
from wsl.recipe import Recipe
from wsl.sampling.flow import ResidualFlow
from wsl.shared.pairs import Pairs, load_pairs
from wsl.shared.predictor import ConditionalPredictor, load_predictor
from wsl.tensors import write_tensors
from wsl.weights.coefficients import owners

# A validation row is seen at so many times of the flow, always the same with the same noise: the loss of one random
# time is so noisy that the state of lowest loss would be the luckiest one.
TIMES = 8


def fit_flow(
    train: str | Path,
    validation: str | Path,
    class_means: Files,
    bins: str | Path,
    regression: str | Path,
    out: str | Path,
    history: str | Path,
    normalise: str,
    image_counts: Sequence[int],
    directions: int,
    hidden: Sequence[int],
    dropout: float,
    frequencies: int,
    recipe: Recipe,
    seed: int,
    device: str = "cpu",
    progress: Progress = NOWHERE,
) -> None:
    """Train the flow: with noise x_0, residual x_1, t even in 0 to 1, let v(x_0 + t (x_1 - x_0), t) be x_1 - x_0.

    Args:
        train, validation: files of codes of the two parts, in the space of the predictions.
        class_means: a file a class, or a list of them.
        bins: outcome bins.
        regression: the network whose predictions codes are compared with.
        out: safetensors file of the state that the recipe keeps.
        history: CSV, a row an epoch.
        normalise: of codes, where errors are squared, see ``wsl.fitting.Standardiser.fit``.
        image_counts: see ``load_pairs``.
        directions: the most principal directions of training residuals that are kept.
        hidden, dropout, frequencies: see ``ResidualFlow``.
        recipe: see ``wsl.recipe.Recipe``.
        seed: of initial weights, batches, noise, times, dropout and counts of images.
        device: ``cpu`` or ``cuda``.
        progress: keeps states of the fit, and gives the one to go on from.
    """
    network = load_predictor(regression).to(device)
    files, space = {"train": train, "validation": validation}, network.shape["space"]
    parts = {part: load_pairs(path, class_means, bins, space, image_counts).to(device) for part, path in files.items()}
    codes = parts["train"].codes
    units = Standardiser(codes.shape[1]).to(device)
    units.fit(codes, normalise, owners(train, normalise))
    torch.manual_seed(seed)
    residuals = _residuals(network, parts["train"]) / units.scale
    kept = min(directions, *residuals.shape)
    _, singular, principal = torch.svd_lowrank(residuals, q=kept, niter=4)
    flow = ResidualFlow(network.shape["bins"], codes.shape[1], kept, hidden, dropout, frequencies).to(device)
    flow.basis.copy_(principal.T * units.scale)
    flow.deviations.copy_(singular / len(residuals) ** 0.5)
    rows = len(parts["validation"])
    fixed_noise = torch.randn(rows * TIMES, kept)
    fixed_times = (torch.randperm(rows * TIMES) + 0.5) / (rows * TIMES)

    def loss_of(part: str, indices: torch.Tensor) -> torch.Tensor:
        training = part == "train"
        chosen = (indices if training else indices % rows).to(device)
        datasets, positions, codes = parts[part].batch(chosen, random=training)
        with torch.no_grad():
            ends = (codes - network(datasets, positions)) / units.scale @ principal
        noise = torch.randn(ends.shape) if training else fixed_noise[indices]
        times = (torch.rand(len(ends)) if training else fixed_times[indices]).to(device)
        noise = noise.to(device) * flow.deviations
        path = ends - noise
        return (flow(noise + times.unsqueeze(1) * path, times, positions) - path).square().mean()

    table = fit(
        flow,
        loss_of,
        {"train": len(parts["train"]), "validation": rows * TIMES},
        recipe,
        seed,
        progress=progress,
    )
    write_csv(history, table)
    write_tensors(out, flow.state_dict(), flow.shape)


@torch.no_grad()
def _residuals(network: ConditionalPredictor, pairs: Pairs) -> torch.Tensor:
    """Return codes less their predictions (n, code), each row with the count of images that stands for it."""
    parts = []
    for rows in torch.arange(len(pairs), device=pairs.codes.device).split(1024):
        datasets, positions, codes = pairs.batch(rows, random=False)
        parts.append(codes - network(datasets, positions))
    return torch.cat(parts)
