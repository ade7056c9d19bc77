"""The dataset encoder of a frozen classifier."""

import h5py
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torchvision.transforms import functional as pictures

from wsl.config.schema import load_config
from wsl.datasets.backbone import embed_by_backbone
from wsl.datasets.class_means import ClassMeans
from wsl.datasets.encoders.backbone import Backbone
from wsl.errors import ConfigError
from wsl.images.reading import join_task
from wsl.runs.pretrained import Pretrained
from wsl.settings.sections import plain

NAMES = ("red", "green")
HALF = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.5, 0.5)}


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """Packed noisy images of two colours and a checkpoint of a classifier of 7 classes, with the classifier."""
    folder = tmp_path_factory.mktemp("classes")
    rng = np.random.default_rng(0)
    for place, name in enumerate(NAMES):
        images = rng.integers(0, 120, (6, 24, 24, 3), dtype=np.uint8)
        images[..., place] += 100
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file.attrs["class"], file["train"] = name, images
    torch.manual_seed(0)
    theirs = timm.create_model("resnet10t", num_classes=7).eval()
    torch.save(theirs.state_dict(), folder / "weights.pt")
    return folder, theirs


@pytest.fixture(scope="module")
def encoder(classes):
    return Backbone(architecture="timm:resnet10t", checkpoint=str(classes[0] / "weights.pt"), size=32, **HALF)


def test_class_means_are_those_of_the_classifiers_own_features(classes, encoder, tmp_path):
    folder, theirs = classes
    out = [tmp_path / f"{name}.h5" for name in NAMES]
    embed_by_backbone([folder / f"{name}.h5" for name in NAMES], out, [[], []], encoder)
    for name, path in zip(NAMES, out, strict=True):
        with h5py.File(folder / f"{name}.h5") as file:
            images = [pictures.to_tensor(Image.fromarray(image)) for image in file["train"][...]]
        images = torch.stack([pictures.resize(image, [32, 32], pictures.InterpolationMode.BICUBIC) for image in images])
        inputs = pictures.normalize(images.clamp(0, 1), HALF["mean"], HALF["std"])
        with torch.no_grad():
            expected = theirs.forward_head(theirs.forward_features(inputs), pre_logits=True)
        with h5py.File(path) as file:
            assert np.allclose(file["features"], expected, atol=1e-4) and "text" not in file
            assert np.allclose(file["mean"], expected.mean(0), atol=1e-4)
    means = ClassMeans(out)
    task = means.embed([join_task(NAMES)])
    assert task.shape == (1, 2 * expected.shape[1])
    assert np.linalg.norm(means.means["red"] - means.means["green"]) > 1e-2


def config(encoder, **datasets):
    return load_config({"run": "test", "datasets": {"encoder": plain(encoder), **datasets}})


def test_the_checkpoint_is_a_file_that_jobs_read_and_no_clip_is_fetched(encoder):
    pretrained = Pretrained(config(encoder))
    assert pretrained.clip_files == [encoder.checkpoint] and pretrained.clip_folder is None
    assert Backbone.model_validate(pretrained.clip) == encoder
    assert not config(encoder).datasets.random_features and config("clip").datasets.random_features


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"prompts": ["a photo of a {}"]}, r"prompts: the encoder `backbone` only reads images"),
        ({"weights": "openai"}, r"weights: the encoder `backbone` does not use CLIP"),
    ],
)
def test_what_needs_clip_is_refused(encoder, keys, message):
    with pytest.raises(ConfigError, match=message):
        config(encoder, **({"weights": "openai"} if "prompts" in keys else {}), **keys)


def test_a_checkpoint_that_is_missing_or_does_not_fit_is_refused(classes, encoder, tmp_path):
    folder = classes[0]
    missing = encoder.model_copy(update={"checkpoint": "pip:no-such-weights"})
    with pytest.raises(ConfigError, match=r"^datasets\.encoder\.checkpoint: the package no-such-weights is not inst"):
        Pretrained(config(missing))
    other = Backbone(architecture="timm:resnet14t", checkpoint=encoder.checkpoint, size=32)
    with pytest.raises(ConfigError, match=r"^datasets\.encoder\.checkpoint: in .*weights\.pt"):
        embed_by_backbone([folder / "red.h5"], [tmp_path / "red.h5"], [[]], other)
    unknown = Backbone(architecture="timm:resnet99t", checkpoint="x")
    with pytest.raises(ConfigError, match=r"^datasets\.encoder\.architecture: timm has no classifier"):
        unknown.check()
