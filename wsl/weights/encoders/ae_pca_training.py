"""Training of the encoder `ae-pca`: the first stage by gradient steps, the second by an eigenvalue problem."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from wsl.files import Files
from wsl.images.tasks import TaskImages
from wsl.progress import NOWHERE, Progress
from wsl.recipe import Recipe
from wsl.weights.encoders.ae_pca import ChannelEncoder, share_compression
from wsl.weights.encoders.behaviour import Behaviour
from wsl.weights.encoders.training import train_encoder
from wsl.weights.orders import reorder_head
from wsl.weights.snapshots import Snapshots
from wsl.zoo.index import read_weights

STARTING = 64  # snapshots whose rows' principal components the first stage starts from


def train_ae_pca(
    train_index: str | Path,
    validation_index: str | Path,
    out: str | Path,
    history: str | Path,
    checkpoints: str | Path,
    components: int,
    share: float,
    hidden: Sequence[int],
    dropout: float,
    checkpoint_count: int,
    recipe: Recipe,
    seed: int,
    orders: int = 1,
    orders_seed: int = 0,
    behaviour: dict[str, float] | None = None,
    packed: Files = (),
    device: str = "cpu",
    progress: Progress = NOWHERE,
) -> None:
    """Train the encoder on whole snapshots.

    Args:
        train_index, validation_index: of the snapshots.
        out, history, checkpoints, checkpoint_count, recipe: see ``wsl.weights.encoders.training.train_encoder``.
        components, share: see ``share_compression``.
        hidden, dropout: see ``RowAutoencoder``.
        seed: of initial weights, batches and dropout.
        orders, orders_seed: class orders in which training snapshots are seen.
        behaviour: ``weight`` of the behaviour loss beside the first stage's, and its ``queries``; None: not used.
        packed: packed images, a file a class, or a list of them, for the behaviour loss.
        device: ``cpu`` or ``cuda``.
        progress: keeps states of the fit, and gives the one to go on from.
    """
    torch.manual_seed(seed)
    with Snapshots(train_index, orders, orders_seed) as training, Snapshots(validation_index) as validating:
        layout, snapshots = training.layout, {"train": training, "validation": validating}
        stages = [share_compression(entry.shape, components, share, training.count) for entry in layout.entries]
        encoder = ChannelEncoder(layout, stages, hidden, dropout).to(device)
        for place, values in _parameters(training):
            encoder.mean[layout.entries[place].columns] = values.mean(0)
            encoder.scale[place] = values.var(0, correction=0).mean().sqrt().clamp(min=1e-12)
            encoder.least[place] = values.min()
            if not isinstance(encoder.rows[place], nn.Identity):
                some = values[:: max(1, len(values) // STARTING)]
                rows = (some - values.mean(0)) / encoder.scale[place].cpu()
                encoder.rows[place].start(rows.reshape(-1, stages[place].length))
        answers = behaviour and Behaviour(layout, TaskImages(packed), behaviour["queries"], device)

        def second_stage() -> None:
            for place, values in _parameters(training):
                columns = layout.entries[place].columns
                standard = (values.to(device) - encoder.mean[columns]) / encoder.scale[place]
                encoder.fit_second(place, standard, seed)

        def loss_of(part: str, rows: torch.Tensor) -> torch.Tensor:
            weights = snapshots[part].weights(rows.tolist()).to(device)
            loss = encoder.loss(weights)
            if answers:
                places = range(len(stages))
                standard = [encoder.values(i, encoder.codes(i, encoder.standard(i, weights))) for i in places]
                scaled = [encoder.scale[i] * values for i, values in enumerate(standard)]
                decoded = encoder.mean + torch.cat(scaled, dim=1)
                loss = loss + behaviour["weight"] * answers.loss(snapshots[part], rows.tolist(), decoded)
            return loss

        counts = {part: len(own) for part, own in snapshots.items()}
        files = (out, history, checkpoints)
        train_encoder(
            encoder, loss_of, counts, *files, checkpoint_count, recipe, seed, finish=second_stage, progress=progress
        )


def _parameters(training: Snapshots) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield each named parameter's place and its numbers in all training rows (n, d); the head in all class orders."""
    for place, entry in enumerate(training.layout.entries):
        values = read_weights(training.zoo, columns=entry.columns)
        if entry.name in training.layout.head:
            values = np.concatenate([reorder_head(values, order) for order in training.orders])
        yield place, torch.from_numpy(values)
