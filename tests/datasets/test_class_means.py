"""Class means and dataset embeddings (section 3.2.2)."""

import shutil

import h5py
import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from wsl.datasets import clip
from wsl.datasets.class_means import ClassMeans, embed_classes
from wsl.datasets.settings import ClipModel
from wsl.errors import DataError
from wsl.images.packing import pack_class
from wsl.images.reading import join_task
from wsl.images.settings import Packing

PROMPTS = ["a photo of a three.", "the digit three", "3"]


def mean_by_hand(packed, preprocess, model):
    """The plain mean of open_clip's features of the training images, one by one."""
    with h5py.File(packed) as file:
        photos = file["train"][...]
    with torch.no_grad():
        features = [model.encode_image(preprocess(Image.fromarray(photo))[None])[0] for photo in photos]
    return torch.stack(features).mean(0).numpy(), len(photos)


def read(path):
    with h5py.File(path) as file:
        return file["mean"][...], dict(file.attrs)


def test_it_is_the_plain_mean_of_open_clips_features(packed, class_means, tiny_clip):
    open_clip.add_model_config(tiny_clip)
    torch.manual_seed(0)
    model, _, preprocess = open_clip.create_model_and_transforms(tiny_clip.stem)
    expected, count = mean_by_hand(packed["3"], preprocess, model.eval())
    mean, about = read(class_means["3"])
    assert mean == pytest.approx(expected, abs=1e-5)
    assert about == {"class": "3", "images": count}


def test_batches_do_not_matter(packed, class_means, tiny_clip, tmp_path, monkeypatch):
    monkeypatch.setattr(clip, "BATCH", 7)
    embed_classes([packed["3"]], [tmp_path / "3.h5"], [()], ClipModel(model=str(tiny_clip)))
    assert read(tmp_path / "3.h5")[0] == pytest.approx(read(class_means["3"])[0], abs=1e-6)


def test_held_out_images_play_no_part(packed, class_means, tiny_clip, tmp_path):
    blind = shutil.copy(packed["3"], tmp_path / "blind.h5")
    with h5py.File(blind, "a") as file:
        del file["test"], file["validation"]
    embed_classes([blind], [tmp_path / "3.h5"], [()], ClipModel(model=str(tiny_clip)))
    assert (tmp_path / "3.h5").read_bytes() == class_means["3"].read_bytes()


def test_an_embedding_concatenates_the_means_in_the_tasks_order(class_means):
    means = ClassMeans(list(class_means.values()))
    own = {name: read(path)[0] for name, path in class_means.items()}
    embedded = means.embed([join_task("042"), join_task("204")])
    assert embedded.shape == (2, 3 * 8)
    assert np.array_equal(embedded[0], np.concatenate([own["0"], own["4"], own["2"]]))
    assert np.array_equal(embedded[1], np.concatenate([own["2"], own["0"], own["4"]]))


def features(path):
    with h5py.File(path) as file:
        return file["features"][...]


def test_features_are_those_of_every_training_image_in_its_order(packed, class_means, tiny_clip):
    open_clip.add_model_config(tiny_clip)
    torch.manual_seed(0)
    model, _, preprocess = open_clip.create_model_and_transforms(tiny_clip.stem)
    with h5py.File(packed["3"]) as file:
        photos = file["train"][...]
    own = features(class_means["3"])
    assert own.shape == (len(photos), 8) and own.dtype == np.float32
    for place in (0, 1, 70, len(photos) - 1):
        with torch.no_grad():
            expected = model.eval().encode_image(preprocess(Image.fromarray(photos[place]))[None])[0].numpy()
        assert own[place] == pytest.approx(expected, abs=1e-5)
    assert read(class_means["3"])[0] == pytest.approx(own.astype(float).mean(axis=0), abs=1e-7)


@pytest.mark.parametrize("images", [1, 5, 100_000])
def test_means_may_be_of_a_few_images_alone(class_means, images):
    means = ClassMeans(list(class_means.values()), images=images)
    expected = [features(class_means[name])[:images].astype(float).mean(axis=0) for name in "042"]
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
    with h5py.File(named) as file:
        assert file["text"][...] == pytest.approx(expected, abs=1e-6)
    assert 0 < np.linalg.norm(expected) < 1
    texts = ClassMeans([named], images=0).means["3"]
    assert texts / np.linalg.norm(texts) == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)


def test_texts_stand_in_for_class_means_of_their_length(tmp_path):
    """Two classes by hand: texts of length 1, class means of lengths 5 and 13."""
    paths = []
    for place, (name, mean) in enumerate({"a": [3.0, 4.0], "b": [5.0, 12.0]}.items()):
        paths.append(tmp_path / f"{name}.h5")
        with h5py.File(paths[-1], "w") as file:
            file.attrs["class"] = name
            file["mean"], file["features"], file["text"] = mean, [mean, mean], np.eye(2)[place]
    assert ClassMeans(paths, images=0).embed(["b/a"]).tolist() == [[0.0, 9.0, 9.0, 0.0]]
    assert ClassMeans(paths, images=1).embed(["b/a"]).tolist() == [[5.0, 12.0, 3.0, 4.0]]


def test_prompts_leave_the_image_features_as_they_are(packed, named, reader, tmp_path):
    embed_classes([packed["3"]], [tmp_path / "3.h5"], [()], ClipModel(model=str(reader)))
    assert np.array_equal(features(tmp_path / "3.h5"), features(named))
    with h5py.File(tmp_path / "3.h5") as file:
        assert "text" not in file


def test_a_class_without_text_is_refused_where_text_is_asked_for(class_means, named):
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
    expected, _ = mean_by_hand(tmp_path / "packed.h5", preprocess, theirs.eval())
    assert read(tmp_path / "mean.h5")[0] == pytest.approx(expected, abs=1e-4)
