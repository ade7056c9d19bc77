"""Train the shared encoder (section 3.3) and compare its projections with weight latents (figure 4.3)."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from wsl.files import Files, write_csv
from wsl.fitting import fit
from wsl.ntxent import chance_loss
from wsl.outcomes.bins import read_bins
from wsl.progress import NOWHERE, Progress
from wsl.recipe import Recipe
from wsl.shared.encoder import SharedEncoder, load_shared
from wsl.shared.losses import mixed_loss
from wsl.shared.pairs import first_members, load_pairs
from wsl.tensors import write_tensors
from wsl.weights.coefficients import owners


def train_shared(
    train: str | Path,
    validation: str | Path,
    class_means: Files,
    bins: str | Path,
    out: str | Path,
    history: str | Path,
    outcome_embedding: int,
    hidden: Sequence[int],
    dropout: float,
    temperature: float,
    symmetric: bool,
    standardise: bool,
    losses: dict[str, float],
    recipe: dict[str, Any],
    seed: int,
    space: str = "latent",
    image_counts: Sequence[int] = (),
    normalise: str = "per-coefficient",
    device: str = "cpu",
    progress: Progress = NOWHERE,
) -> None:
    """Train the shared encoder with losses between z_proj and codes of weights, which stay as they are.

    Args:
        train, validation: files of codes of the two parts.
        class_means: a file a class, or a list of them.
        bins: outcome bins.
        out: safetensors file of the best state by validation loss.
        history: CSV, a row an epoch, with the loss at chance for a full batch of each part where NT-Xent is the only
            loss (the others have no such value, NaN).
        outcome_embedding, hidden, dropout: see ``SharedEncoder``.
        temperature, symmetric: see ``nt_xent``.
        standardise: standardise z_D by its training statistics.
        losses: their weights, see ``mixed_loss``.
        recipe: see ``wsl.recipe.Recipe``.
        seed: of initial weights, batches, dropout and counts of images.
        space, image_counts: see ``load_pairs``.
        normalise: of codes, where errors are squared, see ``wsl.fitting.Standardiser.fit``.
        device: ``cpu`` or ``cuda``.
        progress: keeps states of the fit, and gives the one to go on from.
    """
    files = {"train": train, "validation": validation}
    parts = {part: load_pairs(path, class_means, bins, space, image_counts).to(device) for part, path in files.items()}
    datasets, codes = parts["train"].datasets.flatten(0, 1), parts["train"].codes
    shape = datasets.shape[1], len(read_bins(bins).counts), codes.shape[1]
    torch.manual_seed(seed)
    module = SharedEncoder(*shape, outcome_embedding, hidden, dropout, space).to(device)
    if standardise:
        module.datasets.fit(datasets)
    if losses.get("mse"):  # an error in units of the codes needs outputs of that size; a direction does not
        module.codes.fit(codes, normalise, owners(train, normalise))
    module.code_norm.copy_(codes.norm(dim=1).mean())

    def loss_of(part: str, indices: torch.Tensor) -> torch.Tensor:
        datasets, positions, codes = parts[part].batch(indices.to(device), random=part == "train")
        return mixed_loss(module(datasets, positions), codes, module.codes.scale, losses, temperature, symmetric)

    table = fit(
        module, loss_of, {part: len(pairs) for part, pairs in parts.items()}, Recipe(**recipe), seed, progress=progress
    )
    contrastive = not any(weight for name, weight in losses.items() if name != "nt_xent")
    for part, pairs in parts.items():
        chance = chance_loss(min(len(pairs), recipe["batch_size"]))
        table[f"{part}_chance"] = losses["nt_xent"] * chance if contrastive else math.nan
    write_csv(history, table)
    write_tensors(out, module.state_dict(), module.shape)


@torch.no_grad()
def write_similarities(
    latents: Sequence[str | Path],
    class_means: Files,
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
        pairs = load_pairs(path, class_means, bins)
        first = first_members(pairs.snapshots, members)
        chosen = np.flatnonzero(first & (pairs.snapshots["order"] == 0))
        datasets, positions, latents = pairs.batch(torch.from_numpy(chosen), random=False)
        snapshots = pairs.snapshots.iloc[chosen].reset_index(drop=True)
        projections = functional.normalize(module(datasets, positions), dim=1)
        cosine = (functional.normalize(latents, dim=1) @ projections.T).numpy()
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
