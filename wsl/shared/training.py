"""Fit networks that predict codes of weights from (D, R), such as the shared encoder (section 3.3)."""

from pathlib import Path

import torch

from wsl.files.plain import Files, write_csv
from wsl.files.tensors import write_tensors
from wsl.jobs.job import Job
from wsl.outcomes.bins import read_bins
from wsl.shared.losses.base import chance_of, total_loss
from wsl.shared.pairs import load_pairs
from wsl.shared.predictor import ConditionalPredictor
from wsl.shared.settings import Predictor, Shared
from wsl.training.fitting import fit
from wsl.weights.coefficients import owners


def train_shared(
    train: str | Path,
    validation: str | Path,
    class_means: Files,
    bins: str | Path,
    out: str | Path,
    history: str | Path,
    settings: Shared,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Fit the shared encoder; see ``fit_predictor``."""
    fit_predictor(train, validation, class_means, bins, out, history, settings, job)


def fit_predictor(
    train: str | Path,
    validation: str | Path,
    class_means: Files,
    bins: str | Path,
    out: str | Path,
    history: str | Path,
    settings: Predictor,
    job: Job,
) -> None:
    """Fit a network with losses between its predictions and fixed codes of weights.

    Args:
        train: codes of training snapshots.
        validation: codes of validation snapshots.
        class_means: one file per class, or a list of them.
        bins: outcome bins.
        out: safetensors file of the state that the recipe keeps.
        history: CSV, one row per epoch, with ``chance_of`` a full batch of each part.
        settings: of the network, its losses and its training.
        job: its seed is that of initial weights, batches, dropout and counts of images.
    """
    device, parts = job.device, {}
    for part, path in (("train", train), ("validation", validation)):
        parts[part] = load_pairs(path, class_means, bins, settings.space, settings.image_counts).to(device)
    datasets, codes = parts["train"].datasets.flatten(0, 1), parts["train"].codes
    sizes = datasets.shape[1], len(read_bins(bins).counts), codes.shape[1], settings.outcome_embedding
    torch.manual_seed(job.seed)
    module = ConditionalPredictor(*sizes, settings.hidden, settings.dropout, settings.space).to(device)
    if settings.standardise:
        module.datasets.fit(datasets)
    if any(loss.compares_values for loss, _ in settings.losses.used()):
        module.codes.fit(codes, settings.normalise, owners(train, settings.normalise))
    module.code_norm.copy_(codes.norm(dim=1).mean())

    def loss_of(part: str, indices: torch.Tensor) -> torch.Tensor:
        datasets, positions, codes = parts[part].batch(indices.to(device), random=part == "train")
        return total_loss(module(datasets, positions), codes, module.codes.scale, settings.losses)

    counts = {part: len(pairs) for part, pairs in parts.items()}
    chance = {
        f"{part}_chance": chance_of(min(count, settings.batch_size), settings.losses) for part, count in counts.items()
    }
    write_csv(history, fit(module, loss_of, counts, settings, job.seed, lambda epoch: chance, job.progress))
    write_tensors(out, module.state_dict(), module.shape)
