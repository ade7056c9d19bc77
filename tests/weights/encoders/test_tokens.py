"""Tokens hold each number of a network once, and the numbers of a channel together."""

import numpy as np
import pytest

from tests.networks import resnet18_layout
from wsl.weights.encoders.tokens import NOTHING, token_size, tokens_of


@pytest.mark.parametrize(("width", "size"), [(2, 7), (2, 32), (4, 32), (16, 288)])
def test_every_weight_is_in_one_token(width, size):
    layout = resnet18_layout(width, 3)
    tokens = tokens_of(layout, size)
    places = tokens.places[tokens.filled]
    np.testing.assert_array_equal(np.sort(places), np.arange(layout.size))


def test_a_row_is_a_channels_incoming_weights_and_with_shared_norms_its_batch_normalisation():
    layout = resnet18_layout(2, 3)
    tokens = tokens_of(layout, 40, "shared")  # rows of the stem have 3 * 7 * 7 + 4 = 151 numbers
    vector = np.arange(layout.size, dtype=np.float32)[None]
    second = vector[0][tokens.places[4:8].ravel()[:151]]
    named = layout.split(vector[0])
    expected = [*named["conv1.weight"][1].ravel(), *(named[f"bn1.{key}"][1] for key in ("weight", "bias"))]
    np.testing.assert_array_equal(second[:149], expected)
    assert second[149:].tolist() == [named["bn1.running_mean"][1], named["bn1.running_var"][1]]
    assert (tokens.places[7][31:] == NOTHING).all()


def test_batch_normalisation_has_tokens_of_its_own_and_a_bias_stays_with_its_weights():
    layout = resnet18_layout(2, 3)
    tokens, named = tokens_of(layout, 200), layout.split(np.arange(layout.size))
    norm = [named[f"bn1.{key}"][1] for key in ("weight", "bias", "running_mean", "running_var")]
    assert tokens.places[3][:4].tolist() == norm and (tokens.places[3][4:] == NOTHING).all()
    assert tokens.places[1][:147].tolist() == named["conv1.weight"][1].ravel().tolist()
    assert tokens.places[-1][:17].tolist() == [*named["fc.weight"][2], named["fc.bias"][2]]
    assert tokens.positions[:5].tolist() == [[0, 0, 0], [1, 0, 1], [2, 1, 0], [3, 1, 1], [4, 2, 0]]
    assert token_size(layout, "own") == 147 == token_size(layout, "shared") - 4


def test_positions_are_the_place_in_the_sequence_the_layer_and_the_place_in_it():
    tokens = tokens_of(resnet18_layout(2, 3), 200, "shared")  # every row of a narrow network is one token
    assert tokens.positions[:5].tolist() == [[0, 0, 0], [1, 0, 1], [2, 1, 0], [3, 1, 1], [4, 2, 0]]
    assert tokens.positions[-1].tolist() == [len(tokens.positions) - 1, 20, 2]  # 20 convolutions, then the head


def test_networks_of_two_widths_have_tokens_of_one_size_and_the_same_layers():
    narrow, wide = (tokens_of(resnet18_layout(width, 3), 64) for width in (2, 4))
    assert narrow.places.shape[1] == wide.places.shape[1] == 64
    assert len(wide.places) > len(narrow.places)
    assert set(narrow.positions[:, 1]) == set(wide.positions[:, 1]) == set(range(41))  # 20 normalisations
