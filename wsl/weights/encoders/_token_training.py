"""The fit of encoders of tokens: eq. 2.8 over augmented views of networks."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from wsl.randomness import stream
from wsl.training.fitting import mlp
from wsl.training.ntxent import nt_xent
from wsl.weights.encoders._token_encoder import TokenEncoder, TokenSequence, networks_of
from wsl.weights.encoders._token_hyper import HyperEncoder
from wsl.weights.encoders._token_settings import Centre, LossPer, TokenSettings
from wsl.weights.encoders.tokens import token_size
from wsl.weights.snapshots import Snapshots
from wsl.weights.symmetry import permutable, permutation_index, random_permutations
from wsl.weights.training import EncoderData, Training
from wsl.zoo.index import read_weights
from wsl.zoo.layout import Layout, layout_to_text

PROJECTED = 64  # size of the embeddings of views for NT-Xent
TEMPERATURE = 0.1  # of NT-Xent
SMALLEST = 0.01  # mean square of a network's parameter, in units of the zoo's variance, below which errors count less


class ViewLoss(nn.Module):
    """Eq. 2.8: beta * eq. 2.9 + (1 - beta) * NT-Xent between two views of each network.

    Each view is spoiled (``spoiled``), and the second one also permutes channels if ``permute``. If the encoder reads
    windows, both views are the same ``windows`` windows, at a random place of each network (SANE). The reconstruction
    error is that of the clean numbers, over both views. With beta 1 there is one view.
    """

    def __init__(self, encoder: TokenEncoder | HyperEncoder, settings: TokenSettings, windows: int = 1):
        super().__init__()
        self.encoder, self.settings, self.windows = encoder, settings, windows
        self.project = mlp([encoder.about["latent"], encoder.about["shape"][0], PROJECTED], 0.0)
        for place, sequence in enumerate(encoder.sequences):
            self.register_buffer(f"importance{place}", importance(sequence, settings.loss), persistent=False)
            if settings.loss == "relative":
                self.register_buffer(f"owners{place}", owners(sequence), persistent=False)

    def forward(
        self, weights: torch.Tensor, layout: Layout, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the loss of flat weights (n, n_weights) of one layout, and these as decoded.

        They are None without a behaviour loss, and if no view is a whole network that nothing has spoiled.
        """
        settings, encoder, sequence = self.settings, self.encoder, self.encoder.sequence(layout)
        place = list(encoder.sequences).index(sequence)
        weight, index, windows = getattr(self, f"importance{place}"), None, 1
        if sequence.tokens > encoder.window:
            windows = self.windows
            starts = rng.integers(sequence.tokens - encoder.window + 1, size=(len(weights) * windows, 1))
            index = torch.from_numpy(starts + np.arange(encoder.window)).to(weights.device)
            weight = weight[index]
        clean = sequence.cut(weights, index)
        weight = weight.expand(clean.shape)
        if settings.beta < 1:
            second = sequence.cut(permuted(weights, layout, rng), index) if settings.permute else clean
            clean, weight = torch.cat([clean, second]), weight.repeat(2, 1, 1)
        decoded, latents = encoder.through(sequence, spoiled(clean, settings, rng), index, windows)
        errors = (decoded - clean).square() * weight
        if settings.loss == "relative":
            sizes, owned = mean_squares(sequence, weights) + SMALLEST, getattr(self, f"owners{place}")
            own = sizes[:, owned] if index is None else sizes[networks_of(index, len(weights)), owned[index]]
            errors = errors / own.repeat(len(clean) // len(own), 1, 1)  # views of a network have the same ones
        reconstruction = errors.sum() / weight.sum()
        whole = settings.behaviour and index is None and not settings.noise and not settings.erase
        joined = sequence.join(decoded[: len(weights)]) if whole else None
        if settings.beta == 1:
            return reconstruction, joined
        contrast = nt_xent(*self.project(latents).chunk(2), TEMPERATURE)
        return settings.beta * reconstruction + (1 - settings.beta) * contrast, joined


def permuted(weights: torch.Tensor, layout: Layout, rng: np.random.Generator) -> torch.Tensor:
    """Return flat weights (n, n_weights) with the channels of each network permuted, which changes no output."""
    places = (permutation_index(layout, random_permutations(layout, rng)) for _ in weights)
    return torch.stack(
        [row[torch.from_numpy(order).to(row.device)] for row, order in zip(weights, places, strict=True)]
    )


def spoiled(tokens: torch.Tensor, settings: TokenSettings, rng: np.random.Generator) -> torch.Tensor:
    """Return standardised tokens with noise and some numbers erased (section 2.5); padding stays 0."""
    generator = torch.Generator(tokens.device).manual_seed(int(rng.integers(2**63)))
    if settings.noise:
        noise = settings.noise * torch.randn(tokens.shape, generator=generator, device=tokens.device)
        tokens = tokens * (1 + noise) if settings.noise_kind == "multiplicative" else tokens + noise * (tokens != 0)
    if settings.erase:
        tokens = tokens * (torch.rand(tokens.shape, generator=generator, device=tokens.device) >= settings.erase)
    return tokens


def importance(sequence: TokenSequence, per: LossPer) -> torch.Tensor:
    """Return the weight of each number of tokens in the reconstruction error (T, size), 0 for padding.

    Unless it is per ``number``, a number of a named parameter of d numbers weighs 1 / d.
    """
    numbers = torch.ones(sequence.layout.size)
    if per != "number":
        for entry in sequence.layout.entries:
            numbers[entry.columns] = 1 / entry.size
    return numbers[sequence.places] * sequence.filled


def owners(sequence: TokenSequence) -> torch.Tensor:
    """Return the number of the named parameter of each number of tokens (T, size); any for padding."""
    return torch.from_numpy(sequence.layout.owners)[sequence.places]


def mean_squares(sequence: TokenSequence, weights: torch.Tensor) -> torch.Tensor:
    """Return the mean square of each standardised named parameter (n, parameters) of flat weights (n, n_weights)."""
    squares = ((weights - sequence.mean) / sequence.scale).square()
    return torch.stack([squares[:, entry.columns].mean(1) for entry in sequence.layout.entries], 1)


def prepare(data: EncoderData, settings: TokenSettings) -> Training:
    """Prepare the fit of an encoder to whole snapshots."""
    device = data.job.device
    zoos = {part: [snapshots, *data.further[part]] for part, snapshots in data.parts.items()}
    own = [zoo.layout for zoo in zoos["train"]]
    zoos["train"] += data.others
    layouts = list(dict.fromkeys(zoo.layout for zoo in zoos["train"]))
    for layout in layouts:
        permutable(layout)  # raises for networks of unknown architecture
    size = min(settings.size, max(token_size(layout, settings.norms) for layout in layouts))
    latent = min(settings.latent_size(layout, size) for layout in own)
    encoder = settings.module(list(map(layout_to_text, layouts)), size, latent)
    for layout in layouts:
        matching = [zoo for zoo in zoos["train"] if zoo.layout == layout]
        standardise(encoder.sequence(layout), matching, settings.centre)
    module = ViewLoss(encoder, settings, getattr(settings, "windows", 1)).to(device)
    behaviour_loss = data.behaviour(settings.behaviour)
    starts = {part: np.cumsum([0, *map(len, members)]) for part, members in zoos.items()}

    def loss(part: str, rows: torch.Tensor) -> torch.Tensor:
        # Validation always uses the same views, so that its losses can be compared. Those of training depend on the
        # random numbers of torch, which a resumed fit restores.
        if part == "validation":
            rng = stream(data.job.seed, "validation views")
        else:
            rng = np.random.default_rng(torch.randint(2**62, (1,)).item())
        losses = []
        for zoo, start in zip(zoos[part], starts[part], strict=False):
            places = [row - start for row in rows.tolist() if start <= row < start + len(zoo)]
            if places:
                weights = zoo.weights(places).to(device)
                total, decoded = module(weights, zoo.layout, rng)
                if behaviour_loss and zoo not in data.others:
                    if decoded is None:
                        own = encoder.of(zoo.layout)
                        decoded = own.decode(own.encode(weights))
                    total = total + behaviour_loss(zoo, places, decoded)
                losses.append(total * len(places) / len(rows))
        return torch.stack(losses).sum()

    counts = {part: int(edges[-1]) for part, edges in starts.items()}
    return Training(encoder, loss, counts, trained=module)


def standardise(sequence: TokenSequence, zoos: Sequence[Snapshots], centre: Centre = "weight") -> None:
    """Set means, deviations and minimum running variances over training snapshots.

    A named parameter has one deviation, around the means of its numbers (``weight``) or their common mean.
    """
    for entry in sequence.layout.entries:
        values = np.concatenate([read_weights(zoo.zoo, columns=entry.columns) for zoo in zoos])
        mean = values.mean(axis=0) if centre == "weight" else values.mean()
        deviation = float(np.sqrt(((values - mean) ** 2).mean()))
        sequence.mean[entry.columns] = torch.as_tensor(mean)
        sequence.scale[entry.columns] = deviation or 1.0
        if entry.variance:
            sequence.least[entry.columns] = float(values.min())
