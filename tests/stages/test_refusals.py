"""What an architecture lacks is refused before any job, by the key at fault."""

import pytest

from tests.stages.kinds import KINDS, config_of, register_plugins
from wsl.errors import ConfigError
from wsl.runs.run import Run


@pytest.fixture(autouse=True, scope="module")
def plugins():
    register_plugins()


@pytest.mark.parametrize(
    ("label", "sections", "message"),
    [
        ("plug-in without bias", {"weights": {"align": True}}, "weights.align: .*toy-linear has no permutation"),
        (
            "plug-in without bias",
            {"weights": {"encoder": {"name": "contrastive", "permute": True}}},
            "weights.encoder.permute: the architecture toy-linear has no permutation symmetry",
        ),
        ("plug-in without bias", {"sampling": {"sampler": "generator"}}, "sampling.samplers: `generator` infers"),
        (
            "vit",
            {"evaluation": {"bench": {"search": {"steps": 2, "features": 1}}}},
            "evaluation.bench.search.features: the architecture vit has no residual blocks",
        ),
    ],
)
def test_a_config_that_an_architecture_cannot_serve_is_refused(label, sections, message):
    with pytest.raises(ConfigError, match=message):
        Run({**config_of(KINDS[label]), **sections})


def test_networks_without_a_bias_have_no_baseline_with_a_new_head():
    from wsl.sampling.inputs import compared

    heads = {"prototypes", "probe"}
    assert heads < set(compared(Run(config_of(KINDS["plug-in"]))))
    assert not heads & set(compared(Run(config_of(KINDS["plug-in without bias"]))))
