"""Train the shared encoder (section 3.3) and compare its projections with weight latents (figure 4.3)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from wsl.datasets.class_means import ClassMeans
from wsl.files import write_csv
from wsl.fitting import fit
from wsl.outcomes.bins import read_bins
from wsl.recipe import Recipe
from wsl.shared.encoder import SharedEncoder, load_shared
from wsl.shared.ntxent import chance_loss, nt_xent
from wsl.tensors import write_tensors
from wsl.weights.codec import read_latents


def load_pairs(
    latents: str | Path, class_means: Sequence[str | Path], bins: str | Path
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, pd.DataFrame]:
    """Return z_D (n, dataset), outcome bins (n,), z_W (n, latent) and the snapshots' table of one part."""
    values, snapshots = read_latents(latents)
    datasets = ClassMeans(class_means).embed(snapshots["task"])
    outcomes = read_bins(bins).bin(snapshots["validation_loss"].to_numpy())
    return torch.from_numpy(datasets), torch.from_numpy(outcomes), torch.from_numpy(values), snapshots


def train_shared(
    train: str | Path,
    validation: str | Path,
    class_means: Sequence[str | Path],
    bins: str | Path,
    out: str | Path,
    history: str | Path,
    outcome_embedding: int,
    hidden: Sequence[int],
    dropout: float,
    temperature: float,
    symmetric: bool,
    standardise: bool,
    recipe: dict[str, Any],
    seed: int,
    device: str = "cpu",
) -> None:
    """Train the shared encoder with NT-Xent between z_proj and z_W; the latents stay as they are.

    Args:
        train, validation: latent files of the two parts.
        class_means: a file a class.
        bins: outcome bins.
        out: safetensors file of the best state by validation loss.
        history: CSV, a row an epoch, with the loss at chance for a full batch of each part.
        outcome_embedding, hidden, dropout: see ``SharedEncoder``.
        temperature, symmetric: see ``nt_xent``.
        standardise: standardise z_D by its training statistics.
        recipe: see ``wsl.recipe.Recipe``.
        seed: of initial weights, batches and dropout.
        device: ``cpu`` or ``cuda``.
    """
    parts = {"train": train, "validation": validation}
    data = {part: [t.to(device) for t in load_pairs(path, class_means, bins)[:3]] for part, path in parts.items()}
    datasets, _, latents = data["train"]
    torch.manual_seed(seed)
    module = SharedEncoder(
        datasets.shape[1], len(read_bins(bins).counts), latents.shape[1], outcome_embedding, hidden, dropout
    ).to(device)
    if standardise:
        module.standardise_by(datasets)
    module.latent_norm.copy_(latents.norm(dim=1).mean())

    def loss_of(part: str, indices: torch.Tensor) -> torch.Tensor:
        datasets, outcomes, latents = (tensor[indices.to(device)] for tensor in data[part])
        return nt_xent(module(datasets, outcomes), latents, temperature, symmetric)

    counts = {part: len(tensors[0]) for part, tensors in data.items()}
    losses = fit(module, loss_of, counts, Recipe(**recipe), seed)
    for part, count in counts.items():
        losses[f"{part}_chance"] = chance_loss(min(count, recipe["batch_size"]))
    write_csv(history, losses)
    write_tensors(out, module.state_dict(), module.shape)


@torch.no_grad()
def write_similarities(
    latents: Sequence[str | Path],
    class_means: Sequence[str | Path],
    bins: str | Path,
    shared: str | Path,
    out: str | Path,
    members: int,
) -> None:
    """Write cosine similarities of z_W (max snapshots) and z_proj (early and max) for a few members of each part.

    Args:
        latents: latent files, named after their parts (``train.h5``, ``test.h5``).
        members: how many members of each, the first.
        out: CSV with ``part``, ``weights_member``, ``pair_member``, ``pair_snapshot``, ``cosine``.
    """
    module, rows = load_shared(shared), []
    for path in latents:
        datasets, outcomes, values, snapshots = load_pairs(path, class_means, bins)
        first = snapshots["member"].isin(np.unique(snapshots["member"])[:members])
        chosen = (first & (snapshots["order"] == 0)).to_numpy(copy=True)
        datasets, outcomes, values = datasets[chosen], outcomes[chosen], values[chosen]
        snapshots = snapshots[chosen].reset_index(drop=True)
        projections = functional.normalize(module(datasets, outcomes), dim=1)
        cosine = (functional.normalize(values, dim=1) @ projections.T).numpy()
        for i, weights_of in snapshots.iterrows():
            for j, pair in snapshots.iterrows():
                if weights_of["snapshot"] == "max":
                    rows.append(
                        {
                            "part": Path(path).stem,
                            "weights_member": weights_of["member"],
                            "pair_member": pair["member"],
                            "pair_snapshot": pair["snapshot"],
                            "cosine": cosine[i, j],
                        }
                    )
    write_csv(out, pd.DataFrame(rows))
