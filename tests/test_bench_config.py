"""What the config says of the bench of weight encoders."""

import pytest

from wsl.config.schema import load_config
from wsl.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "keys", "says"),
    [
        ("pca-ae", {}, "the run's own has this name; choose another"),
        ("x", {"encodr": "pca"}, "encodr: unknown key; the keys here are encoder"),
        ("x", {"autoencoder": {"latent": 0}}, "autoencoder.latent: .*greater than or equal to 1"),
        ("x", {"align": True}, "all share the run's; remove it"),
    ],
)
def test_an_encoder_on_the_bench_that_cannot_be_is_refused(name, keys, says):
    with pytest.raises(ConfigError, match=rf"evaluation.bench.encoders.{name}.*{says}"):
        load_config({"run": "a", "evaluation": {"bench": {"encoders": {name: keys}}}})


def test_encoders_on_the_bench_differ_in_what_they_name_alone():
    named = {"small": {"autoencoder": {"latent": 3}}, "plain": {"encoder": "pca", "budget": 9}}
    raw = {"run": "a", "weights": {"components": 5}, "evaluation": {"bench": {"encoders": named}}}
    own, small, plain = load_config(raw).encoders().values()
    assert [(one.encoder, one.components, one.budget, one.autoencoder.latent) for one in (own, small, plain)] == [
        ("pca-ae", 5, None, 64),
        ("pca-ae", 5, None, 3),
        ("pca", 5, 9, 64),
    ]


def test_a_search_is_tried_with_the_encoders_that_it_names():
    bench = {"encoders": {"plain": {"encoder": "pca"}}, "search": {"steps": 9, "encoders": ["plain"]}}
    loaded = load_config({"run": "a", "evaluation": {"bench": bench}})
    assert [loaded.search_with(name).steps for name in ("plain", "pca-ae")] == [9, 0]
    bench["search"] = {"steps": 9}
    loaded = load_config({"run": "a", "evaluation": {"bench": bench}})
    assert [loaded.search_with(name).steps for name in ("plain", "pca-ae")] == [9, 9]
    bench["search"] = {"encoders": ["plane"]}
    with pytest.raises(ConfigError, match="plane is not on the bench; there are pca-ae, plain"):
        load_config({"run": "a", "evaluation": {"bench": bench}})
