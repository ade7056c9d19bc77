"""The fit of every weight encoder: its data, the states that are kept, and files."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from wsl.files.plain import write_csv
from wsl.files.tensors import write_tensors
from wsl.images.tasks import TaskImages
from wsl.jobs.job import Job
from wsl.training.fitting import fit
from wsl.weights.behaviour import Behaviour
from wsl.weights.coefficients import LinearCodec, load_linear, owners, read_coefficients
from wsl.weights.encoders.base import EncoderInputs, TrainedEncoder, WeightEncoder
from wsl.weights.fitted import FittedEncoder, States, write_states
from wsl.weights.settings import CHECKPOINTS, EncoderFit
from wsl.weights.snapshots import Snapshots

MEAN_OF = 64  # training snapshots for the unit of the behaviour loss
BehaviourLoss = Callable[[Snapshots, list[int], torch.Tensor], torch.Tensor]


@dataclass
class Training:
    """A prepared fit of an encoder.

    Attributes:
        encoder: fitted in place.
        loss: mean loss of rows of a part, differentiable, see ``wsl.training.fitting.fit``.
        counts: number of rows per part.
        finish: fits, in closed form, what depends on the trained parameters; called before a state is kept.
        trained: module of the encoder and what is trained with it and not kept; None: the encoder alone.
        facts: returns further values of the last epoch, for the history.
    """

    encoder: FittedEncoder
    loss: Callable[[str, torch.Tensor], torch.Tensor]
    counts: dict[str, int]
    finish: Callable[[], None] = lambda: None
    trained: nn.Module | None = None
    facts: Callable[[], dict[str, float]] = dict


class EncoderData:
    """Training data of encoders, read on demand until ``stack`` is closed.

    Attributes:
        training: training snapshots, in ``orders`` class orders that are drawn by ``orders_seed``.
        validation: validation snapshots.
        others: training snapshots of other runs.
        parts: ``training`` and ``validation`` by part.
        further: snapshots of further architectures of a mixed zoo, by part.
        settings: of the encoder; None: the defaults of the behaviour loss.
    """

    settings: WeightEncoder | None = None

    def __init__(self, inputs: EncoderInputs, orders: int, orders_seed: int, job: Job, stack: ExitStack):
        self.inputs, self.job = inputs, job
        self.training = stack.enter_context(Snapshots(inputs.train_index, orders, orders_seed))
        self.validation = stack.enter_context(Snapshots(inputs.validation_index))
        self.others = [stack.enter_context(Snapshots(path)) for path in inputs.other_zoos]
        self.parts = {"train": self.training, "validation": self.validation}
        self.further = {
            "train": [stack.enter_context(Snapshots(path, orders, orders_seed)) for path in inputs.further_train],
            "validation": [stack.enter_context(Snapshots(path)) for path in inputs.further_validation],
        }

    @cached_property
    def linear(self) -> LinearCodec:
        """The PCA of the run."""
        return load_linear(self.inputs.fitted, self.training.layout)

    @cached_property
    def coefficients(self) -> dict[str, torch.Tensor]:
        """Coefficients (n, n_coefficients) by part, on the device; rows as those of ``parts``."""
        files = {"train": self.inputs.train, "validation": self.inputs.validation}
        return {part: torch.from_numpy(read_coefficients(path)[0]).to(self.job.device) for part, path in files.items()}

    def owners(self, normalise: str) -> np.ndarray | None:
        """Return ``wsl.weights.coefficients.owners`` of the training coefficients."""
        return owners(self.inputs.train, normalise)

    def behaviour(self, weight: float) -> BehaviourLoss | None:
        """Return the weighted behaviour loss of snapshots, rows and their decoded weights; None for weight 0."""
        if not weight:
            return None
        images, zoos = TaskImages(self.inputs.packed), (self.training, *self.further["train"])
        given = {name: field.default for name, field in TrainedEncoder.model_fields.items()} | dict(self.settings or {})
        about = {"queries": given["behaviour_queries"], "measure": given["behaviour_measure"]}
        behaviours = {zoo.layout: Behaviour(zoo.layout, images, device=self.job.device, **about) for zoo in zoos}
        relative = given["behaviour_relative"]
        units = {zoo.layout: self._of_the_mean(zoo, behaviours[zoo.layout]) if relative else 1.0 for zoo in zoos}

        def loss(snapshots: Snapshots, rows: list[int], decoded: torch.Tensor) -> torch.Tensor:
            total = behaviours[snapshots.layout].loss(snapshots, rows, decoded)
            return weight / units[snapshots.layout] * total

        return loss

    @torch.no_grad()
    def _of_the_mean(self, snapshots: Snapshots, behaviour: Behaviour) -> float:
        """Return the behaviour loss of the mean of training snapshots; other random numbers do not depend on it."""
        rows = np.unique(np.linspace(0, snapshots.count - 1, MEAN_OF).round().astype(int)).tolist()
        weights = snapshots.weights(rows).to(self.job.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.job.seed)
            return behaviour.loss(snapshots, rows, weights.mean(0).expand_as(weights)).item() or 1.0


def train_weight_encoder(
    inputs: EncoderInputs,
    out: str | Path,
    history: str | Path,
    checkpoints: str | Path,
    settings: EncoderFit,
    orders_seed: int = 0,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Fit a weight encoder and write it, its history and its states during the training.

    Args:
        inputs: files that the encoder is fitted on.
        out: safetensors file of the state that the recipe keeps.
        history: CSV, one row per epoch.
        checkpoints: safetensors file of the states at ``checkpoint_epochs`` and of that in ``out``.
        settings: of the encoder.
        orders_seed: of class orders, the same as for the run's PCA.
        job: its seed is that of initial weights, batches, dropout and views.
    """
    torch.manual_seed(job.seed)
    with ExitStack() as stack:
        data = EncoderData(inputs, settings.orders, orders_seed, job, stack)
        data.settings = settings.encoder
        fit_and_write(settings.encoder, settings.encoder.prepare(data), out, history, checkpoints, job)


def fit_and_write(
    settings: WeightEncoder, training: Training, out: str | Path, history: str | Path, checkpoints: str | Path, job: Job
) -> None:
    """Fit a prepared encoder and write it; see ``train_weight_encoder``.

    The settings of an encoder with trainable parameters must be a ``Recipe``.
    """
    encoder, states = training.encoder, States()
    module = encoder if training.trained is None else training.trained

    def keep(epoch: int) -> None:
        training.finish()
        states[epoch] = {name: value.cpu().clone() for name, value in encoder.state_dict().items()}

    if any(True for _ in module.parameters()):
        wanted = checkpoint_epochs(settings.epochs, CHECKPOINTS)

        def after_epoch(epoch: int) -> dict[str, float]:
            if epoch in wanted:
                keep(epoch)
            return training.facts()

        losses = fit(module, training.loss, training.counts, settings, job.seed, after_epoch, job.progress, states)
    else:
        with torch.no_grad():
            rows = {part: torch.arange(count) for part, count in training.counts.items()}
            values = {f"{part}_loss": training.loss(part, indices).item() for part, indices in rows.items()}
        losses = pd.DataFrame([{"epoch": 0, **values, "kept": True}])
    keep(int(losses.loc[losses["kept"], "epoch"].iloc[0]))
    about = {"kind": settings.name, **encoder.about}
    write_csv(history, losses)
    write_states(checkpoints, states, about)
    write_tensors(out, encoder.state_dict(), about)


def checkpoint_epochs(epochs: int, count: int) -> list[int]:
    """Return about ``count`` epochs from 0 to ``epochs``, spread geometrically, since early epochs change most."""
    spread = np.geomspace(epochs, 1, max(count - 1, 1)).round().astype(int)
    return sorted({0, *spread.tolist()})
