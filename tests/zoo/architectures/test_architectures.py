"""Architectures: layouts, recognition, the cache, and that no other module names parameters."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import wsl
from tests.networks import resnet18_layout
from wsl.errors import ConfigError, DataError
from wsl.zoo.architectures import base
from wsl.zoo.architectures.base import ARCHITECTURES
from wsl.zoo.architectures.resnet18 import ResNet18
from wsl.zoo.layout import layout_from
from wsl.zoo.network import features_and_logits, network_for, with_classes
from wsl.zoo.recognition import architecture_from, architecture_of, recognise

PACKAGE = Path(wsl.__file__).parent
# Names of ResNet-18's modules and parameters, and its ratio of features to width.
NAMES = re.compile(r"\bfc\.|\bfc\b|conv1|\bbn1|layer[1-4]|downsample|shortcut|// 8|BasicBlock|SlimResNet")
ALLOWED = {
    ("zoo/head.py", "fc"),  # usual names of heads in networks of no known architecture
    # Names of ResNet-18 in other programs.
    *(("zoo/foreign/peers.py", name) for name in ("conv1", "downsample", "shortcut")),
    ("zoo/epochs.py", "// 8"),  # shifts of images by up to an eighth of the side
    ("evaluation/distances.py", "// 8"),  # a budget of memory
}


@pytest.mark.parametrize("shape", [(2, 3, 7), (4, 5, 3)])
def test_a_layout_gives_its_architecture(shape):
    width, classes, stem = shape
    layout = resnet18_layout(*shape)
    assert architecture_of(layout) == ResNet18(width=width, stem=stem) and layout.classes == classes
    assert architecture_of(layout._replace(architecture="")) == ResNet18(width=width, stem=stem)
    shapes = {entry.name: entry.shape for entry in reversed(layout.entries)}
    assert recognise(shapes) == (ResNet18(width=width, stem=stem), classes, None)


def test_unknown_weights_are_refused_with_the_stages_that_still_work():
    layout = resnet18_layout(2, 3)._replace(architecture="")
    named = [(entry.name, entry.shape) for entry in layout.entries]
    for other in (
        layout_from([("conv1.weight", (2, 2, 7, 7)), *named[1:]], layout.counters),
        layout_from(named[:-1], layout.counters),
        layout_from(named, layout.counters[:-1]),
        layout_from([named[1], named[0], *named[2:]], layout.counters),
    ):
        with pytest.raises(DataError, match=r"any known architecture \(.*resnet18.*behaviour loss.*plugins"):
            architecture_of(other)


def test_unknown_names_and_settings_of_files_are_refused():
    with pytest.raises(ConfigError, match="unknown architecture 'resnet19'; did you mean resnet18"):
        architecture_from({"name": "resnet19"})
    with pytest.raises(DataError, match="the architecture resnet18 has no settings"):
        architecture_from({"name": "resnet18", "depth": 3})


def test_another_number_of_classes_changes_only_the_head():
    layout = with_classes(resnet18_layout(2, 3, stem=3), 5)
    assert layout == resnet18_layout(2, 5, stem=3)


def test_features_are_the_inputs_of_the_head():
    network = network_for(resnet18_layout(2, 3)).eval()
    images = torch.randn(4, 3, 16, 16)
    with torch.no_grad():
        features, logits = features_and_logits(network, images)
        assert torch.equal(logits, network(images)) and torch.equal(network.fc(features), logits)
    assert not network.fc._forward_pre_hooks


def test_building_a_layout_draws_no_random_numbers(monkeypatch):
    monkeypatch.setattr(base, "_LAYOUTS", {})
    torch.manual_seed(0)
    before = torch.get_rng_state()
    resnet18_layout(2, 3)
    assert torch.equal(torch.get_rng_state(), before)


def start(cache: Path, classes: int = 3) -> list[str]:
    """Load a layout as a start of the workflow does; return its size and whether torch was imported."""
    code = (
        "import sys; from wsl.config.schema import load_config;"
        "config = load_config({'run': 'a', 'zoo': {'architecture': {'name': 'resnet18', 'width': 2}}});"
        f"print(config.zoo.architecture.layout({classes}, 32).size, 'torch' in sys.modules)"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    call = [sys.executable, "-c", code]
    return subprocess.run(call, capture_output=True, text=True, check=True, env=environment).stdout.split()


def test_a_second_start_imports_no_torch(tmp_path):
    size = str(resnet18_layout(2, 3).size)
    assert start(tmp_path) == [size, "True"]
    assert start(tmp_path) == [size, "False"]
    (cached,) = (tmp_path / "wsl" / "layouts").iterdir()
    cached.write_text("{}")  # damaged
    assert start(tmp_path) == [size, "True"] and start(tmp_path) == [size, "False"]
    assert start(tmp_path, classes=4)[1] == "True"


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").touch()
    assert start(tmp_path / "file")[0] == str(resnet18_layout(2, 3).size)


def test_every_architecture_builds_a_network_of_its_layout():
    for name in ARCHITECTURES:
        if name == "lora":  # needs the weights of a frozen network
            continue
        model = {"timm": {"model": "resnet10t"}, "torchvision": {"model": "resnet18"}}.get(name, {})
        layout = ARCHITECTURES[name](**model).layout(3, 24)
        state = network_for(layout).state_dict()
        assert [entry.name for entry in layout.entries] == [key for key in state if state[key].is_floating_point()]
        assert all(state[entry.name].shape == entry.shape for entry in layout.entries)
        assert layout.classes == 3


def test_no_other_module_names_parameters():
    known = set()
    for path in PACKAGE.rglob("*.py"):
        place = str(path.relative_to(PACKAGE))
        if not place.startswith("zoo/architectures/"):
            known |= {(place, name) for name in NAMES.findall(path.read_text(encoding="utf-8"))}
    assert known == ALLOWED
