"""The config's sections of samplers: refused values and defaults."""

import pytest

from wsl.config.schema import load_config
from wsl.errors import ConfigError


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("sampling", {"sampler": "magic"}, "sampling.sampler: unknown sampler; the samplers are .*projection.*'magic'"),
        ("sampling", {"samplers": []}, "sampling.samplers: .*at least 1 item"),
        ("sampling", {"samplers": ["flow", "flow"]}, "sampling.samplers: .*named twice"),
        ("sampling", {"flow": {"directions": 0}}, "sampling.flow.directions: .*greater than or equal to 1"),
        ("sampling", {"regression": {"image_counts": [-1]}}, "sampling.regression.image_counts.0: .*or equal to 0"),
        ("sampling", {"samplers": ["probe"]}, "sampling.samplers.0: unknown sampler"),
        ("sampling", {"retrieval": {"space": "latent"}}, "sampling.retrieval: .*no longer a setting"),
        ("sampling", {"norm": "raw"}, "sampling.norm: .*now sampling.projection.norm"),
        ("shared", {"losses": {"nt_xent": 0}}, "shared.losses: every weight is 0"),
        ("shared", {"losses": {"cosine": -1}}, "shared.losses.cosine: .*greater than or equal to 0"),
    ],
)
def test_invalid_values_are_refused(section, changes, message):
    with pytest.raises(ConfigError, match=message):
        load_config({"run": "test", section: changes})


def weights(losses):
    return {name: settings["weight"] for name, settings in losses.model_dump().items()}


def test_a_loss_given_alone_joins_the_default_one():
    loaded = load_config({"run": "test", "shared": {"losses": {"mse": 2}}})
    assert weights(loaded.shared.losses) == {"nt_xent": 1, "mse": 2, "cosine": 0, "norm": 0}
    assert weights(loaded.sampling.regression.losses) == {"nt_xent": 0, "mse": 1, "cosine": 0, "norm": 0}


def test_the_default_sampler_is_the_thesis():
    loaded = load_config({"run": "test"})
    assert loaded.sampling.sampler == "projection" and loaded.sampling.draws == 1
    assert weights(loaded.shared.losses) == {"nt_xent": 1, "mse": 0, "cosine": 0, "norm": 0}
    assert not loaded.outcomes.interpolate
