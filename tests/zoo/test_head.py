"""The head of a classifier by names and shapes, compared with the facts of timm and torchvision."""

import random

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.nn.utils import parametrizations

from wsl.zoo.head import find_head, likely_heads


def shapes_of(network):
    """Shapes by name, in random order."""
    named = [(name, tuple(value.shape)) for name, value in network.state_dict().items() if value.is_floating_point()]
    random.Random(0).shuffle(named)
    return dict(named)


TIMM = ["resnet18", "resnet50", "seresnet50", "vgg11", "densenet121", "mobilenetv3_small_100", "efficientnet_b0"]
TIMM += ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "convnext_atto", "mixer_s32_224", "inception_v3"]


@pytest.mark.parametrize("name", TIMM)
def test_the_head_is_the_classifier_that_timm_names(name):
    with torch.device("meta"):
        network = timm.create_model(name, pretrained=False, num_classes=7)
    head = find_head(shapes_of(network))
    assert head == tuple(f"{network.default_cfg['classifier']}.{key}" for key in ("weight", "bias"))


@pytest.mark.parametrize(
    ("name", "module"),
    [("alexnet", "classifier.6"), ("vit_b_16", "heads.head"), ("convnext_tiny", "classifier.2"), ("googlenet", "fc")],
)
def test_torchvisions_networks_have_theirs_beside_auxiliary_ones(name, module):
    with torch.device("meta"):
        network = getattr(torchvision.models, name)(num_classes=7)
    assert find_head(shapes_of(network))[0] == f"{module}.weight"


def sequence(*layers):
    network = nn.Module()
    network.module_list = nn.ModuleList(layers)
    return network


def test_a_hidden_layer_feeds_the_head_whatever_their_names():
    network = nn.ModuleDict({"zz": nn.Linear(4, 16), "aa": nn.Linear(16, 10)})
    assert find_head(shapes_of(network)) == ("aa.weight", "aa.bias")


def test_numbers_are_compared_as_numbers():
    network = sequence(*[nn.Linear(5, 5) for _ in range(12)])
    assert find_head(shapes_of(network)) == ("module_list.11.weight", "module_list.11.bias")


def test_companions_with_the_rows_of_classes_belong_to_the_head():
    # Sparse variational dropout (ModelZooDataset's ARD networks) has a matrix of log-variances beside each of weights.
    shapes = {"module_list.8.weight": (20, 36), "module_list.8.bias": (20,), "module_list.8.log_sigma2": (20, 36)}
    shapes |= {"module_list.11.weight": (10, 20), "module_list.11.bias": (10,), "module_list.11.log_sigma2": (10, 20)}
    names = ("module_list.11.weight", "module_list.11.bias", "module_list.11.log_sigma2")
    for order in (list(shapes), sorted(shapes), sorted(shapes, reverse=True)):
        assert find_head({name: shapes[name] for name in order}) == names


def test_weight_normalised_heads_are_found():
    network = nn.Sequential(nn.Linear(6, 9), parametrizations.weight_norm(nn.Linear(9, 3)))
    head = find_head(shapes_of(network))
    assert head[0] == "1.parametrizations.weight.original1"
    assert set(head[1:]) == {"1.bias", "1.parametrizations.weight.original0"}


def test_the_number_of_classes_resolves_what_is_ambiguous():
    network = nn.ModuleDict({"left": nn.Linear(4, 16), "right": nn.Linear(4, 10)})
    assert find_head(shapes_of(network)) == () and len(likely_heads(shapes_of(network))) == 2
    assert find_head(shapes_of(network), classes=10)[0] == "right.weight"
    alike = nn.ModuleDict({"left": nn.Linear(4, 10), "right": nn.Linear(4, 10)})
    assert find_head(shapes_of(alike), classes=10) == ()


def test_a_name_that_contradicts_the_shapes_is_ambiguous():
    # The classifier's outputs could feed the gate, which feeds nothing.
    network = nn.ModuleDict({"classifier": nn.Linear(4, 10), "gate": nn.Linear(10, 1)})
    assert [names[0] for names in likely_heads(shapes_of(network))] == ["classifier.weight", "gate.weight"]
