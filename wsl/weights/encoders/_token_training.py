"""The fit of `sane` and `contrastive`: eq. 2.8 over two augmented views of networks, in windows of tokens."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from wsl.randomness import stream
from wsl.training.fitting import mlp
from wsl.training.ntxent import nt_xent
from wsl.weights.encoders._token_encoder import Shape, TokenEncoder, TokenSequence, windows_of
from wsl.weights.encoders.contrastive import TokenSettings
from wsl.weights.snapshots import Snapshots
from wsl.weights.symmetry import permutable, permutation_index, random_permutations
from wsl.weights.training import EncoderData, Training
from wsl.zoo.index import read_weights
from wsl.zoo.layout import Layout, layout_to_text

SHAPE = Shape()
PROJECTED = 64  # size of the embeddings of views for NT-Xent
TEMPERATURE = 0.1  # of NT-Xent
NOISE = 0.05  # standard deviation of the noise on standardised numbers
ERASE = 0.1  # fraction of standardised numbers that are set to 0, their mean


class ViewLoss(nn.Module):
    """Eq. 2.8: beta * eq. 2.9 + (1 - beta) * NT-Xent between two views of each network.

    Each step reads as many random windows as ``windows``. If ``permute``, a view also permutes channels.
    """

    def __init__(self, encoder: TokenEncoder, beta: float, windows: int, permute: bool = False):
        super().__init__()
        self.encoder, self.beta, self.windows, self.permute = encoder, beta, windows, permute
        latent = encoder.network.narrow.out_features
        self.project = mlp([latent, encoder.network.narrow.in_features, PROJECTED], 0.0)

    def forward(self, weights: torch.Tensor, layout: Layout, rng: np.random.Generator) -> torch.Tensor:
        """Return the loss of flat weights (n, n_weights) of one layout."""
        sequence, network = self.encoder.sequence(layout), self.encoder.network
        cut = windows_of(sequence.tokens, self.encoder.window, self.encoder.halo)
        windows = [cut[place] for place in sorted(rng.permutation(len(cut))[: self.windows])]
        errors, embeddings = [], []
        for _ in range(2):
            clean = sequence.cut(permuted(weights, layout, rng) if self.permute else weights)
            latents = []
            for seen, _ in windows:
                noisy = with_noise(clean[:, seen], rng) * sequence.filled[seen]
                latents.append(network.encode(noisy, sequence.positions[seen]))
            cores = [window.core(block) for window, block in zip(windows, latents, strict=True)]
            whole = torch.cat(cores, dim=1).mean(1, keepdim=True)
            for (seen, _), block in zip(windows, latents, strict=True):
                decoded = network.decode(whole if self.encoder.pooled else block, sequence.positions[seen])
                filled = sequence.filled[seen]
                errors.append(((decoded - clean[:, seen]).pow(2) * filled).sum() / (filled.sum() * len(weights)))
            embeddings.append(self.project(whole[:, 0]))
        reconstruction = torch.stack(errors).mean()
        if self.beta == 1:
            return reconstruction
        return self.beta * reconstruction + (1 - self.beta) * nt_xent(*embeddings, TEMPERATURE)


def permuted(weights: torch.Tensor, layout: Layout, rng: np.random.Generator) -> torch.Tensor:
    """Return flat weights (n, n_weights) with the channels of each network permuted, which changes no output."""
    places = [permutation_index(layout, random_permutations(layout, rng)) for _ in weights]
    return weights.gather(1, torch.from_numpy(np.stack(places)).to(weights.device))


def with_noise(tokens: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Return standardised tokens with noise added and some numbers erased (section 2.5)."""
    generator = torch.Generator(tokens.device).manual_seed(int(rng.integers(2**63)))
    noisy = tokens + NOISE * torch.randn(tokens.shape, generator=generator, device=tokens.device)
    return noisy * (torch.rand(tokens.shape, generator=generator, device=tokens.device) >= ERASE)


def prepare(data: EncoderData, settings: TokenSettings) -> Training:
    """Prepare the fit of an encoder to whole snapshots."""
    device = data.job.device
    zoos = {part: [snapshots, *data.further[part]] for part, snapshots in data.parts.items()}
    latent = min(settings.latent_size(zoo.layout) for zoo in zoos["train"])
    zoos["train"] += data.others
    layouts = list(dict.fromkeys(zoo.layout for zoo in zoos["train"]))
    for layout in layouts:
        permutable(layout)  # raises for networks of unknown architecture
    encoder = TokenEncoder(list(map(layout_to_text, layouts)), settings.size, latent, settings.pooled, SHAPE)
    for layout in layouts:
        standardise(encoder.sequence(layout), [zoo for zoo in zoos["train"] if zoo.layout == layout])
    module = ViewLoss(encoder, settings.beta, settings.windows, settings.permute).to(device)
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
                total = module(weights, zoo.layout, rng)
                if behaviour_loss and zoo not in data.others:
                    own = encoder.of(zoo.layout)
                    total = total + behaviour_loss(zoo, places, own.decode(own.encode(weights)))
                losses.append(total * len(places) / len(rows))
        return torch.stack(losses).sum()

    counts = {part: int(edges[-1]) for part, edges in starts.items()}
    return Training(encoder, loss, counts, trained=module)


def standardise(sequence: TokenSequence, zoos: Sequence[Snapshots]) -> None:
    """Set means, deviations and minimum running variances of each named parameter over training snapshots."""
    for entry in sequence.layout.entries:
        values = np.concatenate([read_weights(zoo.zoo, columns=entry.columns) for zoo in zoos])
        mean = values.mean(axis=0)
        deviation = float(np.sqrt(((values - mean) ** 2).mean()))
        sequence.mean[entry.columns] = torch.as_tensor(mean)
        sequence.scale[entry.columns] = deviation or 1.0
        if entry.variance:
            sequence.least[entry.columns] = float(values.min())
