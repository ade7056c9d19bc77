"""The sampler `autoregressive`: its transformer over codes, given D, R and the architecture; training and sampling."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from wsl.files.plain import Files, write_csv
from wsl.files.tensors import read_tensors, write_tensors
from wsl.images.reading import task_classes
from wsl.jobs.job import Job
from wsl.outcomes.bins import read_bins
from wsl.sampling.methods.autoregressive import AutoregressiveSettings
from wsl.sampling.residual_flow import WaveFeatures
from wsl.shared.pairs import load_pairs
from wsl.training.fitting import Standardiser, fit
from wsl.weights.fitted import load_encoder

HEADS = 4  # of attention
FREQUENCIES = 4  # of the waves that represent the outcome
Past = tuple[torch.Tensor, torch.Tensor]  # keys and values of earlier positions, (n, heads, positions, size)


class Block(nn.Module):
    """A block of a causal transformer, normalised before attention and before the MLP."""

    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.out, self.rate = nn.Linear(width, 3 * width), nn.Linear(width, width), dropout
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, past: Past | None) -> tuple[torch.Tensor, Past]:
        """Return new values of positions (n, t, width) and the past of the next call.

        With a past, the positions follow it and t is 1.
        """
        query, key, value = (
            part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in self.attend(self.before(x)).chunk(3, 2)
        )
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        rate = self.rate if self.training else 0.0
        attended = functional.scaled_dot_product_attention(query, key, value, dropout_p=rate, is_causal=past is None)
        x = x + self.dropout(self.out(attended.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.mlp(self.between(x))), (key, value)


class TokenPrior(nn.Module):
    """P(codes | D, R, architecture) as a product over the codes in their order.

    A prefix comes before the codes: one position for each class of D, one for R and one for the architecture.

    Args:
        codebook: number of entries, and of numbers per entry.
        tokens: codes of a network, T.
        dataset: number of classes, and of numbers per class in z_D.
        bins: number of outcome bins.
        width, depth, dropout: of the transformer.
        architectures: number of architectures, each with an embedding.
    """

    def __init__(
        self,
        codebook: tuple[int, int],
        tokens: int,
        dataset: tuple[int, int],
        bins: int,
        width: int,
        depth: int,
        dropout: float,
        architectures: int = 1,
    ):
        super().__init__()
        self.shape = {"codebook": list(codebook), "tokens": tokens, "dataset": list(dataset), "bins": bins}
        self.shape |= {"width": width, "depth": depth, "dropout": dropout, "architectures": architectures}
        (entries, dim), (self.classes, features) = codebook, dataset
        self.tokens, self.last = tokens, max(bins - 1, 1)
        self.register_buffer("codebook", torch.zeros(entries, dim))
        self.datasets, self.waves = Standardiser(features), WaveFeatures(FREQUENCIES)
        self.of_class, self.of_outcome = nn.Linear(features, width), nn.Linear(self.waves.size, width)
        self.of_architecture, self.of_code = nn.Embedding(architectures, width), nn.Embedding(entries, width)
        self.places = nn.Embedding(self.classes + 2 + tokens, width)
        for table in (self.of_architecture, self.of_code, self.places):
            nn.init.normal_(table.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(width, dropout) for _ in range(depth))
        self.norm, self.read = nn.LayerNorm(width), nn.Linear(width, entries)

    def prefix(self, datasets: torch.Tensor, positions: torch.Tensor, architecture: int = 0) -> torch.Tensor:
        """Return the prefix (n, classes + 2, width) of z_D (n, classes * features) and outcome positions (n,)."""
        classes = self.of_class(self.datasets(datasets.unflatten(1, (self.classes, -1))))
        outcome = self.of_outcome(self.waves(positions.float() / self.last))
        network = self.of_architecture.weight[architecture].expand_as(outcome)
        return torch.cat([classes, torch.stack([outcome, network], 1)], 1)

    def run(self, inputs: torch.Tensor, past: list[Past] | None = None) -> tuple[torch.Tensor, list[Past]]:
        """Return the logits after each input (n, t, entries) and the past of the next call.

        ``inputs`` (n, t, width) are the prefix and embeddings of codes, from the start or after ``past``.
        """
        start = 0 if past is None else past[0][0].shape[2]
        x, kept = inputs + self.places.weight[start : start + inputs.shape[1]], []
        for place, block in enumerate(self.blocks):
            x, of_block = block(x, None if past is None else past[place])
            kept.append(of_block)
        return self.read(self.norm(x)), kept

    def forward(self, codes: torch.Tensor, datasets: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Return the logits of each code (n, T, entries), given those before it; see ``prefix``."""
        prefix = self.prefix(datasets, positions)
        logits, _ = self.run(torch.cat([prefix, self.of_code(codes[:, :-1])], 1))
        return logits[:, prefix.shape[1] - 1 :]


class Choosing(NamedTuple):
    """How a code is drawn from its logits, see ``AutoregressiveSettings``."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the probabilities (n, entries) to draw from."""
        if not self.temperature:
            return functional.one_hot(logits.argmax(1), logits.shape[1]).float()
        probabilities = (logits / self.temperature).softmax(1)
        values, order = probabilities.sort(dim=1, descending=True, stable=True)
        before = values.cumsum(1) - values  # a code is kept if those more likely do not reach top_p
        kept = before < self.top_p
        if self.top_k:
            kept[:, self.top_k :] = False
        return torch.zeros_like(probabilities).scatter(1, order, values * kept)


@torch.no_grad()
def sample_codes(
    prior: TokenPrior, datasets: np.ndarray, positions: np.ndarray, choosing: Choosing, seed: int
) -> torch.Tensor:
    """Return codes, int64 (n, T), drawn one by one.

    Args:
        prior: in evaluation mode.
        datasets: z_D (n, classes * features).
        positions: of outcomes on the axis of bins (n,).
        choosing: how codes are drawn.
        seed: of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    inputs, past, codes = prior.prefix(torch.from_numpy(datasets), torch.from_numpy(positions)), None, []
    for _ in range(prior.tokens):
        logits, past = prior.run(inputs, past)
        codes.append(torch.multinomial(choosing.probabilities(logits[:, -1]), 1, generator=generator))
        inputs = prior.of_code(codes[-1])
    return torch.cat(codes, 1)


def load_prior(path: str | Path) -> TokenPrior:
    """Load a trained prior, in evaluation mode, on the CPU."""
    state, shape = read_tensors(path)
    prior = TokenPrior(**shape)
    prior.load_state_dict(state)
    return prior.eval()


@dataclass(frozen=True)
class PriorFiles:
    """Input files of ``fit_prior``."""

    train: str | Path  # z_W of training snapshots
    validation: str | Path  # z_W of validation snapshots
    class_means: Files  # one file per class, or a list of them
    bins: str | Path  # outcome bins
    encoder: str | Path  # the weight encoder `vq`


def fit_prior(
    inputs: PriorFiles,
    out: str | Path,
    history: str | Path,
    settings: AutoregressiveSettings,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Train the prior on the cross-entropy of each code of the training snapshots, given those before it.

    Args:
        inputs: codes, conditions and the encoder.
        out: safetensors file of the prior.
        history: CSV, one row per epoch; losses are in nats per code.
        settings: of the network and its training.
        job: seed of initial weights, batches, dropout and image counts.
    """
    device, encoder = job.device, load_encoder(inputs.encoder, None)
    pairs, codes = {}, {}
    for part, path in (("train", inputs.train), ("validation", inputs.validation)):
        pairs[part] = load_pairs(path, inputs.class_means, inputs.bins, "latent", settings.image_counts).to(device)
        latents = pairs[part].codes.to("cpu").unflatten(1, (encoder.tokens, -1))
        codes[part] = torch.cat([encoder.nearest(some) for some in latents.split(256)]).to(device)
    train = pairs["train"]
    classes = len(task_classes(train.snapshots["task"].iloc[0]))
    features = train.datasets.shape[2] // classes
    torch.manual_seed(job.seed)
    prior = TokenPrior(
        tuple(encoder.codebook.shape),
        encoder.tokens,
        (classes, features),
        len(read_bins(inputs.bins).counts),
        settings.width,
        settings.depth,
        settings.dropout,
    ).to(device)
    prior.codebook.copy_(encoder.codebook)
    prior.datasets.fit(train.datasets.reshape(-1, features))

    def loss_of(part: str, indices: torch.Tensor) -> torch.Tensor:
        chosen = indices.to(device)
        datasets, positions, _ = pairs[part].batch(chosen, random=part == "train")
        logits = prior(codes[part][chosen], datasets, positions)
        return functional.cross_entropy(logits.flatten(0, 1), codes[part][chosen].flatten())

    counts = {part: len(rows) for part, rows in pairs.items()}
    write_csv(history, fit(prior, loss_of, counts, settings, job.seed, progress=job.progress))
    write_tensors(out, prior.state_dict(), prior.shape)
