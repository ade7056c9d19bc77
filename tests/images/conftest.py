"""A small folder of images to pack, and packing it."""

import h5py
import pytest
from PIL import Image

from wsl.images.packing import pack_class
from wsl.images.settings import Packing

PARTS = ("train", "validation", "test")


@pytest.fixture
def tree(tmp_path):
    """A class `koala` of 20 flat grey training images, shade 10 * number, and 4 test images of shade 201 to 204."""
    for part, shades in (("train", range(0, 200, 10)), ("val", range(201, 205))):
        folder = tmp_path / part / "koala"
        folder.mkdir(parents=True)
        for shade in shades:
            Image.new("L", (24, 20), shade).save(folder / f"{shade:03d}.png")
    return tmp_path


@pytest.fixture
def pack(tree):
    """Pack a class of the tree: ``pack(name="koala", seed=0, **settings)`` returns the file."""

    def run(name="koala", seed=0, **settings):
        out = tree / f"{name}.h5"
        source = {"name": "imagefolder", "train": tree / "train", "test": tree / "val"}
        pack_class(out, name, Packing(**{"source": source, "size": 16, **settings}), seed)
        return out

    return run


@pytest.fixture(scope="session")
def read():
    """Read a packed file: its parts by name, and the files skipped."""

    def run(path):
        with h5py.File(path) as file:
            return {part: file[part][...] for part in PARTS}, [name.decode() for name in file["left_out/skipped"]]

    return run


@pytest.fixture(scope="session")
def left_out():
    """Read which files a packed class leaves out: their names by ``skipped``, ``repeated``, ``leaked``."""

    def run(path):
        with h5py.File(path) as file:
            return {key: [name.rsplit("/", 1)[1] for name in names.asstr()] for key, names in file["left_out"].items()}

    return run
