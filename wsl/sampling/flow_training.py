"""Train the flow's velocity field by matching straight paths from noise to codes (Lipman et al. 2023)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from wsl.files import write_csv
from wsl.fitting import fit
from wsl.outcomes.bins import read_bins
from wsl.recipe import Recipe
from wsl.sampling.flow import VelocityField
from wsl.shared.pairs import load_pairs
from wsl.tensors import write_tensors
from wsl.weights.coefficients import owners

# A validation row is seen at so many times of the flow, always the same with the same noise: the loss of one random
# time is so noisy that the state of lowest loss would be the luckiest one.
TIMES = 8


def fit_flow(
    train: str | Path,
    validation: str | Path,
    class_means: Sequence[str | Path],
    bins: str | Path,
    out: str | Path,
    history: str | Path,
    space: str,
    normalise: str,
    image_counts: Sequence[int],
    hidden: Sequence[int],
    dropout: float,
    frequencies: int,
    condition_dropout: float,
    recipe: dict[str, Any],
    seed: int,
    device: str = "cpu",
) -> None:
    """Train the field: with noise x_0, code x_1, t even in 0 to 1, let v(x_0 + t (x_1 - x_0), t) be x_1 - x_0.

    Args:
        train, validation: files of codes of the two parts.
        class_means: a file a class.
        bins: outcome bins.
        out: safetensors file of the best state by validation loss.
        history: CSV, a row an epoch.
        space, image_counts: see ``load_pairs``.
        normalise: of codes, see ``wsl.fitting.Standardiser.fit``.
        hidden, dropout, frequencies: see ``VelocityField``.
        condition_dropout: share of training rows whose condition is hidden, for guidance.
        recipe: see ``wsl.recipe.Recipe``.
        seed: of initial weights, batches, noise, times, dropout and counts of images.
        device: ``cpu`` or ``cuda``.
    """
    files = {"train": train, "validation": validation}
    parts = {part: load_pairs(path, class_means, bins, space, image_counts).to(device) for part, path in files.items()}
    datasets, codes = parts["train"].datasets.flatten(0, 1), parts["train"].codes
    shape = datasets.shape[1], len(read_bins(bins).counts), codes.shape[1]
    torch.manual_seed(seed)
    field = VelocityField(*shape, hidden, dropout, frequencies, space).to(device)
    field.datasets.fit(datasets)
    field.codes.fit(codes, normalise, owners(train, normalise))
    rows = len(parts["validation"])
    fixed_noise, fixed_times = (
        torch.randn(rows * TIMES, shape[2]),
        (torch.randperm(rows * TIMES) + 0.5) / (rows * TIMES),
    )

    def loss_of(part: str, indices: torch.Tensor) -> torch.Tensor:
        training = part == "train"
        chosen = (indices if training else indices % rows).to(device)
        datasets, positions, codes = parts[part].batch(chosen, random=training)
        if training:
            noise, times = torch.randn(codes.shape), torch.rand(len(codes))
            known = (torch.rand(len(codes)) >= condition_dropout).float()
        else:
            noise, times, known = fixed_noise[indices], fixed_times[indices], torch.ones(len(indices))
        noise, times, known = noise.to(device), times.to(device), known.to(device)
        path = field.codes(codes) - noise
        velocity = field(noise + times.unsqueeze(1) * path, times, datasets, positions, known)
        return (velocity - path).square().mean()

    table = fit(field, loss_of, {"train": len(parts["train"]), "validation": rows * TIMES}, Recipe(**recipe), seed)
    write_csv(history, table)
    write_tensors(out, field.state_dict(), field.shape)
