"""Distilled images by gradient matching."""

import shutil

import h5py
import numpy as np
import pytest
import torch

from wsl.datasets import distillation
from wsl.datasets.clip import Clip
from wsl.datasets.distillation import convnet, distil, embed_distilled, matching_distance
from wsl.datasets.encoders.base import ClassFiles
from wsl.datasets.settings import ClipModel
from wsl.figures.distilled_images import draw
from wsl.images.inputs import normalised

COLOURS = {"red": (200, 40, 40), "blue": (40, 40, 200)}


@pytest.fixture
def constants(monkeypatch):
    """Sets constants of the distillation: ``constants(STEPS=6)``."""

    def change(**values):
        for name, value in values.items():
            monkeypatch.setattr(distillation, name, value)

    change(STEPS=6, BATCH=16, WIDTH=4)
    return change


def coloured(name, count=24, size=8):
    """Noisy images of one colour; only the first, from which distillation starts, is grey: uint8 (count, 3, 8, 8)."""
    images = torch.tensor(COLOURS[name], dtype=torch.float).view(1, 3, 1, 1) + 30 * torch.randn(count, 3, size, size)
    images[0] = 120 + 30 * torch.randn(3, size, size)
    return images.clamp(0, 255).to(torch.uint8)


def mean_distance(real, synthetic):
    """Mean matching distance over random networks that distillation did not use."""
    torch.manual_seed(99)
    networks = [convnet(8, real.shape[-1]) for _ in range(20)]
    return np.mean([matching_distance(net, normalised(real), normalised(synthetic)).item() for net in networks])


def embedded(packed, clip, out, tiny_clip):
    embed_distilled(ClassFiles(packed, clip), out, ClipModel(model=str(tiny_clip)))
    return out


def test_gradients_of_the_image_approach_those_of_its_class(constants):
    constants(STEPS=40, LEARNING_RATE=0.5, WIDTH=8)
    for name in COLOURS:
        real = coloured(name)
        distilled = distil(real, seed=0)
        assert distilled.shape == (1, 3, 8, 8) and distilled.dtype == torch.uint8
        assert mean_distance(real[1:], distilled) < 0.9 * mean_distance(real[1:], real[:1])


def test_an_image_matches_itself_best():
    real, other = normalised(coloured("red")[1:2]), normalised(coloured("blue")[1:2])
    network = convnet(4, 8)
    assert matching_distance(network, real, real).item() == pytest.approx(0, abs=1e-3)
    assert matching_distance(network, real, other) > 0.1


@pytest.mark.parametrize("size", [8, 9, 17, 32])
def test_networks_take_images_of_any_size(size):
    assert convnet(2, size)(torch.zeros(1, 3, size, size)).shape == (1, 10)


def test_the_seed_decides(constants):
    constants(IMAGES=2, STEPS=3, LEARNING_RATE=0.5, BATCH=8)
    real = coloured("red")
    assert torch.equal(distil(real, 1), distil(real, 1))
    assert not torch.equal(distil(real, 1), distil(real, 2))


def test_without_steps_the_images_do_not_change(constants):
    constants(IMAGES=3, STEPS=0)
    real = coloured("blue")
    assert torch.equal(distil(real, seed=0), real[:3])


def test_the_class_file_differs_from_that_of_clip_in_its_mean(packed, class_means, tiny_clip, tmp_path, constants):
    constants(IMAGES=2)
    out = embedded(packed["3"], class_means["3"], tmp_path / "3.h5", tiny_clip)
    with h5py.File(out) as file, h5py.File(class_means["3"]) as clip:
        assert dict(file.attrs) == {**clip.attrs, "encoder": "distilled"}
        assert np.array_equal(file["features"], clip["features"])
        images = torch.from_numpy(file["distilled"][...]).permute(0, 3, 1, 2)
        assert images.shape == (2, 3, 16, 16)
        expected = Clip(str(tiny_clip), None, seed=0).features(images).mean(0)
        assert file["mean"][...] == pytest.approx(expected.numpy(), abs=1e-5)
        assert not np.allclose(file["mean"], clip["mean"], atol=1e-3)


def test_text_is_kept(packed, class_means, tiny_clip, tmp_path, constants):
    named = shutil.copy(class_means["3"], tmp_path / "named.h5")
    with h5py.File(named, "a") as file:
        file["text"] = np.arange(8.0)
    with h5py.File(embedded(packed["3"], named, tmp_path / "3.h5", tiny_clip)) as file:
        assert np.array_equal(file["text"], np.arange(8.0))


def test_held_out_images_have_no_effect(packed, class_means, tiny_clip, tmp_path, constants):
    blind = shutil.copy(packed["3"], tmp_path / "blind.h5")
    with h5py.File(blind, "a") as file:
        del file["test"], file["validation"]
    first = embedded(packed["3"], class_means["3"], tmp_path / "a.h5", tiny_clip)
    assert first.read_bytes() == embedded(blind, class_means["3"], tmp_path / "b.h5", tiny_clip).read_bytes()


def test_the_figure_has_room_for_every_class(packed, class_means, tiny_clip, tmp_path, constants):
    constants(STEPS=1)
    names = "01234"  # more than one row
    files = [embedded(packed[name], class_means[name], tmp_path / f"{name}.h5", tiny_clip) for name in names]
    draw([packed[name] for name in names], files, tmp_path / "drawn.pdf", tmp_path / "drawn.png")
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("drawn.pdf", "drawn.png"))
