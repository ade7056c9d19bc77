"""Parts of all encoders, and their training: AdamW on a loss of rows, with a validation loss after each epoch."""

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

from wsl.jobs.progress import NOWHERE, Progress
from wsl.training.epoch_loop import EpochLoop, Values
from wsl.training.recipe import Recipe

log = logging.getLogger(__name__)


def mlp(sizes: Sequence[int], dropout: float) -> nn.Sequential:
    """Return linear layers of these sizes with ReLU and dropout between them; two sizes make one linear map."""
    layers: list[nn.Module] = []
    for into, out in itertools.pairwise(sizes):
        layers.extend([nn.Linear(into, out), nn.ReLU(), nn.Dropout(dropout)])
    return nn.Sequential(*layers[:-2])


class Standardiser(nn.Module):
    """Standardises by training statistics, which are saved with the weights; before ``fit`` it changes nothing.

    Args:
        size: values per row.
    """

    def __init__(self, size: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def fit(self, training: torch.Tensor, how: str = "per-coefficient", parameters: np.ndarray | None = None) -> None:
        """Compute mean and standard deviation of training rows.

        Args:
            training: rows (n, size).
            how: ``per-coefficient``: each value has its own deviation; ``per-parameter``: the values of a named
                parameter share one, so that values with little variance get little weight; ``global``: all share one.
            parameters: the parameter that each value belongs to (size,), for ``per-parameter``.
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
    after_epoch: Callable[[int], dict[str, float] | None] = lambda epoch: None,
    progress: Progress = NOWHERE,
    beside: dict[Any, Any] | None = None,
) -> pd.DataFrame:
    """Fit ``module`` and leave it in its best state by validation loss, or its last.

    Args:
        module: trained in place.
        loss_of: mean loss of the rows ``indices`` of ``part`` ('train' or 'validation'), differentiable.
        counts: rows in each part.
        recipe: optimisation.
        seed: of the order of batches and of dropout.
        after_epoch: called with each epoch, and with 0 for the untrained module; may return more values for the
            history.
        progress: saves states of the fit, and returns the one to resume from.
        beside: what ``after_epoch`` fills, saved with the states.

    Returns:
        One row per epoch: ``epoch``, ``train_loss`` (mean over the epoch, while training), ``validation_loss``, values
        of ``after_epoch``, and ``kept``.

    Raises:
        FloatingPointError: a loss became non-finite.
    """
    torch.manual_seed(seed)
    loop = _Fit(module, loss_of, counts, recipe, after_epoch, {} if beside is None else beside)
    loop.run(progress)
    best = loop.best
    kept = best["epoch"] if recipe.keep == "best" else loop.epoch
    if kept == best["epoch"]:
        module.load_state_dict(best["state"])
    module.eval()
    log.info("best validation loss %.5g in epoch %d of %d", best["loss"], best["epoch"], loop.epoch)
    table = pd.DataFrame(loop.history)
    table["kept"] = table["epoch"] == kept
    return table


class _Fit(EpochLoop):
    """The training of ``fit``, which describes the arguments."""

    def __init__(
        self,
        module: nn.Module,
        loss_of: Callable[[str, torch.Tensor], torch.Tensor],
        counts: dict[str, int],
        recipe: Recipe,
        after_epoch: Callable[[int], dict[str, float] | None],
        beside: dict[Any, Any],
    ):
        self.module, self.loss_of, self.counts, self.recipe = module, loss_of, counts, recipe
        self.after_epoch = after_epoch
        self.optimizer = torch.optim.AdamW(
            module.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        scheduler = None
        if recipe.schedule == "cosine":
            scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, recipe.epochs)
        self.best = {"loss": math.inf, "epoch": 0, "state": copy.deepcopy(module.state_dict())}
        super().__init__(
            recipe.epochs,
            {"module": module, "optimizer": self.optimizer},
            {"best": self.best, "beside": beside},
            scheduler,
            recipe.patience,
            device=str(next(module.parameters()).device),
        )

    def initial(self) -> None:
        self.after_epoch(0)

    def train(self) -> Values:
        self.module.train()
        train_loss, count = 0.0, self.counts["train"]
        for indices in _batches(torch.randperm(count), self.recipe.batch_size):
            loss = self.loss_of("train", indices)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            train_loss += loss.item() * len(indices) / count
        return {"train_loss": train_loss}

    def evaluate(self) -> Values:
        loss = _validate(self.module, self.loss_of, self.counts["validation"], self.recipe.batch_size)
        if loss < self.best["loss"]:
            self.best.update(loss=loss, epoch=self.epoch, state=copy.deepcopy(self.module.state_dict()))
        return {"validation_loss": loss}

    def keep(self) -> Values | None:
        return self.after_epoch(self.epoch)


@torch.no_grad()
def _validate(module: nn.Module, loss_of: Callable, count: int, batch_size: int) -> float:
    module.eval()
    # The batch size of training, since a contrastive loss grows with the size of its batch.
    parts = [
        (loss_of("validation", indices).item(), len(indices)) for indices in _batches(torch.arange(count), batch_size)
    ]
    return sum(loss * size for loss, size in parts) / count


def _batches(order: torch.Tensor, size: int) -> list[torch.Tensor]:
    batches = list(order.split(size))
    if len(batches) > 1 and len(batches[-1]) < 2:  # a single row has no negatives
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches
