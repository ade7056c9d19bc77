# What encodes weights: files of the first stage, and which function trains the encoder W <-> z_W, from what.

from wsl.weights.encoders.settings import training_of

WEIGHTS = RUN.config.weights
FITTED_FILES, GATED_FILES = (
    [f"{OUT}/weights/{folder}/{entry.name}.h5" for entry in RUN.layout.entries] for folder in ("pca", "gated")
)
PCA_FILES = FITTED_FILES if WEIGHTS.budget is None else GATED_FILES
# Of so many numbers or fewer: fitted in one job, since most of a job of theirs would be the start of an interpreter.
SMALL = 2**14
LARGE = 2**18  # from so many on, a GPU's work is worth its start
SMALL_NAMES = [entry.name for entry in RUN.layout.entries if entry.size <= SMALL]
PCA_KEYS = ("variance_threshold", "dimension_limit", "components", "explained_variance", "solver")
INDICES = {f"{part}_index": index_of(part) for part in ("train", "validation")}
COEFFICIENTS = {part: f"{OUT}/weights/coefficients/{part}.h5" for part in ("train", "validation")}


def pca_settings(names, **changes):
    """How the first stage of named parameters is fitted."""
    keys = {key: getattr(WEIGHTS, key) for key in PCA_KEYS} | changes
    return settings(names=names, seed=RUN.seed("pca"), orders=WEIGHTS.orders, **keys)


def orders_of(part):
    """Class orders of a part's snapshots; the same seed as PCA's, so that both see the same orders."""
    return settings(seed=RUN.seed("pca"), orders=WEIGHTS.orders if part == "train" else 1)


def zoos_beside(weights):
    """Further zoos that an encoder of tokens learns from."""
    runs = weights.tokens.runs if weights.encoder in ("contrastive", "sane") else ()
    return [f"results/{run}/zoo/train.h5" for run in runs]


def encoder_inputs():
    """What the run's weight encoder is trained on, beside whole snapshots."""
    files = {**COEFFICIENTS, "fitted": PCA_FILES} if WEIGHTS.encoder in ("pca", "pca-ae") else {}
    if zoos_beside(WEIGHTS):
        files["also"] = zoos_beside(WEIGHTS)
    if WEIGHTS.autoencoder.behaviour.weight:
        files["packed"] = PACKED
    return files


def common_settings(weights):
    """What the training of every weight encoder is told."""
    autoencoder = weights.autoencoder
    return {
        "checkpoint_count": autoencoder.checkpoints,
        "recipe": recipe_of(autoencoder),
        "seed": RUN.seed("autoencoder"),
        "orders": weights.orders,
        "orders_seed": RUN.seed("pca"),
        "behaviour": autoencoder.behaviour if autoencoder.behaviour.weight else None,
    }


def bench_settings(name):
    """How an encoder on the bench is trained and measured."""
    weights = ON_BENCH[name]
    training, own = training_of(weights, RUN.layout)
    return settings(
        training=training.rpartition(".")[2],
        own=own,
        common=common_settings(weights),
        **{key: getattr(weights, key) for key in ("components", "budget", "gate")},
        shared={"settings": RUN.config.shared, "seed": RUN.seed("shared")} if RUN.config.evaluation.bench.shared else None,
        search=RUN.config.search_with(name).model_dump(exclude={"encoders"}),
        seed=RUN.seed("search"),
    )


def share_of(weights):
    """How much of the compression the first of two stages does: of none where PCA does all."""
    if weights.encoder == "ae-pca":
        return weights.share
    return 0.0 if weights.encoder == "pca" and weights.budget is None else None


TRAIN_ENCODER, ENCODER_SETTINGS = training_of(WEIGHTS, RUN.layout)
ON_BENCH = RUN.config.encoders() if RUN.config.evaluation.bench.encoders else {}
