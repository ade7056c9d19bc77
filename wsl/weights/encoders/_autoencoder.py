"""The second stage of compression: an autoencoder of normalised coefficients (section 3.2.1, eq. 3.1)."""

from collections.abc import Sequence

import torch
from torch import nn

from wsl.training.fitting import Standardiser, mlp
from wsl.weights.coefficients import LinearCodec
from wsl.weights.fitted import CoefficientEncoder
from wsl.weights.training import EncoderData, Training


class WeightAutoencoder(nn.Module):
    """C_m -> z_W -> C_m, with normalisation by training statistics at both ends.

    Without ``latent``, the size of z_W, coefficients are only normalised. Hidden layers are mirrored in the decoder;
    without any, encoder and decoder are linear (the thesis).
    """

    def __init__(self, coefficients: int, latent: int | None, hidden: Sequence[int] = (), dropout: float = 0.0):
        super().__init__()
        self.encoder = self.decoder = nn.Identity()
        if latent is not None:
            self.encoder = mlp([coefficients, *hidden, latent], dropout)
            self.decoder = mlp([latent, *reversed(hidden), coefficients], dropout)
        self.normalised = Standardiser(coefficients)

    def encode(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Return z_W (n, latent) of C (n, coefficients)."""
        return self.encoder(self.normalised(coefficients))

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return C (n, coefficients) of z_W (n, latent)."""
        return self.normalised.inverse(self.decoder(latents))

    def loss(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Return eq. 3.1 over normalised coefficients: squared norm of the error, averaged over models."""
        normalised = self.normalised(coefficients)
        return (self.decoder(self.encoder(normalised)) - normalised).pow(2).sum(1).mean()


class PcaEncoder(CoefficientEncoder):
    """W -> C_m -> z_W by PCA and ``WeightAutoencoder``, which describes the arguments."""

    def __init__(self, linear: LinearCodec, latent: int | None, hidden: Sequence[int] = (), dropout: float = 0.0):
        super().__init__(linear)
        self.autoencoder = WeightAutoencoder(linear.n_coefficients, latent, hidden, dropout)
        self.latent = linear.n_coefficients if latent is None else latent
        self.about = {"latent": latent, "hidden": list(hidden), "dropout": dropout}

    def encode_coefficients(self, coefficients: torch.Tensor) -> torch.Tensor:
        return self.autoencoder.encode(coefficients)

    def decode_coefficients(self, latents: torch.Tensor) -> torch.Tensor:
        return self.autoencoder.decode(latents)


def prepare(
    data: EncoderData,
    normalise: str,
    latent: int | None = None,
    hidden: Sequence[int] = (),
    dropout: float = 0.0,
    behaviour: float = 0.0,
) -> Training:
    """Prepare the fit of ``WeightAutoencoder`` to training coefficients (eq. 3.1).

    ``normalise`` is that of ``wsl.training.fitting.Standardiser.fit``; ``behaviour`` weights the behaviour loss.
    """
    encoder = PcaEncoder(data.linear, latent, hidden, dropout).to(data.job.device)
    autoencoder = encoder.autoencoder
    autoencoder.normalised.fit(data.coefficients["train"], normalise, data.owners(normalise))
    behaviour_loss = data.behaviour(behaviour)

    def loss(part: str, rows: torch.Tensor) -> torch.Tensor:
        values = data.coefficients[part][rows.to(data.job.device)]
        total = autoencoder.loss(values)
        if behaviour_loss:
            decoded = encoder.decode(autoencoder.encode(values))
            total = total / values.shape[1] + behaviour_loss(data.parts[part], rows.tolist(), decoded)
        return total

    return Training(encoder, loss, {part: len(values) for part, values in data.coefficients.items()})
