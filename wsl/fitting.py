"""What all encoders are made of, and their training loop: AdamW, schedule, early stopping, history."""

import copy
import itertools
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from wsl.progress import NOWHERE, Progress, keep, resume
from wsl.recipe import Recipe

log = logging.getLogger(__name__)


def mlp(sizes: Sequence[int], dropout: float) -> nn.Sequential:
    """Return Linear layers through ``sizes`` with ReLU and dropout between; two sizes make one linear map."""
    layers: list[nn.Module] = []
    for into, out in itertools.pairwise(sizes):
        layers.extend([nn.Linear(into, out), nn.ReLU(), nn.Dropout(dropout)])
    return nn.Sequential(*layers[:-2])


class Standardiser(nn.Module):
    """Standardises by training statistics, which are kept with the weights; as it is made, it changes nothing.

    Args:
        size: numbers in a row.
    """

    def __init__(self, size: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def fit(self, training: torch.Tensor, how: str = "per-coefficient", parameters: np.ndarray | None = None) -> None:
        """Take mean and deviation of training rows (n, size).

        Args:
            training: rows.
            how: ``per-coefficient``: each number has a deviation of its own; ``per-parameter``: the numbers of a named
                parameter share one, so that those that vary little count for little; ``global``: all share one.
            parameters: which parameter each number belongs to (size,), for ``per-parameter``.
        """
        variance = training.var(0, correction=0)
        if how == "per-parameter":
            owners = torch.as_tensor(parameters, device=variance.device)
            variance = (torch.bincount(owners, variance) / torch.bincount(owners))[owners]
        elif how == "global":
            variance = variance.mean().expand_as(variance)
        self.mean.copy_(training.mean(0))
        self.scale.copy_(torch.where(variance > 0, variance.sqrt(), 1.0))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return values (n, size) in standard units."""
        return (values - self.mean) / self.scale

    def inverse(self, standardised: torch.Tensor) -> torch.Tensor:
        """Return standardised values (n, size) in their own units."""
        return standardised * self.scale + self.mean


def fit(
    module: nn.Module,
    loss_of: Callable[[str, torch.Tensor], torch.Tensor],
    counts: dict[str, int],
    recipe: Recipe,
    seed: int,
    after_epoch: Callable[[int], None] = lambda epoch: None,
    progress: Progress = NOWHERE,
    beside: dict[Any, Any] | None = None,
) -> pd.DataFrame:
    """Fit ``module`` and leave it in its best state by validation loss, or its last.

    Args:
        module: trained in place.
        loss_of: mean loss of the rows ``indices`` of ``part`` ('train' or 'validation'), differentiable.
        counts: rows in each part.
        recipe: optimisation.
        seed: of the batches' order and of dropout.
        after_epoch: called with the epoch, from 0, the untrained module.
        progress: keeps states of the fit, and gives the one to go on from.
        beside: what ``after_epoch`` fills, kept with them.

    Returns:
        A row an epoch: ``epoch``, ``train_loss`` (over the epoch, while training), ``validation_loss``, ``kept``.

    Raises:
        FloatingPointError: a loss turned non-finite.
    """
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(module.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    scheduler = None
    if recipe.schedule == "cosine":
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs)
    best = {"loss": math.inf, "epoch": 0, "state": copy.deepcopy(module.state_dict())}
    history: list[dict[str, float]] = []
    beside = {} if beside is None else beside
    parts = {"module": module, "optimizer": optimizer, **({"scheduler": scheduler} if scheduler else {})}
    device = str(next(module.parameters()).device)
    epoch = resume(progress, parts, device, best=best, history=history, beside=beside)
    if not epoch:
        after_epoch(0)
    while epoch < recipe.epochs and not _waited(recipe, best, epoch):
        epoch += 1
        module.train()
        train_loss = 0.0
        for indices in _batches(torch.randperm(counts["train"]), recipe.batch_size):
            loss = loss_of("train", indices)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            train_loss += loss.item() * len(indices) / counts["train"]
        if scheduler:
            scheduler.step()
        validation_loss = _validate(module, loss_of, counts["validation"], recipe.batch_size)
        history.append({"epoch": epoch, "train_loss": train_loss, "validation_loss": validation_loss})
        log.info("epoch %d of %d: losses %.5g, validation %.5g", epoch, recipe.epochs, train_loss, validation_loss)
        if not (math.isfinite(train_loss) and math.isfinite(validation_loss)):
            raise FloatingPointError(f"the loss turned non-finite in epoch {epoch}; lower the learning rate")
        if validation_loss < best["loss"]:
            best.update(loss=validation_loss, epoch=epoch, state=copy.deepcopy(module.state_dict()))
        after_epoch(epoch)
        keep(progress, parts, epoch, best=best, history=history, beside=beside)
    kept = best["epoch"] if recipe.keep == "best" else epoch
    if kept == best["epoch"]:
        module.load_state_dict(best["state"])
    module.eval()
    log.info("best validation loss %.5g in epoch %d of %d", best["loss"], best["epoch"], epoch)
    table = pd.DataFrame(history)
    table["kept"] = table["epoch"] == kept
    return table


def _waited(recipe: Recipe, best: dict[str, Any], epoch: int) -> bool:
    """Return whether there was no lower validation loss for as many epochs as the recipe waits."""
    over = recipe.patience is not None and epoch - best["epoch"] >= recipe.patience
    if over:
        log.info("stopped in epoch %d: no lower validation loss for %d epochs", epoch, recipe.patience)
    return over


@torch.no_grad()
def _validate(module: nn.Module, loss_of: Callable, count: int, batch_size: int) -> float:
    module.eval()
    # Batches as large as in training, since a contrastive loss grows with the size of its batch.
    parts = [
        (loss_of("validation", indices).item(), len(indices)) for indices in _batches(torch.arange(count), batch_size)
    ]
    return sum(loss * size for loss, size in parts) / count


def _batches(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    batches = list(order.split(size))
    if len(batches) > 1 and len(batches[-1]) < 2:  # one row alone has nothing to be contrasted with
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches
