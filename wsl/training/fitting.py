"""Modules that encoders share, and their training: AdamW, with a validation loss after each epoch."""

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
    """Return linear layers of these sizes with ReLU and dropout between them; two sizes give one linear map."""
    layers: list[nn.Module] = []
    for into, out in itertools.pairwise(sizes):
        layers.extend([nn.Linear(into, out), nn.ReLU(), nn.Dropout(dropout)])
    return nn.Sequential(*layers[:-2])


class Standardiser(nn.Module):
    """Standardises rows of ``size`` values by training statistics; before ``fit`` it is the identity."""

    def __init__(self, size: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def fit(self, training: torch.Tensor, how: str = "per-coefficient", parameters: np.ndarray | None = None) -> None:
        """Compute mean and standard deviation of training rows (n, size).

        Args:
            training: the rows.
            how: ``per-coefficient``: each value has its own deviation; ``per-parameter``: the values of a named
                parameter share one, so that values with little variance get little weight; ``global``: all share one.
            parameters: the parameter of each value (size,), for ``per-parameter``.
        """
        variance = training.var(0, correction=0)
        if how == "per-parameter":
            parameters = torch.as_tensor(parameters, device=variance.device)
            variance = (torch.bincount(parameters, variance) / torch.bincount(parameters))[parameters]
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
    after_epoch: Callable[[int], Values | None] = lambda epoch: None,
    progress: Progress = NOWHERE,
    saved: dict[Any, Any] | None = None,
) -> pd.DataFrame:
    """Fit ``module`` and leave it in the state that the recipe keeps: that of lowest validation loss, or the last.

    Args:
        module: trained in place.
        loss_of: mean loss of the rows ``indices`` of ``part`` ('train' or 'validation'), differentiable.
        counts: number of rows per part.
        recipe: optimisation.
        seed: of the order of batches and of dropout.
        after_epoch: called with each epoch, and with 0 for the untrained module; may return more values for the
            history.
        progress: saves states of the fit, and returns the one to resume from.
        saved: what ``after_epoch`` fills; part of the saved states.

    Returns:
        One row per epoch: ``epoch``, ``train_loss`` (mean over the epoch, while training), ``validation_loss``, values
        of ``after_epoch``, and ``kept``.

    Raises:
        FloatingPointError: a loss became non-finite.
    """
    torch.manual_seed(seed)
    loop = _Fit(module, loss_of, counts, recipe, after_epoch, {} if saved is None else saved)
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

    def __init__(self, module, loss_of, counts, recipe, after_epoch, saved):
        self.module, self.loss_of, self.counts, self.batch_size = module, loss_of, counts, recipe.batch_size
        self.max_norm, self.after_epoch = recipe.max_gradient_norm, after_epoch
        self.optimizer = torch.optim.AdamW(
            module.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        scheduler = self.cycle = None
        if recipe.schedule == "cosine":
            scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, recipe.epochs)
        elif recipe.schedule == "one-cycle":
            steps = recipe.epochs * len(self._batches(torch.arange(counts["train"])))
            self.cycle = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, recipe.learning_rate, steps)
        self.best = {"loss": math.inf, "epoch": 0, "state": copy.deepcopy(module.state_dict())}
        parts, kept = {"module": module, "optimizer": self.optimizer}, {"best": self.best, "saved": saved}
        parts |= {"cycle": self.cycle} if self.cycle else {}
        device = str(next(module.parameters()).device)
        super().__init__(recipe.epochs, parts, kept, scheduler, recipe.patience, device=device)

    def initial(self) -> None:
        self.after_epoch(0)

    def train(self) -> Values:
        self.module.train()
        train_loss, count = 0.0, self.counts["train"]
        for indices in self._batches(torch.randperm(count)):
            loss = self.loss_of("train", indices)
            self.optimizer.zero_grad()
            loss.backward()
            if self.max_norm:
                nn.utils.clip_grad_norm_(self.module.parameters(), self.max_norm)
            self.optimizer.step()
            if self.cycle:
                self.cycle.step()
            train_loss += loss.item() * len(indices) / count
        return {"train_loss": train_loss}

    @torch.no_grad()
    def evaluate(self) -> Values:
        self.module.eval()
        count = self.counts["validation"]
        # The batch size of training, since a contrastive loss grows with the size of its batch.
        batches = self._batches(torch.arange(count))
        loss = sum(self.loss_of("validation", indices).item() * len(indices) for indices in batches) / count
        if loss < self.best["loss"]:
            self.best.update(loss=loss, epoch=self.epoch, state=copy.deepcopy(self.module.state_dict()))
        return {"validation_loss": loss}

    def keep(self) -> Values | None:
        return self.after_epoch(self.epoch)

    def _batches(self, order: torch.Tensor) -> list[torch.Tensor]:
        batches = list(order.split(self.batch_size))
        if len(batches) > 1 and len(batches[-1]) < 2:  # a single row has no negatives
            batches[-2:] = [torch.cat(batches[-2:])]
        return batches
