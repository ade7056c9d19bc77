"""Permutations of channels: outputs do not change, and matching undoes permutations."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from tests.networks import resnet18_layout
from tests.weights.conftest import logits
from wsl.weights import alignment, symmetry
from wsl.weights.alignment import align_part, match
from wsl.weights.symmetry import group_sizes, permutable, permutation_index, random_permutations
from wsl.zoo.architectures.base import Axis
from wsl.zoo.architectures.tracing import traced_groups
from wsl.zoo.index import open_zoo
from wsl.zoo.layout import layout_from
from wsl.zoo.network import flatten, network_for

LAYOUT = resnet18_layout(4, 3)
IMAGES = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def random_network(seed, layout=LAYOUT):
    """Flat weights of a network with random statistics, so that a forgotten parameter changes outputs."""
    torch.manual_seed(seed)
    network = network_for(layout)
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point() and value.ndim == 1:
                value.uniform_(0.5, 1.5)
    return flatten(network.state_dict(), layout)[0]


def assert_same_outputs(ours, theirs, layout=LAYOUT):
    np.testing.assert_allclose(logits(ours, IMAGES, layout), logits(theirs, IMAGES, layout), atol=1e-4)


@pytest.mark.parametrize("width", [2, 16])
def test_outputs_stay_equal_under_any_permutation_of_channels(width):
    layout = resnet18_layout(width, 3)
    weights = random_network(0, layout)
    moved = weights[permutation_index(layout, random_permutations(layout, np.random.default_rng(0)))]
    assert (moved != weights).mean() > 0.3
    assert_same_outputs(moved, weights, layout)


@pytest.mark.parametrize("group", group_sizes(LAYOUT))
def test_each_group_alone_moves_channels_and_leaves_outputs_equal(group):
    weights = random_network(0)
    order = np.roll(np.arange(group_sizes(LAYOUT)[group]), 1)
    moved = weights[permutation_index(LAYOUT, {group: order})]
    assert (moved != weights).any()
    assert_same_outputs(moved, weights)


def test_groups_are_four_streams_and_eight_insides_and_hold_every_channel():
    assert len(group_sizes(LAYOUT)) == 12
    names = {axis.name for axes in permutable(LAYOUT).values() for axis in axes}
    assert names == {entry.name for entry in LAYOUT.entries} - {"fc.bias"}
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
    aligned = other[permutation_index(LAYOUT, match(other, reference, LAYOUT))]
    assert np.square(aligned - reference).sum() < 0.97 * np.square(other - reference).sum()
    assert_same_outputs(aligned, other)


def test_an_aligned_index_holds_the_same_networks_and_tables(zoo, weights, tmp_path):
    aligned = tmp_path / "validation.h5"
    align_part(zoo.validation, zoo.train, aligned, seed=0)
    with open_zoo(zoo.train) as training, open_zoo(zoo.validation) as before, open_zoo(aligned) as after:
        layout = before.layout
        pd.testing.assert_frame_equal(after.snapshots, before.snapshots)
        pd.testing.assert_frame_equal(after.members, before.members)
        moved = after.weights[...] != before.weights[...]
        assert moved.any(axis=1).all()
        for ours, theirs in zip(after.weights[...], before.weights[...], strict=True):
            assert_same_outputs(ours, theirs, layout)
        # All snapshots of a member get the permutations of its last one.
        places = permutation_index(layout, match(before.weights[-1], weights[training.trained[0]], layout))
        np.testing.assert_array_equal(after.weights[0], before.weights[0][places])


def test_the_reference_itself_does_not_change(zoo, tmp_path):
    align_part(zoo.train, zoo.train, tmp_path / "train.h5", seed=0)
    with open_zoo(zoo.train) as before, open_zoo(tmp_path / "train.h5") as after:
        np.testing.assert_array_equal(after.weights[:2], before.weights[:2])
