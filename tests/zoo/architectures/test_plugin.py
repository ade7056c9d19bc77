"""An architecture in one file outside the package: its names, tokens and symmetries; tests/stages runs all stages."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import plan_row
from wsl.config.schema import load_config
from wsl.errors import DataError
from wsl.weights.alignment import match
from wsl.weights.encoders.tokens import tokens_of
from wsl.weights.symmetry import permutable, permutation_index, random_permutations
from wsl.zoo.architectures.base import Architecture, Axis
from wsl.zoo.cohort import train_cohort
from wsl.zoo.foreign.exporting import export_zoo
from wsl.zoo.foreign.importing import import_zoo
from wsl.zoo.foreign.options import ImportOptions
from wsl.zoo.member import read_member

TOY = str(Path(__file__).parents[2] / "plugins" / "toy_architecture.py")
RAW = {"run": "toy", "plugins": [TOY], "zoo": {"architecture": {"name": "toy-mlp", "hidden": 5}}}


@pytest.fixture(scope="module")
def toy(packed, tmp_path_factory):
    """A member of the toy architecture."""
    path = tmp_path_factory.mktemp("toy") / "0.h5"
    train_cohort([packed[name] for name in "012"], path, [plan_row()], load_config(RAW).zoo.member_training())
    return path


def test_a_member_has_its_name_and_settings(toy):
    member = read_member(toy)
    assert (member.plan["architecture"], member.plan["hidden"]) == ("toy-mlp", 5)
    assert json.loads(member.layout.architecture) == {"hidden": 5, "name": "toy-mlp"} and member.layout.image_size == 16
    assert member.layout.head == ("4.weight", "4.bias") and not member.layout.counters


def test_its_layers_are_split_into_tokens_with_their_biases(toy):
    tokens = tokens_of(read_member(toy).layout, 20)
    assert set(tokens.positions[:, 1]) == {0, 1}


def test_its_symmetries_are_those_of_its_hidden_units(toy):
    (axes,) = permutable(read_member(toy).layout).values()
    assert axes == (Axis("2.weight", 0, 5), Axis("2.bias", 0, 5), Axis("4.weight", 1, 5))


def test_without_symmetries_nothing_is_permuted_and_alignment_is_refused(toy, monkeypatch):
    layout = read_member(toy).layout
    monkeypatch.setattr(Architecture, "channel_groups", lambda self, layout: {})
    layout = layout._replace(counters=("another", "layout"))  # groups of each layout are kept
    places = permutation_index(layout, random_permutations(layout, np.random.default_rng(0)))
    assert np.array_equal(places, np.arange(layout.size))
    with pytest.raises(DataError, match=r"the architecture toy-mlp has no permutation symmetry.*set weights.align"):
        match(np.zeros(layout.size), np.zeros(layout.size), layout)


def test_an_import_recognises_its_settings(toy, tmp_path):
    assert export_zoo([toy], tmp_path / "theirs").members == 1
    done = import_zoo(tmp_path / "theirs", tmp_path / "ours", ImportOptions(shares=(1, 0, 0)))
    assert done.recognised["architecture"] == "toy-mlp" and done.recognised["hidden"] == 5
    assert read_member(tmp_path / "ours" / "members" / "00000.h5").layout == read_member(toy).layout
