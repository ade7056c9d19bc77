"""Class means and dataset embeddings (section 3.2.2)."""

import shutil

import h5py
import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from wsl.datasets import clip
from wsl.datasets.class_means import ClassMeans
from wsl.datasets.clip import embed_classes
from wsl.datasets.settings import ClipModel
from wsl.errors import DataError
from wsl.images.packing import pack_class
from wsl.images.reading import join_task
from wsl.images.settings import Packing

PROMPTS = ["a photo of a three.", "the digit three", "3"]


@torch.no_grad()
def features_by_hand(packed, preprocess, model):
    """Features of the training images by open_clip, one by one."""
    with h5py.File(packed) as file:
        photos = file["train"][...]
    features = [model.eval().encode_image(preprocess(Image.fromarray(photo))[None])[0] for photo in photos]
    return torch.stack(features).numpy()


def read(path, key="mean"):
    with h5py.File(path) as file:
        return file[key][...]


def test_the_file_holds_the_features_by_open_clip_and_their_mean(packed, class_means, tiny_clip):
    open_clip.add_model_config(tiny_clip)
    torch.manual_seed(0)
    model, _, preprocess = open_clip.create_model_and_transforms(tiny_clip.stem)
    expected = features_by_hand(packed["3"], preprocess, model)
    features = read(class_means["3"], "features")
    assert features.shape == (len(expected), 8) and features.dtype == np.float32
    assert features == pytest.approx(expected, abs=1e-5)
    assert read(class_means["3"]) == pytest.approx(expected.mean(0), abs=1e-5)
    assert read(class_means["3"]) == pytest.approx(features.astype(float).mean(axis=0), abs=1e-7)
    with h5py.File(class_means["3"]) as file:
        assert dict(file.attrs) == {"class": "3", "images": len(expected)}


def test_batches_do_not_matter(packed, class_means, tiny_clip, tmp_path, monkeypatch):
    monkeypatch.setattr(clip, "BATCH", 7)
    embed_classes([packed["3"]], [tmp_path / "3.h5"], [()], ClipModel(model=str(tiny_clip)))
    assert read(tmp_path / "3.h5") == pytest.approx(read(class_means["3"]), abs=1e-6)


def test_held_out_images_have_no_effect(packed, class_means, tiny_clip, tmp_path):
    blind = shutil.copy(packed["3"], tmp_path / "blind.h5")
    with h5py.File(blind, "a") as file:
        del file["test"], file["validation"]
    embed_classes([blind], [tmp_path / "3.h5"], [()], ClipModel(model=str(tiny_clip)))
    assert (tmp_path / "3.h5").read_bytes() == class_means["3"].read_bytes()


def test_an_embedding_concatenates_the_means_in_the_tasks_order(class_means):
    embedded = ClassMeans(list(class_means.values())).embed([join_task("042"), join_task("204")])
    assert embedded.shape == (2, 3 * 8)
    for row, classes in zip(embedded, ("042", "204"), strict=True):
        assert np.array_equal(row, np.concatenate([read(class_means[name]) for name in classes]))


@pytest.mark.parametrize("images", [1, 5, 100_000])
def test_means_may_be_of_a_few_images_alone(class_means, images):
    means = ClassMeans(list(class_means.values()), images=images)
    expected = [read(class_means[name], "features")[:images].astype(float).mean(axis=0) for name in "042"]
    assert means.embed([join_task("042")])[0] == pytest.approx(np.concatenate(expected), abs=1e-6)


@pytest.fixture(scope="module")
def named(packed, reader, tmp_path_factory):
    """The file of class 3 with the text features of its prompts."""
    path = tmp_path_factory.mktemp("named") / "3.h5"
    embed_classes([packed["3"]], [path], [PROMPTS], ClipModel(model=str(reader)))
    return path


def test_text_is_the_mean_of_open_clips_normalised_features_of_the_prompts(named, reader):
    torch.manual_seed(0)
    model, _, _ = open_clip.create_model_and_transforms(reader.stem)
    with torch.no_grad():
        each = [model.eval().encode_text(open_clip.get_tokenizer(reader.stem)([prompt]))[0] for prompt in PROMPTS]
    expected = np.mean([feature.numpy() / np.linalg.norm(feature.numpy()) for feature in each], axis=0)
    assert read(named, "text") == pytest.approx(expected, abs=1e-6)
    assert 0 < np.linalg.norm(expected) < 1
    texts = ClassMeans([named], images=0).means["3"]
    assert texts / np.linalg.norm(texts) == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)


def test_texts_replace_class_means_at_their_length(tmp_path):
    """Two classes by hand: texts of length 1, class means of lengths 5 and 13."""
    paths = []
    for place, (name, mean) in enumerate({"a": [3.0, 4.0], "b": [5.0, 12.0]}.items()):
        paths.append(tmp_path / f"{name}.h5")
        with h5py.File(paths[-1], "w") as file:
            file.attrs["class"] = name
            file["mean"], file["features"], file["text"] = mean, [mean, mean], np.eye(2)[place]
    assert ClassMeans(paths, images=0).embed(["b/a"]).tolist() == [[0.0, 9.0, 9.0, 0.0]]
    assert ClassMeans(paths, images=1).embed(["b/a"]).tolist() == [[5.0, 12.0, 3.0, 4.0]]


def test_prompts_do_not_change_the_image_features(packed, named, reader, tmp_path):
    embed_classes([packed["3"]], [tmp_path / "3.h5"], [()], ClipModel(model=str(reader)))
    assert np.array_equal(read(tmp_path / "3.h5", "features"), read(named, "features"))
    with h5py.File(tmp_path / "3.h5") as file:
        assert "text" not in file


def test_a_class_without_text_is_refused_where_text_is_needed(class_means, named):
    with pytest.raises(DataError, match=r"0\.h5 holds no text features; "):
        ClassMeans([named, class_means["0"]], images=0)


@pytest.mark.data
def test_real_photos_and_weights(photos, real_clip, tmp_path):
    model = real_clip / "wsl-tiny-rn.json"
    weights = str(real_clip / "wsl-tiny-rn.pt")
    name = sorted(path.name for path in (photos / "train").iterdir() if path.is_dir())[0]
    source = {"name": "imagefolder", "train": photos / "train", "test": photos / "val"}
    pack_class(tmp_path / "packed.h5", name, Packing(source=source), 0)
    settings = ClipModel(model=str(model), weights=weights)
    embed_classes([tmp_path / "packed.h5"], [tmp_path / "mean.h5"], [()], settings)
    theirs, _, preprocess = open_clip.create_model_and_transforms(model.stem, pretrained=weights)
    expected = features_by_hand(tmp_path / "packed.h5", preprocess, theirs).mean(0)
    assert read(tmp_path / "mean.h5") == pytest.approx(expected, abs=1e-4)
