"""Every method has one label and one colour, independent of the other methods in a table."""

import pytest

from wsl.figures.methods import encoder_colour, method, same_data, strongest_baseline
from wsl.sampling.methods.base import METHODS
from wsl.weights.encoders.base import WEIGHT_ENCODERS

REFERENCES = {"trained", "reconstructed"}
# Baselines that use no image of a task.
UNINFORMED = {"scratch", "start"}
LOOKS = {name: method(name) for name in METHODS}


def test_every_method_of_the_protocol_is_known():
    kinds = {name: look.kind for name, look in LOOKS.items()}
    assert {name for name, kind in kinds.items() if kind == "sampler"} == set(METHODS.of_kind("sampler"))
    assert {name for name, kind in kinds.items() if kind == "reference"} == REFERENCES
    assert {name for name, kind in kinds.items() if kind == "baseline"} == {*same_data(), *UNINFORMED}


def test_samplers_are_in_colour_and_baselines_are_grey():
    def is_grey(colour: str) -> bool:
        return colour == "black" or len({colour[i : i + 2] for i in (1, 3, 5)}) == 1

    for name, look in LOOKS.items():
        assert is_grey(look.colour) == (look.kind != "sampler"), name
    samplers = [look.colour for look in LOOKS.values() if look.kind == "sampler"]
    assert len(set(samplers)) == len(samplers)
    assert len({look.label for look in LOOKS.values()}) == len(LOOKS)


def test_baselines_of_one_colour_have_different_markers():
    looks = [(LOOKS[name].colour, LOOKS[name].marker) for name in same_data()]
    assert len(set(looks)) == len(looks)


def test_an_unknown_method_is_a_sampler_of_a_stable_colour():
    look, again = method("diffusion"), method("diffusion")
    assert (look.label, look.kind) == ("diffusion", "sampler") and look == again
    assert look.colour not in {look.colour for look in LOOKS.values()}
    assert len({method(f"sampler-{i}").colour for i in range(20)}) > 3


def test_encoders_have_the_colours_that_they_declare():
    declared = [(name, gate) for name in WEIGHT_ENCODERS for gate in WEIGHT_ENCODERS[name].colours]
    colours = [encoder_colour(*pair) for pair in declared]
    assert colours == [WEIGHT_ENCODERS[name].colours[gate] for name, gate in declared]
    assert len(set(colours)) == len(colours) > 8


def test_encoders_of_an_unknown_kind_have_a_colour():
    assert encoder_colour("pca", "uniform") != encoder_colour("pca", "function")
    assert encoder_colour("new", "uniform") == encoder_colour("new", "uniform")


@pytest.mark.parametrize(
    "accuracies, strongest",
    [
        ({"trained": 0.99, "reconstructed": 0.9, "flow": 0.8, "nearest": 0.7, "probe": 0.75}, "probe"),
        ({"flow": 0.8, "probe": 0.75, "body-prototypes": 0.76}, "body-prototypes"),
        ({"flow": 0.8, "start": 0.33}, None),
    ],
)
def test_the_strongest_baseline_uses_the_same_data(accuracies, strongest):
    assert strongest_baseline(accuracies) == strongest
