"""The fit of every weight encoder: its data, the loop, the states that are kept, and files."""

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
from wsl.weights.encoders.base import EncoderInputs, WeightEncoder
from wsl.weights.fitted import FittedEncoder, States, write_states
from wsl.weights.settings import CHECKPOINTS, EncoderFit
from wsl.weights.snapshots import Snapshots

BehaviourLoss = Callable[[Snapshots, list[int], torch.Tensor], torch.Tensor]


@dataclass
class Training:
    """How an encoder is fitted.

    Attributes:
        encoder: fitted in place.
        loss: mean loss of rows of a part, differentiable, see ``wsl.training.fitting.fit``.
        counts: number of rows per part.
        finish: fits, in closed form, what depends on the trained parameters; called before a state is kept.
        trained: a module that holds the encoder and what is trained with it and not kept; None: the encoder alone.
    """

    encoder: FittedEncoder
    loss: Callable[[str, torch.Tensor], torch.Tensor]
    counts: dict[str, int]
    finish: Callable[[], None] = lambda: None
    trained: nn.Module | None = None


class EncoderData:
    """What encoders are fitted on. A context, since member files are read on demand.

    Args:
        inputs: files.
        orders: number of class orders of training snapshots.
        orders_seed: of the class orders.
        job: of the fit.

    Attributes:
        training: training snapshots.
        validation: validation snapshots.
        others: training snapshots of other runs.
    """

    def __init__(self, inputs: EncoderInputs, orders: int, orders_seed: int, job: Job):
        self.inputs, self.job = inputs, job
        self.training = Snapshots(inputs.train_index, orders, orders_seed)
        self.validation = Snapshots(inputs.validation_index)
        self.others = [Snapshots(path) for path in inputs.other_zoos]

    def __enter__(self) -> "EncoderData":
        with ExitStack() as stack:
            for zoo in (self.training, self.validation, *self.others):
                stack.enter_context(zoo)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    @property
    def parts(self) -> dict[str, Snapshots]:
        """Snapshots of the run by part."""
        return {"train": self.training, "validation": self.validation}

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
        """Return the named parameter of each coefficient where ``normalise`` needs it, see ``coefficients.owners``."""
        return owners(self.inputs.train, normalise)

    def behaviour(self, weight: float) -> BehaviourLoss | None:
        """Return the weighted behaviour loss of snapshots, rows and their decoded weights; None for weight 0."""
        if not weight:
            return None
        behaviour = Behaviour(self.training.layout, TaskImages(self.inputs.packed), device=self.job.device)
        return lambda snapshots, rows, decoded: weight * behaviour.loss(snapshots, rows, decoded)


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
        checkpoints: safetensors file of the states at ``checkpoint_epochs`` and of the one in ``out``.
        settings: of the encoder.
        orders_seed: of class orders; that of the run's PCA, so that both see the same orders.
        job: its seed is that of initial weights, batches, dropout and views.
    """
    torch.manual_seed(job.seed)
    with EncoderData(inputs, settings.orders, orders_seed, job) as data:
        fit_and_write(settings.encoder, settings.encoder.prepare(data), out, history, checkpoints, job)


def fit_and_write(
    settings: WeightEncoder,
    training: Training,
    out: str | Path,
    history: str | Path,
    checkpoints: str | Path,
    job: Job,
) -> None:
    """Fit a prepared encoder; see ``train_weight_encoder``. The settings of one with parameters are a ``Recipe``."""
    encoder, states = training.encoder, States()
    module = encoder if training.trained is None else training.trained

    def keep(epoch: int) -> None:
        training.finish()
        states[epoch] = {name: value.cpu().clone() for name, value in encoder.state_dict().items()}

    if any(True for _ in module.parameters()):
        wanted = checkpoint_epochs(settings.epochs, CHECKPOINTS)

        def after_epoch(epoch: int) -> None:
            if epoch in wanted:
                keep(epoch)

        losses = fit(
            module, training.loss, training.counts, settings, job.seed, after_epoch, job.progress, states
        )  # fmt: skip
    else:
        losses = pd.DataFrame([{"epoch": 0, **_losses(training), "kept": True}])
    keep(int(losses.loc[losses["kept"], "epoch"].iloc[0]))
    about = {"kind": settings.name, **encoder.about}
    write_csv(history, losses)
    write_states(checkpoints, states, about)
    write_tensors(out, encoder.state_dict(), about)


def checkpoint_epochs(epochs: int, count: int) -> list[int]:
    """Return about ``count`` epochs from 0 to ``epochs``, spread geometrically, since most changes early."""
    spread = np.geomspace(epochs, 1, max(count - 1, 1)).round().astype(int)
    return sorted({0, *spread.tolist()})


@torch.no_grad()
def _losses(training: Training) -> dict[str, float]:
    return {f"{part}_loss": training.loss(part, torch.arange(count)).item() for part, count in training.counts.items()}
