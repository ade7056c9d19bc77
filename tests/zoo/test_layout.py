"""The layout, compared with state dicts."""

from itertools import pairwise

import numpy as np
import pytest
from torchvision.models import resnet18 as torchvision_resnet18

from tests.networks import resnet18, resnet18_layout
from wsl.images.reading import Normalisation
from wsl.zoo.layout import first_difference, layout_from, layout_from_text, layout_to_text


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
    other = layout._replace(normalisation=Normalisation((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)))
    assert [layout_from_text(layout_to_text(each)) for each in (layout, other)] == [layout, other]
    assert "normalisation" not in layout_to_text(layout)  # files of earlier versions have none
    assert first_difference(other, layout).startswith("the normalisation Normalisation(mean=(0.1")
