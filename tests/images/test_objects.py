"""Images in Python objects: the same pixels as in folders, and folders that the workflow and torchvision read."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Subset
from torchvision.datasets import FakeData, ImageFolder
from torchvision.transforms import ToTensor

from wsl.errors import DataError
from wsl.images.objects import images_of
from wsl.images.packing import pack_class
from wsl.images.parts import LeftOut
from wsl.images.reading import read_task
from wsl.images.settings import Packing
from wsl.images.writing import write_images

SIZE = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes of three PNG files of 8 by 8 pixels."""
    root, rng = tmp_path_factory.mktemp("classes"), np.random.default_rng(0)
    for name in ("cat", "yak"):
        (root / name).mkdir()
        for place in range(3):
            Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)).save(root / name / f"{place}.png")
    return root


@pytest.fixture(scope="module")
def pixels(folder):
    """The images of each class as Pillow reads them (3, 8, 8, 3)."""
    return {
        path.name: np.array([np.asarray(Image.open(file)) for file in sorted(path.iterdir())])
        for path in sorted(folder.iterdir())
    }


class Image_:  # noqa: N801
    """Stands for the feature type that Hugging Face calls `Image`."""


Image_.__name__ = "Image"


class ClassLabel:
    """A feature of Hugging Face: the names of the classes."""

    def __init__(self, names):
        self.names = names


class Columns:
    """A dataset in the way of Hugging Face: columns by name, rows as dicts, types of the columns in `features`."""

    def __init__(self, columns, features):
        self._columns, self.features, self.column_names = columns, features, list(columns)
        self.decoded = []

    def __len__(self):
        return len(next(iter(self._columns.values())))

    def __getitem__(self, key):
        if isinstance(key, str):
            return self._columns[key]
        self.decoded.append(key)
        return {name: column[key] for name, column in self._columns.items()}


def read(images, name):
    return images_of(images).read(name, SIZE, LeftOut()).images


def hugging(pixels):
    rows = [(Image.fromarray(image), label) for label, name in enumerate(pixels) for image in pixels[name]]
    images, labels = map(list, zip(*rows[::-1], strict=True))
    return Columns({"photo": images, "animal": labels}, {"photo": Image_(), "animal": ClassLabel([*pixels])})


@pytest.mark.parametrize(
    "given",
    [
        lambda folder, pixels: folder,
        lambda folder, pixels: str(folder),
        lambda folder, pixels: pixels,
        lambda folder, pixels: {name: [Image.fromarray(image) for image in pixels[name]] for name in pixels},
        lambda folder, pixels: {name: torch.tensor(pixels[name]).permute(0, 3, 1, 2) for name in pixels},
        lambda folder, pixels: {name: pixels[name] / 255 for name in pixels},
        lambda folder, pixels: {path.name: sorted(path.iterdir()) for path in folder.iterdir()},
        lambda folder, pixels: ImageFolder(folder),
        lambda folder, pixels: ImageFolder(folder, ToTensor()),
        lambda folder, pixels: Subset(ImageFolder(folder), range(6)),
        lambda folder, pixels: Pairs(pixels),
    ],
    ids=["path", "text", "arrays", "pil", "tensors", "floats", "files", "torchvision", "to-tensor", "subset", "pairs"],
)
def test_every_object_gives_the_pixels_of_the_files(given, folder, pixels):
    images = given(folder, pixels)
    assert sorted(images_of(images).names) == ["cat", "yak"]
    for name in pixels:
        np.testing.assert_array_equal(read(images, name), pixels[name])


class Pairs:
    """A dataset without class names: labels are texts."""

    def __init__(self, pixels):
        self.items = [(image, name) for name in pixels for image in pixels[name]]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def test_columns_of_hugging_face_are_found_by_their_types_and_read_for_one_class_only(pixels):
    dataset = hugging(pixels)
    assert images_of(dataset).names == ["cat", "yak"]
    np.testing.assert_array_equal(read(dataset, "yak"), pixels["yak"][::-1])
    assert dataset.decoded == [0, 1, 2]  # the items of the class, which come first


def test_labels_without_names_are_their_numbers():
    fake = FakeData(30, (3, SIZE, SIZE), num_classes=3)
    images = images_of(fake)
    assert images.names == ["0", "1", "2"]
    expected = [np.asarray(image) for image, label in (fake[place] for place in range(30)) if label == 1]
    np.testing.assert_array_equal(read(fake, "1"), expected)


def test_grey_and_transparent_arrays_are_images():
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for array in (grey, grey[..., None], grey[None], torch.tensor(grey)[None]):
        np.testing.assert_array_equal(read({"a": [array]}, "a")[0], np.repeat(grey[..., None], 3, 2))
    opaque = np.concatenate([np.repeat(grey[..., None], 3, 2), np.full((8, 8, 1), 255, np.uint8)], 2)
    np.testing.assert_array_equal(read({"a": [opaque]}, "a")[0], opaque[..., :3])


def test_repeated_images_are_left_out_with_a_warning(pixels, caplog):
    assert len(read({"cat": [*pixels["cat"], pixels["cat"][0]]}, "cat")) == 3
    assert "cat: 3 images are used; left out: 1 repeated" in caplog.text


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (3, "a int is not a set of images by class; give a folder of class folders, a dict"),
        ([1, 2], "a list is not a set of images by class"),
        ("nowhere/at/all", "there is no folder nowhere/at/all; give one that holds a folder of images for each class"),
        ({1: []}, "has class names as keys"),
        ({"train": Columns({}, {})}, r"a dict of datasets, one per split \('train'\); give one"),
        ({"a": [np.zeros((8, 8, 3)) - 2]}, "image 0 of the class 'a' cannot be used: its values lie between -2 and -2"),
        ({"a": [np.full((8, 8), np.nan)]}, "its values lie between nan and nan, not between 0 and 1"),
        ({"a": [np.zeros(8, np.uint8)]}, r"an array of the shape \(8,\) is not an image"),
        ({"a": ["no.png"]}, "no.png .image 0 of the class 'a'. cannot be read"),
        ({"a": [object()]}, "it is a object, not an image; give PIL images, arrays or paths of files"),
        (Columns({"photo": [1], "n": [1]}, {"photo": 1, "n": 1}), "has no column `image`, but photo, n; rename"),
    ],
)
def test_unusable_objects_are_refused_with_a_message(images, message):
    with pytest.raises(DataError, match=message):
        read(images, "a")


def test_a_label_without_a_name_is_refused(pixels):
    dataset = hugging(pixels)
    dataset.features["animal"].names = ["cat"]
    with pytest.raises(DataError, match="has the label 1, but 1 class names; name every class"):
        read(dataset, "cat")


def test_written_folders_are_read_by_torchvision_and_by_the_workflow(pixels, tmp_path):
    assert write_images(hugging(pixels), tmp_path / "train") == {"cat": 3, "yak": 3}
    write_images({name: 255 - pixels[name] for name in pixels}, tmp_path / "test")
    theirs = ImageFolder(tmp_path / "train")
    assert theirs.classes == ["cat", "yak"]
    np.testing.assert_array_equal([np.asarray(image) for image, _ in theirs][:3], pixels["cat"][::-1])
    source = {"name": "imagefolder", "train": tmp_path / "train", "test": tmp_path / "test"}
    packing = Packing(source=source, size=SIZE, minimum=2, validation_share=0.3)
    pack_class(tmp_path / "cat.h5", "cat", packing, seed=0)
    test, _ = read_task([tmp_path / "cat.h5"], "test")
    np.testing.assert_array_equal(test, 255 - pixels["cat"])
    assert sum(len(read_task([tmp_path / "cat.h5"], part)[0]) for part in ("train", "validation")) == 3


@pytest.mark.parametrize(
    ("images", "classes", "message"),
    [
        ({"a/b": [1]}, None, "the class 'a/b' of the dict of images has a brace or a slash; rename it"),
        ({"a": []}, None, "the class 'a' of the dict of images has no image; leave it out by `classes`"),
        ({"a": []}, ["b"], "there is no class 'b' in the dict of images; its classes are a"),
        ({"a": [np.zeros((8, 8, 3)) - 1]}, None, "its values lie between"),
    ],
)
def test_nothing_is_written_of_images_that_cannot_be_used(images, classes, message, tmp_path):
    with pytest.raises(DataError, match=message):
        write_images(images, tmp_path / "out", classes)
    assert not list(tmp_path.iterdir())


def test_a_folder_is_neither_written_again_nor_replaced(folder, pixels, tmp_path):
    with pytest.raises(DataError, match=r"holds class folders already; name it in images\.source as it is"):
        write_images(folder, tmp_path / "out")
    with pytest.raises(DataError, match="exists already; name another folder"):
        write_images(pixels, folder)
