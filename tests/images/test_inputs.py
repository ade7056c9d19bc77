"""A task's images as a network gets them."""

import ast
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torchvision.transforms import v2

import wsl
from wsl.images.inputs import load_task, normalised
from wsl.images.reading import Normalisation, join_task, packed_by_class, task_classes

OTHER = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]


@pytest.mark.parametrize(
    "given, by",
    [((), ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])), ((Normalisation(*OTHER),), OTHER)],
)
def test_normalised_is_torchvisions_preprocessing(given, by):
    images = torch.randint(0, 256, (3, 3, 5, 7), dtype=torch.uint8)
    theirs = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(*by)])
    assert torch.allclose(normalised(images, *given), theirs(images), atol=1e-6)


def test_every_use_of_images_by_members_names_their_normalisation():
    """A forgotten one would evaluate imported members on other inputs than those of their training."""
    calls = {}
    for path in Path(wsl.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "normalised":
                calls.setdefault(path.name, []).append(len(node.args))
    assert calls.pop("distillation.py") == [1, 1]  # random networks of its own
    assert sum(map(len, calls.values())) > 15 and all(set(counts) == {2} for counts in calls.values())


def test_labels_follow_the_order_of_the_task(packed):
    images, labels = load_task([packed["2"], packed["0"]], "validation")
    for label, name in enumerate("20"):
        with h5py.File(packed[name]) as file:
            expected = file["validation"][...]
        assert np.array_equal(images[labels == label].permute(0, 2, 3, 1).numpy(), expected)


def test_most_takes_the_first_of_each_class(packed):
    images, labels = load_task([packed["2"], packed["0"]], "train", most=5)
    everything, all_labels = load_task([packed["2"], packed["0"]], "train")
    assert labels.tolist() == [0] * 5 + [1] * 5
    assert torch.equal(images[5:], everything[all_labels == 1][:5])


def test_packed_files_are_found_by_their_class(packed):
    assert packed_by_class(list(packed.values())[::-1]) == packed


def test_a_task_is_read_back_from_text():
    assert task_classes(join_task(["grey, wolf", "b;c", "a"])) == ["grey, wolf", "b;c", "a"]
