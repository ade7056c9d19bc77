"""The layout, which knows no torch, against real state dicts."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from torchvision.models import resnet18 as torchvision_resnet18

from wsl.errors import DataError
from wsl.zoo.layout import layout_from, layout_from_text, layout_to_text, resnet18_layout, resnet18_shape
from wsl.zoo.network import resnet18


@pytest.mark.parametrize(("width", "classes"), [(2, 3), (8, 5), (64, 3)])
def test_names_shapes_and_order_are_the_state_dicts(width, classes):
    network = torchvision_resnet18(num_classes=classes) if width == 64 else resnet18(width, classes)
    state, layout = network.state_dict(), resnet18_layout(width, classes)
    floats = [(name, tuple(value.shape)) for name, value in state.items() if value.is_floating_point()]
    integers = [name for name, value in state.items() if not value.is_floating_point()]
    assert [(entry.name, entry.shape) for entry in layout.entries] == floats
    assert list(layout.counters) == integers
    assert layout.size == sum(value.numel() for value in state.values() if value.is_floating_point())


def test_entries_follow_each_other_without_gaps():
    layout = resnet18_layout(2, 3)
    assert layout.entries[0].columns.start == 0
    assert all(before.columns.stop == after.columns.start for before, after in pairwise(layout.entries))
    assert layout.entries[-1].columns.stop == layout.size


def test_split_gives_each_name_its_numbers():
    layout = resnet18_layout(2, 3)
    vector = np.arange(layout.size, dtype=np.float32)
    split = layout.split(vector)
    assert np.array_equal(np.concatenate([part.ravel() for part in split.values()]), vector)
    assert split["fc.bias"].tolist() == vector[-3:].tolist()
    assert layout["fc.bias"].shape == (3,)


def test_the_head_is_the_last_matrix_and_its_bias():
    assert resnet18_layout(2, 3).head == ("fc.weight", "fc.bias") and resnet18_layout(2, 3).classes == 3
    named = [("in.weight", (8, 5)), ("in.bias", (8,)), ("out.weight", (4, 8)), ("scale", (4,))]
    assert layout_from(named, []).head == ("out.weight",) and layout_from(named, []).classes == 4


def test_as_text_it_is_the_same():
    layout = resnet18_layout(2, 3)
    assert layout_from_text(layout_to_text(layout)) == layout


@pytest.mark.parametrize("shape", [(2, 3, 7), (4, 5, 3)])
def test_a_layout_tells_the_network(shape):
    assert resnet18_shape(resnet18_layout(*shape)) == shape


def test_what_is_no_resnet18_is_told_by_its_first_difference():
    layout = resnet18_layout(2, 3)
    named = [(entry.name, entry.shape) for entry in layout.entries]
    grey = layout_from([("conv1.weight", (2, 1, 7, 7)), *named[1:]], layout.counters)
    with pytest.raises(DataError, match=r"conv1\.weight \(2, 1, 7, 7\) in place of conv1\.weight \(2, 3, 7, 7\)"):
        resnet18_shape(grey)
    with pytest.raises(DataError, match=r"no further parameter in place of fc\.bias \(3,\)"):
        resnet18_shape(layout_from(named[:-1], layout.counters))
    with pytest.raises(DataError, match="integer buffers"):
        resnet18_shape(layout_from(named, layout.counters[:-1]))


def test_asking_for_the_layout_imports_no_torch():
    code = (
        "import sys; from wsl.zoo.layout import resnet18_layout; resnet18_layout(8, 3); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
