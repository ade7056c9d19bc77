"""The CLIP image encoder against open_clip used directly."""

import logging
import os

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from wsl.datasets.clip import Clip
from wsl.errors import ConfigError, DataError

OWN = "wsl-small-rn"


def images(count, size, detail=4):
    """Smooth random images, uint8 (count, 3, size, size), with ``detail`` random pixels per side."""
    coarse = np.random.default_rng(0).integers(0, 256, (count, detail, detail, 3), dtype=np.uint8)
    smooth = [np.asarray(Image.fromarray(image).resize((size, size), Image.BICUBIC)) for image in coarse]
    return torch.from_numpy(np.stack(smooth)).permute(0, 3, 1, 2)


def open_clips(name, seed, photos):
    """Features of open_clip's own model and preprocessing, image by image."""
    torch.manual_seed(seed)
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    pixels = [preprocess(Image.fromarray(photo)) for photo in photos.permute(0, 2, 3, 1).numpy()]
    with torch.no_grad():
        return model.eval().encode_image(torch.stack(pixels))


def test_features_are_open_clips(tiny_clip):
    encoder, photos = Clip(str(tiny_clip), None, seed=3), images(5, 16)
    expected = open_clips(tiny_clip.stem, 3, photos)
    assert expected.shape == (5, 8)
    assert torch.allclose(encoder.features(photos), expected, atol=1e-5)


@pytest.mark.parametrize("size", [20, 64])
def test_other_sizes_are_resized_nearly_as_open_clip_does(size):
    encoder, photos = Clip(OWN, None, seed=0), images(8, size, detail=size)
    expected = open_clips(OWN, 0, photos)
    assert encoder.size == 32
    # PIL rounds intermediate values to integer grey levels; without antialiasing the error is above 0.5.
    error = (encoder.features(photos) - expected).norm() / (expected - expected.mean(0)).norm()
    assert error < 0.05


def test_empty_weights_are_seeded_and_reported(caplog):
    photos = images(3, 32)
    with caplog.at_level(logging.WARNING):
        first = Clip(OWN, None, seed=0).features(photos)
    assert "RANDOM" in caplog.text and "datasets.weights" in caplog.text
    assert torch.equal(first, Clip(OWN, None, seed=0).features(photos))
    assert not torch.allclose(first, Clip(OWN, None, seed=1).features(photos), atol=1e-3)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_weights_file_decides_the_features(tiny_clip, tmp_path, suffix, caplog):
    source, path = Clip(str(tiny_clip), None, seed=9), tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(dict(source.model.state_dict()), path)
    caplog.clear()
    loaded, photos = Clip(str(tiny_clip), str(path), seed=0), images(4, 16)
    assert torch.equal(loaded.features(photos), source.features(photos))
    assert "RANDOM" not in caplog.text


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_hostile_weights_file_is_refused_and_not_executed(tiny_clip, tmp_path):
    torch.save({"logit_scale": Hostile(str(tmp_path / "harm"))}, tmp_path / "hostile.pt")
    with pytest.raises(ConfigError, match="cannot load"):
        Clip(str(tiny_clip), str(tmp_path / "hostile.pt"), seed=0)
    assert not (tmp_path / "harm").exists()
    torch.load(tmp_path / "hostile.pt", weights_only=False)
    assert (tmp_path / "harm").exists()  # an unsafe load executes it


@pytest.mark.parametrize("content", ["junk", "another model", "a list"])
def test_weights_that_do_not_fit_are_refused(tiny_clip, tmp_path, content):
    path = tmp_path / "weights.pt"
    if content == "junk":
        path.write_bytes(b"junk" * 100)
    else:
        torch.save([1, 2] if content == "a list" else {"conv1.weight": torch.zeros(3)}, path)
    with pytest.raises(ConfigError, match=r"datasets: .*weights\.pt"):
        Clip(str(tiny_clip), str(path), seed=0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_reported_by_name(tiny_clip, tmp_path, value):
    state = dict(Clip(str(tiny_clip), None, seed=9).model.state_dict())
    state["visual.ln_post.bias"] = torch.full_like(state["visual.ln_post.bias"], value)
    torch.save(state, tmp_path / "weights.pt")
    damaged = Clip(str(tiny_clip), str(tmp_path / "weights.pt"), seed=0)
    with pytest.raises(DataError, match=r"weights\.pt gives features that are not finite; .* again"):
        damaged.features(images(2, 16))


@pytest.mark.parametrize(
    ("model", "weights", "message"),
    [
        ("no-such-model", None, "'no-such-model'"),
        ("RN50", "no-such-tag", "'no-such-tag'"),
        (OWN, "no/such/file.pt", "'no/such/file.pt'"),
        ("no/such/model.json", None, r"datasets\.model: .*no/such/model\.json; correct the path"),
    ],
)
def test_unknown_names_are_refused(model, weights, message):
    with pytest.raises(ConfigError, match=message):
        Clip(model, weights, seed=0)


@pytest.mark.parametrize("content", ["{", "{}", "[]"])
def test_a_file_that_is_not_a_config_is_refused(tmp_path, content):
    (tmp_path / "broken.json").write_text(content)
    with pytest.raises(ConfigError, match=r"broken"):
        Clip(str(tmp_path / "broken.json"), None, seed=0)
