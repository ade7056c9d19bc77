"""Permuted channels: the network says the same, and so does one that was put back in order."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from tests.networks import resnet18_layout
from wsl.weights import alignment, symmetry
from wsl.weights.alignment import align_part, match
from wsl.weights.symmetry import group_sizes, permutable, permutation_index, random_permutations
from wsl.zoo.architectures.base import Axis
from wsl.zoo.architectures.tracing import traced_groups
from wsl.zoo.index import open_zoo
from wsl.zoo.layout import layout_from
from wsl.zoo.network import flatten, network_for, state_dict

LAYOUT = resnet18_layout(4, 3)


def random_network(seed, layout=LAYOUT):
    """A network all of whose numbers differ, statistics too, so that a forgotten one shows."""
    torch.manual_seed(seed)
    network = network_for(layout)
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point() and value.ndim == 1:
                value.uniform_(0.5, 1.5)
    return flatten(network.state_dict(), layout)[0]


def logits(weights, layout=LAYOUT):
    network = network_for(layout)
    network.load_state_dict(state_dict(weights, layout))
    inputs = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return network.eval()(inputs).numpy()


@pytest.mark.parametrize("width", [2, 16])
def test_outputs_stay_equal_under_any_permutation_of_channels(width):
    layout = resnet18_layout(width, 3)
    weights = random_network(0, layout)
    moved = weights[permutation_index(layout, random_permutations(layout, np.random.default_rng(0)))]
    assert (moved != weights).mean() > 0.3
    np.testing.assert_allclose(logits(moved, layout), logits(weights, layout), atol=1e-4)


@pytest.mark.parametrize("group", group_sizes(LAYOUT))
def test_each_group_alone_leaves_outputs_equal_and_moves_something(group):
    weights = random_network(0)
    order = np.roll(np.arange(group_sizes(LAYOUT)[group]), 1)
    moved = weights[permutation_index(LAYOUT, {group: order})]
    assert (moved != weights).any()
    np.testing.assert_allclose(logits(moved), logits(weights), atol=1e-4)


def test_groups_are_four_streams_and_eight_insides_and_hold_every_channel():
    assert len(group_sizes(LAYOUT)) == 12
    held = {axis.name for axes in permutable(LAYOUT).values() for axis in axes}
    assert held == {entry.name for entry in LAYOUT.entries} - {"fc.bias"}
    assert permutable(LAYOUT)["layer1.0.conv1"] == (
        Axis("layer1.0.conv1.weight", 0, 4),
        *(Axis(f"layer1.0.bn1.{key}", 0, 4) for key in ("weight", "bias", "running_mean", "running_var")),
        Axis("layer1.0.conv2.weight", 1, 4),
    )


def test_matching_puts_a_permuted_network_back_exactly():
    reference = random_network(0)
    moved = reference[permutation_index(LAYOUT, random_permutations(LAYOUT, np.random.default_rng(3)))]
    back = moved[permutation_index(LAYOUT, match(moved, reference, LAYOUT))]
    np.testing.assert_array_equal(back, reference)


class Residual(nn.Linear):
    def forward(self, inputs):
        return inputs + super().forward(inputs).relu()


def test_matching_a_stream_that_one_matrix_reads_and_writes(monkeypatch):
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 6), Residual(6, 6), Residual(6, 6), nn.Linear(6, 3))
    layout = layout_from([(name, value.shape) for name, value in network.state_dict().items()], [])
    groups = traced_groups(network, (2, 3, 4, 4))
    assert {Axis("2.weight", 0, 6), Axis("2.weight", 1, 6)} < set(groups["1"]) and len(groups) == 1
    for module in (symmetry, alignment):
        monkeypatch.setattr(module, "permutable", lambda _: groups)
    reference = np.random.default_rng(0).standard_normal(layout.size).astype(np.float32)
    moved = reference[permutation_index(layout, random_permutations(layout, np.random.default_rng(3)))]
    assert (moved != reference).any()
    back = moved[permutation_index(layout, match(moved, reference, layout))]
    np.testing.assert_array_equal(back, reference)


def test_matching_brings_two_networks_closer_and_changes_neither_outputs():
    reference, other = random_network(0), random_network(1)
    found = match(other, reference, LAYOUT)
    aligned = other[permutation_index(LAYOUT, found)]
    assert np.square(aligned - reference).sum() < 0.97 * np.square(other - reference).sum()
    np.testing.assert_allclose(logits(aligned), logits(other), atol=1e-4)


def test_an_aligned_index_holds_the_same_networks_along_with_all_about_them(zoo, tmp_path):
    aligned = tmp_path / "validation.h5"
    align_part(zoo.validation, zoo.train, aligned, seed=0)
    with open_zoo(zoo.validation) as before, open_zoo(aligned) as after:
        layout = before.layout
        pd.testing.assert_frame_equal(after.snapshots, before.snapshots)
        pd.testing.assert_frame_equal(after.members, before.members)
        moved = after.weights[...] != before.weights[...]
        assert moved.any(axis=1).all()
        for ours, theirs in zip(after.weights[...], before.weights[...], strict=True):
            np.testing.assert_allclose(logits(ours, layout), logits(theirs, layout), atol=1e-4)
        # All snapshots of a member go the way of its last.
        places = permutation_index(layout, match(before.weights[-1], reference_of(zoo), layout))
        np.testing.assert_array_equal(after.weights[0], before.weights[0][places])


def reference_of(zoo):
    with open_zoo(zoo.train) as training:
        return training.weights[training.trained[0]]


def test_the_reference_itself_stays_as_it_is(zoo, tmp_path):
    align_part(zoo.train, zoo.train, tmp_path / "train.h5", seed=0)
    with open_zoo(zoo.train) as before, open_zoo(tmp_path / "train.h5") as after:
        np.testing.assert_array_equal(after.weights[:2], before.weights[:2])
