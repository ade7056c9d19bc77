"""What the training of every weight encoder has in common: the loop, states kept over it, and files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from wsl.files import write_csv
from wsl.fitting import fit
from wsl.progress import NOWHERE, Progress
from wsl.recipe import Recipe
from wsl.tensors import write_tensors
from wsl.weights.encoders.base import States, WeightEncoder, write_states


def checkpoint_epochs(epochs: int, count: int) -> list[int]:
    """Return about ``count`` epochs from 0 to ``epochs``, spread geometrically: most changes early."""
    spread = np.geomspace(epochs, 1, max(count - 1, 1)).round().astype(int)  # of two, the other is the last
    return sorted({0, *spread.tolist()})


def train_encoder(
    encoder: WeightEncoder,
    loss_of: Callable[[str, torch.Tensor], torch.Tensor],
    counts: dict[str, int],
    out: str | Path,
    history: str | Path,
    checkpoints: str | Path,
    checkpoint_count: int,
    recipe: Recipe,
    seed: int,
    finish: Callable[[], None] = lambda: None,
    trained: nn.Module | None = None,
    progress: Progress = NOWHERE,
) -> None:
    """Train an encoder and write it, its history and its states over the training.

    Args:
        encoder: trained in place.
        loss_of, counts: see ``wsl.fitting.fit``.
        out: safetensors file of the state that the recipe keeps.
        history: CSV, a row an epoch.
        checkpoints: safetensors file of the states at ``checkpoint_epochs`` and of the one in ``out``.
        checkpoint_count: states kept.
        recipe: see ``wsl.recipe.Recipe``.
        seed: of batches and dropout.
        trained: a module that holds the encoder and what is trained with it and not kept; None: the encoder alone.
        progress: keeps states of the fit, and gives the one to go on from.
        finish: fits, in closed form, what follows on what is trained; called before a state is kept.
    """
    wanted = checkpoint_epochs(recipe.epochs, checkpoint_count)
    states: States = {}

    def keep(epoch: int) -> None:
        finish()
        states[epoch] = {name: value.cpu().clone() for name, value in encoder.state_dict().items()}

    module = encoder if trained is None else trained
    if any(True for _ in module.parameters()):
        losses = fit(
            module, loss_of, counts, recipe, seed, lambda epoch: keep(epoch) if epoch in wanted else None,
            progress, states,
        )  # fmt: skip
    else:
        losses = pd.DataFrame([{"epoch": 0, **_losses(loss_of, counts), "kept": True}])
    keep(int(losses.loc[losses["kept"], "epoch"].iloc[0]))
    write_csv(history, losses)
    write_states(checkpoints, states, encoder.about)
    write_tensors(out, encoder.state_dict(), encoder.about)


@torch.no_grad()
def _losses(loss_of: Callable[[str, torch.Tensor], torch.Tensor], counts: dict[str, int]) -> dict[str, float]:
    return {f"{part}_loss": loss_of(part, torch.arange(count)).item() for part, count in counts.items()}
