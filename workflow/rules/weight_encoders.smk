# What encodes weights: files of the first stage, and which function trains the encoder W <-> z_W, from what.

WEIGHTS = RUN.config.weights
FITTED_FILES, GATED_FILES = (
    [f"{OUT}/weights/{folder}/{entry.name}.h5" for entry in RUN.layout.entries] for folder in ("pca", "gated")
)
PCA_FILES = FITTED_FILES if WEIGHTS.budget is None else GATED_FILES
PCA_KEYS = ("variance_threshold", "dimension_limit", "components", "explained_variance", "solver")
AUTOENCODER = WEIGHTS.autoencoder
BEHAVIOUR = AUTOENCODER.behaviour if AUTOENCODER.behaviour.weight else None
INDICES = {f"{part}_index": index_of(part) for part in ("train", "validation")}
COEFFICIENTS = {part: f"{OUT}/weights/coefficients/{part}.h5" for part in ("train", "validation")}
LAYERS = {"hidden": AUTOENCODER.hidden, "dropout": AUTOENCODER.dropout}


def orders_of(part):
    """Class orders of a part's snapshots; the same seed as PCA's, so that both see the same orders."""
    return settings(seed=RUN.seed("pca"), orders=WEIGHTS.orders if part == "train" else 1)


def encoder():
    """The function that trains the weight encoder, its own inputs and its own settings."""
    kind = WEIGHTS.encoder
    if kind in ("pca", "pca-ae"):
        latent = None if kind == "pca" else AUTOENCODER.latent
        own = {**LAYERS, "latent": latent, "normalise": WEIGHTS.normalise}
        return "wsl.weights.encoders.pca.train_pca", {**COEFFICIENTS, "fitted": PCA_FILES}, own
    if kind == "ae-pca":
        own = {**LAYERS, "share": WEIGHTS.share, "components": WEIGHTS.components}
        return "wsl.weights.encoders.ae_pca_training.train_ae_pca", {}, own
    tokens = WEIGHTS.tokens
    own = {
        "kind": kind,
        "latent": RUN.token_latent(),
        "network": {key: getattr(tokens, key) for key in ("size", "width", "depth", "heads", "window", "halo")},
        **{key: getattr(tokens, key) for key in ("centre", "views", "beta", "temperature", "windows")},
    }
    also = {"also": [f"results/{run}/zoo/train.h5" for run in tokens.runs]} if tokens.runs else {}
    return "wsl.weights.encoders.token_training.train_tokens", also, own


TRAIN_ENCODER, ENCODER_INPUTS, ENCODER_SETTINGS = encoder()
