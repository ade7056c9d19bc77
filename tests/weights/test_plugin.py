"""A weight encoder of a plug-in: selected by the config, fitted and loaded."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wsl.config.schema import load_config
from wsl.errors import ConfigError
from wsl.runs.disk import disk_needs
from wsl.runs.run import Run
from wsl.settings.registry import plugin_module
from wsl.settings.sections import plain
from wsl.weights.codec import embed_part, load_codec, read_latents
from wsl.weights.encoders.base import WEIGHT_ENCODERS

PLUGIN = Path(__file__).parents[1] / "plugins" / "toy_weight_encoder.py"
CONFIG = {"run": "toy", "plugins": [str(PLUGIN)], "zoo": {"architecture": {"width": 2}}}


@pytest.fixture
def rotation():
    """The settings of the encoder ``rotation``; its registration is undone afterwards."""
    yield {"name": "rotation", "latent": 5, "epochs": 40, "learning_rate": 0.05, "batch_size": 3}
    WEIGHT_ENCODERS._entries.pop("rotation", None)
    sys.modules.pop(plugin_module(PLUGIN), None)


def test_the_config_selects_and_checks_it(rotation):
    config = load_config({**CONFIG, "weights": {"encoder": rotation}})
    assert plain(config.weights.encoder)["latent"] == 5 and config.weights.encoder.name == "rotation"
    with pytest.raises(ConfigError, match=r"weights.encoder.lattent: unknown key; the keys here are .*latent"):
        load_config({**CONFIG, "weights": {"encoder": {"name": "rotation", "lattent": 5}}})
    bench = load_config({**CONFIG, "evaluation": {"bench": {"encoders": {"toy": {"encoder": rotation}}}}})
    assert bench.encoders()["toy"].encoder.latent == 5
    run = Run({**CONFIG, "weights": {"encoder": rotation}})
    few = Run({**CONFIG, "weights": {"encoder": {**rotation, "latent": 2}}})
    assert disk_needs(run)["weight encoder"] == 2 * disk_needs(few)["weight encoder"]


def test_it_is_fitted_loaded_and_decoded(rotation, zoo, pca_files, train_encoder, weights, tmp_path):
    load_config({**CONFIG, "weights": {"encoder": rotation}})
    encoder, history, _ = train_encoder(rotation, **pca_files)
    losses = pd.read_csv(history)["train_loss"]
    assert losses.iloc[-1] < losses.iloc[0]
    codec = load_codec(zoo.train, pca_files["fitted"], encoder)
    embed_part(zoo.train, pca_files["train"], pca_files["fitted"], encoder, tmp_path / "latents.h5", orders=1, seed=0)
    latents, _ = read_latents(tmp_path / "latents.h5")
    assert latents.shape == (6, 5) and codec.encode(weights) == pytest.approx(latents, abs=1e-3)
    assert np.isfinite(codec.decode(latents)).all() and codec.decode(latents).shape == weights.shape
