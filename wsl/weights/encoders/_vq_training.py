"""The fit of `vq`: errors of chunks behind a quantiser, whose codebook follows running means of the chunks."""

import torch
from torch import nn
from vector_quantize_pytorch import VectorQuantize

from wsl.weights.encoders._token_training import standardise
from wsl.weights.encoders._vq import VqEncoder, counts_of, use_of
from wsl.weights.encoders.vq import Vq
from wsl.weights.training import EncoderData, Training
from wsl.zoo.layout import Layout, layout_to_text

DECAY = 0.95  # of the running means of the codebook, per step
SHAPE = ("cut", "size", "codes", "entries", "dim", "width", "depth")  # settings of the module


class Quantised(nn.Module):
    """An encoder with the quantiser of its fit.

    Args:
        encoder: fitted; its own codebook is set by ``finish``.
        settings: of the fit.
        chunks: number of chunks per step, of which the use of an entry is counted.
        steps: planned number of training steps.
    """

    def __init__(self, encoder: VqEncoder, settings: Vq, chunks: int, steps: int):
        super().__init__()
        drawn = settings.quantiser == "gumbel"
        self.encoder, self._temperature, self._steps = encoder, settings.temperature, steps
        self.quantiser = VectorQuantize(
            settings.dim,
            settings.entries,
            decay=DECAY,
            kmeans_init=True,
            threshold_ema_dead_code=settings.restart * chunks / settings.entries,
            commitment_weight=settings.commitment,
            stochastic_sample_codes=drawn,
            straight_through=drawn,
            rotation_trick=False,  # gradients straight through, also those of a behaviour loss
        )
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        sequence = encoder.sequence
        shares = shares_of(sequence.layout, settings.balance)
        self.register_buffer("shares", shares[sequence.places] * sequence.filled, persistent=False)

    def forward(self, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the loss of flat weights (n, n_weights), their codes (n, T), and their decoded chunks.

        In evaluation mode the loss is the error alone, without the distances of chunks to their entries.
        """
        temperature = self._temperature * (1 - self.step.item() / self._steps)
        entries, codes, commitment = self.quantiser(
            self.encoder.vectors(weights), sample_codebook_temp=max(temperature, 0.0)
        )
        self.step += self.training
        chunks = self.encoder.chunks(entries)
        errors = (chunks - self.encoder.sequence.cut(weights)).square() * self.shares
        return errors.sum() / len(weights) + commitment, codes, chunks

    def finish(self) -> None:
        """Set the codebook of the encoder."""
        self.encoder.codebook.copy_(self.quantiser.codebook)


def shares_of(layout: Layout, balance: float) -> torch.Tensor:
    """Return the share of each number (n_weights,) in the loss; a named parameter has size^(1 - balance) of them."""
    shares = torch.cat([torch.full((entry.size,), float(entry.size) ** -balance) for entry in layout.entries])
    return shares / shares.sum()


def prepare(data: EncoderData, settings: Vq) -> Training:
    """Prepare the fit of an encoder to whole snapshots, with a codebook by k-means of untrained vectors."""
    device, layout = data.job.device, data.training.layout
    encoder = VqEncoder(layout_to_text(layout), **{key: getattr(settings, key) for key in SHAPE})
    standardise(encoder.sequence, [data.training])
    counts = {part: len(snapshots) for part, snapshots in data.parts.items()}
    chunks = encoder.tokens * min(settings.batch_size, counts["train"])
    steps = settings.epochs * -(-counts["train"] // settings.batch_size)
    module = Quantised(encoder, settings, chunks, steps).to(device)
    behaviour_loss = data.behaviour(settings.behaviour)

    def weights_of(part: str, rows: torch.Tensor) -> torch.Tensor:
        return data.parts[part].weights(rows.tolist()).to(device)

    use: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        first = torch.randperm(counts["train"])[: max(settings.batch_size, 2 * settings.entries // encoder.tokens)]
        module.quantiser(encoder.vectors(weights_of("train", first)))

    def loss(part: str, rows: torch.Tensor) -> torch.Tensor:
        weights = weights_of(part, rows)
        total, codes, decoded = module(weights)
        use[part] = use.get(part, 0) + counts_of(codes, settings.entries)
        if behaviour_loss:
            total = total + behaviour_loss(data.parts[part], rows.tolist(), encoder.sequence.join(decoded))
        return total

    def facts() -> dict[str, float]:
        found = {part: use_of(use.pop(part)) for part in counts if part in use}
        return {f"{part}_{name}": value for part, values in found.items() for name, value in values.items()}

    return Training(encoder, loss, counts, module.finish, module, facts)
