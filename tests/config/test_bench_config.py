"""The config of the bench of weight encoders."""

import pytest

from wsl.config.schema import load_config
from wsl.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        ("pca-ae", {}, "the run's own has this name; choose another"),
        ("x", {"encodr": "pca"}, "encodr: unknown key; the keys here are encoder"),
        ("x", {"encoder": {"latent": 0}}, "encoder.latent: .*greater than or equal to 1"),
        ("x", {"autoencoder": {"latent": 3}}, "autoencoder: a key of an earlier version; .* settings of `encoder`"),
        ("x", {"align": True}, "align: unknown key; the keys here are encoder, components, budget, gate"),
    ],
)
def test_an_impossible_encoder_on_the_bench_is_refused(name, keys, message):
    with pytest.raises(ConfigError, match=rf"evaluation.bench.encoders.{name}.*{message}"):
        load_config({"run": "a", "evaluation": {"bench": {"encoders": {name: keys}}}})


def test_encoders_on_the_bench_differ_only_in_the_keys_that_they_set():
    named = {"small": {"encoder": {"latent": 3}}, "plain": {"encoder": "pca", "budget": 9}}
    weights = {"components": 5, "encoder": {"epochs": 7}}
    raw = {"run": "a", "weights": weights, "evaluation": {"bench": {"encoders": named}}}
    first, small, plain = load_config(raw).encoders().values()
    encoders = [(section.encoder.name, section.components, section.budget) for section in (first, small, plain)]
    assert encoders == [("pca-ae", 5, None), ("pca-ae", 5, None), ("pca", 5, 9)]
    assert [(section.encoder.latent, section.encoder.epochs) for section in (first, small)] == [(64, 7), (3, 7)]


def test_a_search_applies_to_the_encoders_that_it_names():
    bench = {"encoders": {"plain": {"encoder": "pca"}}, "search": {"steps": 9, "encoders": ["plain"]}}
    loaded = load_config({"run": "a", "evaluation": {"bench": bench}})
    assert [loaded.search_with(name).steps for name in ("plain", "pca-ae")] == [9, 0]
    bench["search"] = {"steps": 9}
    loaded = load_config({"run": "a", "evaluation": {"bench": bench}})
    assert [loaded.search_with(name).steps for name in ("plain", "pca-ae")] == [9, 9]
    bench["search"] = {"encoders": ["plane"]}
    with pytest.raises(ConfigError, match="plane is not on the bench; there are pca-ae, plain"):
        load_config({"run": "a", "evaluation": {"bench": bench}})


def test_an_encoder_that_does_not_decode_is_only_for_the_bench_or_a_run_without_images():
    with pytest.raises(ConfigError, match=r"weights.encoder: statistics does not decode.*pca-ae.*evaluation.bench"):
        load_config({"run": "a", "weights": {"encoder": "statistics"}})
    without = {"images": {"source": {"name": "none"}}, "zoo": {"import": "zoos/theirs"}}
    assert load_config({"run": "a", "weights": {"encoder": "flat"}, **without}).weights.encoder.name == "flat"
    bench = {"encoders": {"s": {"encoder": "statistics"}}, "search": {"steps": 9}}
    loaded = load_config({"run": "a", "evaluation": {"bench": bench}})
    assert [loaded.search_with(name).steps for name in ("s", "pca-ae")] == [0, 9]
    bench["search"]["encoders"] = ["s"]
    with pytest.raises(ConfigError, match=r"search.encoders: s does not decode"):
        load_config({"run": "a", "evaluation": {"bench": bench}})
