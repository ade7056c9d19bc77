"""Permutation symmetries by tracing: no output changes, all symmetries that are known by hand are found, no others."""

import json
import logging
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from tests.networks import resnet18_layout
from tests.zoo.architectures.resnet18_groups import groups_by_hand
from tests.zoo.architectures.traced_networks import (
    NETWORKS,
    SHAPE,
    Applied,
    Outputs,
    densenet,
    flat_cnn,
    mlp,
    timm_vit,
    traced,
)
from wsl.zoo.architectures import tracing
from wsl.zoo.architectures.base import Axis
from wsl.zoo.architectures.resnet18 import ResNet18
from wsl.zoo.architectures.tracing import confirmed, permuted, traced_groups


@pytest.mark.parametrize("name", NETWORKS)
def test_no_group_changes_outputs_and_all_known_groups_are_found(name):
    build, count = NETWORKS[name]
    groups, outputs, rng = traced(build), Outputs(build), np.random.default_rng(0)
    assert groups and (count is None or len(groups) == count), list(groups)
    orders = {group: rng.permutation(axes[0].size) for group, axes in groups.items()}
    assert outputs.change([(axis, orders[group]) for group, axes in groups.items() for axis in axes]) < 1e-9
    for group, axes in groups.items():
        order = np.roll(np.arange(axes[0].size), 1)
        assert outputs.change([(axis, order) for axis in axes]) < 1e-9, group
        if len(axes) > 1:  # a part of it does change them
            assert outputs.change([(axes[0], order)]) > 1e-6, group


@pytest.mark.parametrize("stem", [3, 7])
def test_groups_of_resnet18_are_those_by_hand(stem):
    layout = resnet18_layout(2, 3, stem)
    groups = ResNet18(width=2, stem=stem).channel_groups(layout)
    by_hand = [
        tuple(Axis(name, axis, layout[name].shape[axis]) for name, axis in axes)
        for axes in groups_by_hand(layout).values()
    ]
    assert list(groups.values()) == by_hand  # in the same order, on which random numbers depend


def test_a_flattened_image_moves_whole_channels():
    assert traced(flat_cnn)["3"] == (Axis("3.weight", 0, 5), Axis("3.bias", 0, 5), Axis("7.weight", 1, 5, after=25))


def test_heads_and_their_dimensions():
    groups = traced(timm_vit)
    heads, keys, values = (groups[f"blocks.0.attn.qkv{number}"] for number in ("", "#2", "#3"))
    qkv = ("blocks.0.attn.qkv.weight", 0), ("blocks.0.attn.qkv.bias", 0)
    read = ("blocks.0.attn.proj.weight", 1)
    assert heads == (*(Axis(*place, 3, before=3, after=4) for place in qkv), Axis(*read, 3, after=4))
    assert keys == tuple(Axis(*place, 4, before=6) for place in qkv)
    assert values == (*(Axis(*place, 4, before=3, start=24) for place in qkv), Axis(*read, 4, before=3))


def test_the_stream_of_a_transformer_holds_embeddings_and_norms():
    groups = traced(timm_vit)
    stream = {(axis.name, axis.axis) for axis in next(iter(groups.values()))}
    assert {("cls_token", 2), ("pos_embed", 2), ("patch_embed.proj.weight", 0), ("norm.bias", 0)} <= stream
    assert {("blocks.1.attn.qkv.weight", 1), ("blocks.1.mlp.fc2.weight", 0), ("head.weight", 1)} <= stream


def test_concatenated_channels_are_ranges():
    groups = traced(densenet)
    grown = groups["features.denseblock1.denselayer1.conv2"]
    name = "features.denseblock1.denselayer1.conv2.weight"
    assert Axis(name, 0, 4) in grown
    assert Axis("features.denseblock1.denselayer2.conv1.weight", 1, 4, start=6) in grown
    assert Axis("features.transition1.conv.weight", 1, 4, start=6) in grown


def axes_of(groups):
    return {(axis.name, axis.axis) for axes in groups.values() for axis in axes}


@pytest.mark.parametrize("build", [mlp, flat_cnn, timm_vit])
def test_axes_that_belong_to_no_group_are_not_permutable_alone(build):
    groups, outputs = traced(build), Outputs(build)
    places = [
        (name, axis, size)
        for name, value in outputs.state.items()
        for axis, size in enumerate(value.shape)
        if size > 1 and (name, axis) not in axes_of(groups)
    ]
    assert places  # of classes, colours, pixels, positions
    for name, axis, size in places:
        assert outputs.change([(Axis(name, axis, size), np.roll(np.arange(size), 1))]) > 1e-6, (name, axis)


ORDERED = {
    "cumulated": lambda values: values.cumsum(1),
    "sorted by place": lambda values: values * torch.arange(6, device=values.device),
    "rolled": lambda values: values.roll(1, 1) + values,
    "rolled as a whole": lambda values: values.roll(1) + values,
    "with itself reversed": lambda values: values + values.flip(1),
    "every second": lambda values: torch.cat([values[:, ::2], values[:, 1::2]], 1) + values,
    "unknown": lambda values: torch.fft.fft(values, dim=1).real,
    "upper triangle": lambda values: (values[:, :, None] * values[:, None, :]).triu().sum(2),
}


@pytest.mark.parametrize("function", ORDERED.values(), ids=ORDERED)
def test_channels_whose_order_counts_are_fixed(function):
    def build():
        return Applied(function)

    assert not traced(build)
    axes = [Axis("first.weight", 0, 6), Axis("first.bias", 0, 6), Axis("last.weight", 1, 6)]
    assert Outputs(build).change([(axis, np.array([1, 0, 2, 5, 3, 4])) for axis in axes]) > 1e-6


RESHAPED = [
    lambda values: values[:, [5, 4, 3, 2, 1, 0]] + values,
    lambda values: values.view(-1, 2, 3).transpose(1, 2).reshape(-1, 6) + values,
    lambda values: torch.cat([values[:, 4:], values[:, :4]], 1) * values,
    lambda values: torch.cat([values[:, :3] * values[:, 3:], values[:, 3:]], 1),
    lambda values: torch.stack(values.view(-1, 2, 3).unbind(1), 2).flatten(1),
    lambda values: values.unfold(1, 2, 2).flatten(1) + values,
    lambda values: values.view(-1, 2, 3).cumsum(1).view(-1, 6),
    lambda values: values.view(-1, 3, 2)[:, 0].repeat(1, 3) + values,
    lambda values: values.view(-1, 2, 3)[:, 0].relu() * values.view(-1, 2, 3)[:, 1].tanh(),
    lambda values: values.view(-1, 2, 3)[:, 0] + values.view(-1, 2, 3).mean(1),
    lambda values: values.view(-1, 2, 3).softmax(1).flatten(1),
    lambda values: values.view(-1, 3, 2).amax(2).repeat_interleave(2, 1) * values,
    lambda values: values.view(-1, 2, 3) @ values.view(-1, 3, 2),
    lambda values: values.view(-1, 2, 3) @ values.view(-1, 2, 3).transpose(1, 2) + values.view(-1, 3, 2)[:, :2],
    lambda values: values[:, :, None] * values[:, None, :],
    lambda values: (values[:, :, None] * values[:, None, :]).view(-1, 4, 9) + 1,
    lambda values: (values[:, :, None] * values[:, None, :]).view(-1, 6, 3, 2).transpose(2, 3).reshape(-1, 36),
    lambda values: torch.einsum("na,nb->nb", values, values.sigmoid()),
    lambda values: nn.functional.group_norm(values, 2) + values.view(-1, 3, 2).sum(2).repeat(1, 2),
    lambda values: nn.functional.pad(values[:, :4], (1, 1)) * values,
    lambda values: nn.functional.pad(values, (1, -1)) * values,
    lambda values: nn.functional.glu(values, 1),
    lambda values: values.topk(3, 1)[0],
    lambda values: torch.where(values > 0, values, values.sort(1)[0]),
    lambda values: values.scatter_add(1, torch.zeros_like(values, dtype=torch.long), values),
    lambda values: torch.cat([values.new_zeros(len(values), 1), values, values[:, :1]], 1),
    lambda values: nn.functional.conv1d(values[:, None], torch.ones_like(values[:1, None, :3])),
    lambda values: nn.functional.scaled_dot_product_attention(*values.view(-1, 1, 3, 2).unbind(2)[0:1] * 3),
]


@pytest.mark.parametrize("function", RESHAPED)
def test_what_remains_of_reshaped_channels_changes_nothing(function):
    flat = nn.Flatten()
    read = flat(function(torch.randn(2, 6))).shape[1]

    def build():
        return Applied(lambda values: flat(function(values)), read=read)

    outputs = Outputs(build)
    for axes in traced(build).values():
        for order in (np.roll(np.arange(axes[0].size), 1), np.arange(axes[0].size)[::-1]):
            assert outputs.change([(axis, order) for axis in axes]) < 1e-9


def test_tied_parameters_move_together_and_other_tensors_never():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.again, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3)
            self.again.weight = self.first.weight
            self.register_buffer("scale", torch.arange(4.0), persistent=False)
            self.scaled = nn.Linear(4, 4)

        def forward(self, images):
            hidden = self.again(self.first(images[:, 0, 0, :4]).relu()).relu()
            return self.head((self.scaled(hidden) * self.scale).relu())

    # The inputs are pixels, which the tied matrix reads, and its outputs are its own inputs.
    assert not traced(Tied)


class Scaled(nn.Module):
    """Values of which three things are selected, after or before all are scaled alike."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(48, 18), nn.Linear(6, 3)
        self.later = nn.ParameterDict({"scale": torch.ones(2, 3), "shift": torch.ones(3)})

    def forward(self, images):
        values = self.first(nn.functional.avg_pool2d(images, 4).flatten(1)).view(-1, 3, 2, 3) * self.later["scale"]
        one, two, three = values.unbind(1)
        two, three = two.sum((1, 2), keepdim=True), three.relu().sum(1, keepdim=True)
        return self.last((one * two + three * self.later["shift"]).flatten(1))


def test_parameters_that_all_selections_share_bind_them():
    outputs, groups = Outputs(Scaled), traced(Scaled)
    for axes in groups.values():
        assert outputs.change([(axis, np.roll(np.arange(axis.size), 1)) for axis in axes]) < 1e-9
    assert [axes[0] for axes in groups.values()] == [
        Axis("first.weight", 0, 2, before=3, after=3),
        Axis("first.weight", 0, 3, before=6),
    ]


def test_permuted_by_index():
    values = np.arange(2 * 14).reshape(2, 14)
    order = np.array([2, 0, 1])
    moved = permuted(values, Axis("", 1, size=3, before=2, after=2, start=1), order)
    expected = values.copy()
    for block in range(2):
        for place in range(3):
            for entry in range(2):
                source = 1 + (block * 3 + order[place]) * 2 + entry
                expected[:, 1 + (block * 3 + place) * 2 + entry] = values[:, source]
    np.testing.assert_array_equal(moved, expected)
    np.testing.assert_array_equal(permuted(values, Axis("", 0, 2), np.array([1, 0])), values[::-1])


def test_a_wrong_group_is_dropped_with_a_warning(caplog):
    groups = traced(mlp)
    wrong = {**groups, "wrong": (Axis("1.weight", 0, 6), Axis("1.bias", 0, 6))}
    with caplog.at_level(logging.WARNING):
        assert confirmed(wrong, mlp(), SHAPE) == groups
    assert "channels wrong of Sequential" in caplog.text


def test_a_network_that_cannot_be_traced_has_no_groups(caplog, monkeypatch):
    monkeypatch.setattr(tracing, "read_cached", lambda *_: None)
    monkeypatch.setattr(tracing, "write_cached", lambda *_: None)
    by_value = Applied(lambda values: values if values.sum() > 0 else -values)
    monkeypatch.setattr(ResNet18, "build", lambda *_: by_value)
    with caplog.at_level(logging.WARNING):
        assert ResNet18(width=2).channel_groups(resnet18_layout(2, 3)) == {}
    assert "resnet18, width 2, stem 7 cannot be traced" in caplog.text


def test_tracing_leaves_the_network_and_random_numbers_alone(monkeypatch):
    monkeypatch.setattr(tracing, "read_cached", lambda *_: None)
    monkeypatch.setattr(tracing, "write_cached", lambda *_: None)
    network = flat_cnn().train()
    network[4].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(0)
    state = torch.get_rng_state()
    traced_groups(network, SHAPE)
    ResNet18(width=2).channel_groups(resnet18_layout(2, 3))
    assert torch.equal(torch.get_rng_state(), state)
    assert network.training and network[0].training and not network[4].training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_second_start_reads_groups_from_the_cache_without_torch(tmp_path):
    code = (
        "import json, sys; from wsl.zoo.architectures.resnet18 import ResNet18; one = ResNet18(width=2);"
        "groups = one.channel_groups(one.layout(3, None)); print(json.dumps([groups, 'torch' in sys.modules]))"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    call = [sys.executable, "-c", code]
    (first, one), (second, other) = (
        json.loads(subprocess.run(call, capture_output=True, text=True, check=True, env=environment).stdout)
        for _ in range(2)
    )
    assert first == second and (one, other) == (True, False)
