"""Training of the encoders `sane` and `contrastive`: eq. 2.8 over two views of every network, in windows of tokens."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from wsl.files import Files
from wsl.fitting import mlp
from wsl.images.tasks import TaskImages
from wsl.ntxent import nt_xent
from wsl.progress import NOWHERE, Progress
from wsl.randomness import stream
from wsl.recipe import Recipe
from wsl.weights.encoders.behaviour import Behaviour
from wsl.weights.encoders.token_encoder import TokenEncoder, TokenSequence
from wsl.weights.encoders.token_network import windows_of
from wsl.weights.encoders.training import train_encoder
from wsl.weights.encoders.views import Views
from wsl.weights.snapshots import Snapshots
from wsl.zoo.index import read_weights
from wsl.zoo.layout import Layout, layout_to_text

PROJECTED = 64  # numbers in which two views are compared


class ViewLoss(nn.Module):
    """Eq. 2.8: beta * eq. 2.9 + (1 - beta) * NT-Xent between two views of each network.

    Args:
        encoder: trained with it.
        views: how views are made.
        beta: weight of reconstruction.
        temperature: of NT-Xent.
        windows: windows of a network that are looked at in a step, drawn anew each time; all count where there are
            fewer.
    """

    def __init__(self, encoder: TokenEncoder, views: Views, beta: float, temperature: float, windows: int):
        super().__init__()
        self.encoder, self.views, self.beta, self.temperature, self.windows = encoder, views, beta, temperature, windows
        latent = encoder.network.narrow.out_features
        self.project = mlp([latent, encoder.network.narrow.in_features, PROJECTED], 0.0)

    def forward(self, weights: torch.Tensor, layout: Layout, rng: np.random.Generator) -> torch.Tensor:
        """Return the loss of flat weights (n, n_weights) of one layout."""
        sequence = self.encoder.sequence(layout)
        cut = windows_of(sequence.tokens, self.encoder.window, self.encoder.halo)
        windows = [cut[place] for place in sorted(rng.permutation(len(cut))[: self.windows])]
        errors, embeddings = [], []
        for _ in range(2):
            clean = sequence.cut(self.views.permuted(weights, layout, rng))
            latents = [self._encode(sequence, clean, window.seen, rng) for window in windows]
            cores = [window.core(own) for window, own in zip(windows, latents, strict=True)]
            whole = torch.cat(cores, dim=1).mean(1, keepdim=True)
            for (seen, _), own in zip(windows, latents, strict=True):
                decoded = self.encoder.network.decode(whole if self.encoder.pooled else own, sequence.positions[seen])
                filled = sequence.filled[seen]
                errors.append(((decoded - clean[:, seen]).pow(2) * filled).sum() / (filled.sum() * len(weights)))
            embeddings.append(self.project(whole[:, 0]))
        reconstruction = torch.stack(errors).mean()
        if self.beta == 1:
            return reconstruction
        return self.beta * reconstruction + (1 - self.beta) * nt_xent(*embeddings, self.temperature)

    def _encode(
        self, sequence: TokenSequence, clean: torch.Tensor, window: slice, rng: np.random.Generator
    ) -> torch.Tensor:
        spoiled = self.views.spoiled(clean[:, window], rng) * sequence.filled[window]
        return self.encoder.network.encode(spoiled, sequence.positions[window])


def train_tokens(
    train_index: str | Path,
    validation_index: str | Path,
    out: str | Path,
    history: str | Path,
    checkpoints: str | Path,
    kind: str,
    latent: int,
    network: dict[str, int],
    centre: str,
    views: dict[str, Any],
    beta: float,
    temperature: float,
    windows: int,
    checkpoint_count: int,
    recipe: Recipe,
    seed: int,
    also: Sequence[str | Path] = (),
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
        kind, latent, network: see ``TokenEncoder``.
        centre: numbers are measured from their own mean over training networks (``weight``), or from that of all of
            their named parameter (``parameter``); in units of the parameter's deviation either way.
        views: see ``Views``; beta, temperature, windows: see ``ViewLoss``.
        seed: of initial weights, batches and views.
        also: further training indices, of networks of any width.
        orders, orders_seed: class orders in which training snapshots are seen.
        behaviour: ``weight`` of the behaviour loss beside eq. 2.8, and its ``queries``; None: not used.
        packed: packed images, a file a class, or a list of them, for the behaviour loss.
        device: ``cpu`` or ``cuda``.
        progress: keeps states of the fit, and gives the one to go on from.
    """
    torch.manual_seed(seed)
    with ExitStack() as stack:
        own = stack.enter_context(Snapshots(train_index, orders, orders_seed))
        validating = stack.enter_context(Snapshots(validation_index))
        zoos = {"train": [own, *(stack.enter_context(Snapshots(path)) for path in also)], "validation": [validating]}
        layouts = list(dict.fromkeys(zoo.layout for zoo in zoos["train"]))
        encoder = TokenEncoder([layout_to_text(layout) for layout in layouts], latent=latent, kind=kind, **network)
        for layout in layouts:
            alike = [zoo for zoo in zoos["train"] if zoo.layout == layout]
            standardise(encoder.sequence(layout), alike, centre)
        module = ViewLoss(encoder, Views(**views), beta, temperature, windows).to(device)
        answers = behaviour and Behaviour(own.layout, TaskImages(packed), behaviour["queries"], device)
        starts = {part: np.cumsum([0, *map(len, some)]) for part, some in zoos.items()}

        def loss_of(part: str, rows: torch.Tensor) -> torch.Tensor:
            # Validation sees the same views each time, or its losses could not be compared. Those of training come from
            # torch's random numbers, which a fit that goes on takes up where they were.
            validation = part == "validation"
            rng = (
                stream(seed, "validation views")
                if validation
                else np.random.default_rng(torch.randint(2**62, (1,)).item())
            )
            losses = []
            for zoo, start in zip(zoos[part], starts[part], strict=False):
                mine = [row - start for row in rows.tolist() if start <= row < start + len(zoo)]
                if mine:
                    weights = zoo.weights(mine).to(device)
                    loss = module(weights, zoo.layout, rng)
                    if answers and zoo in (own, validating):
                        decoded = encoder.decode(encoder.encode(weights))
                        loss = loss + behaviour["weight"] * answers.loss(zoo, mine, decoded)
                    losses.append(loss * len(mine) / len(rows))
            return torch.stack(losses).sum()

        counts = {part: int(edges[-1]) for part, edges in starts.items()}
        files = (out, history, checkpoints)
        train_encoder(
            encoder, loss_of, counts, *files, checkpoint_count, recipe, seed, trained=module, progress=progress
        )


def standardise(sequence: TokenSequence, zoos: Sequence[Snapshots], centre: str) -> None:
    """Take means, deviations and least running variances of each named parameter over training snapshots."""
    for entry in sequence.layout.entries:
        values = np.concatenate([read_weights(zoo.zoo, columns=entry.columns) for zoo in zoos])
        mean = values.mean(axis=0) if centre == "weight" else values.mean()
        deviation = float(np.sqrt(((values - mean) ** 2).mean()))
        sequence.mean[entry.columns] = torch.as_tensor(mean)
        sequence.scale[entry.columns] = deviation or 1.0
        if entry.variance:
            sequence.least[entry.columns] = float(values.min())
