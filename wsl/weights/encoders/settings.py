"""Which function trains a weight encoder, and with what settings: no torch, since every start of a run asks."""

from typing import Any

from wsl.weights.encoders.tokens import latent_a_token
from wsl.weights.settings import Weights
from wsl.zoo.layout import Layout

NETWORK = ("size", "width", "depth", "heads", "window", "halo")


def training_of(weights: Weights, layout: Layout) -> tuple[str, dict[str, Any]]:
    """Return the dotted name of the function that trains the encoder of a section, and its own settings.

    Raises:
        ConfigError: the latent is too small for the tokens.
    """
    kind, autoencoder = weights.encoder, weights.autoencoder
    layers = {"hidden": autoencoder.hidden, "dropout": autoencoder.dropout}
    if kind in ("pca", "pca-ae"):
        latent = None if kind == "pca" else autoencoder.latent
        return "wsl.weights.encoders.pca.train_pca", {**layers, "latent": latent, "normalise": weights.normalise}
    if kind == "ae-pca":
        own = {**layers, "share": weights.share, "components": weights.components}
        return "wsl.weights.encoders.ae_pca_training.train_ae_pca", own
    tokens, latent = weights.tokens, autoencoder.latent
    own = {
        "kind": kind,
        "latent": latent_a_token(layout, tokens.size, latent) if kind == "sane" else latent,
        "network": {key: getattr(tokens, key) for key in NETWORK},
        "views": tokens.views.model_dump(),
        **{key: getattr(tokens, key) for key in ("centre", "beta", "temperature", "windows")},
    }
    return "wsl.weights.encoders.token_training.train_tokens", own
