"""Somebody's own images, packed as a run's are: a folder a class, some of each held out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsl.errors import DataError
from wsl.files import new_hdf5
from wsl.images.classes import name_fault
from wsl.images.folders import LeftOut, read_folder
from wsl.randomness import stream

# A class of somebody's own may bear the name of one of the run's.
PREFIX = "own: "


def own_classes(folder: Path, wanted: Sequence[str] | None, needed: int) -> list[str]:
    """Return the class folders of a folder, in the order asked for or sorted.

    Raises:
        DataError: they are not as many as ``needed``, or one is missing.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; give one that holds a folder of images for each class")
    there = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    missing = [name for name in wanted or () if name not in there]
    if missing:
        raise DataError(f"{folder} has no folder {missing[0]!r}; its class folders are {', '.join(there) or 'none'}")
    names = list(wanted) if wanted else there
    for name in names:
        if why := name_fault(name):
            raise DataError(f"the class folder {name!r} in {folder} {why}; rename it")
    if len(names) != needed:
        raise DataError(
            f"this run's models tell {needed} classes apart, and {folder} has {len(names)} class folders"
            f" ({', '.join(names[:8]) or 'none'}); name {needed} of them by --classes"
        )
    return names


def pack_own(folder: Path, name: str, out: str | Path, size: int, held_out: float, seed: int) -> int:
    """Pack a class: parts ``train`` and ``test``, the latter a share of its images; return how many the
    former has.

    Args:
        folder: of class folders; name: of the class.
        out: HDF5 file, with the images of a part alone under its name.
        size: images are scaled and centre-cropped to this square, pixels.
        held_out: share of the readable images that is set aside; at least one image stays.
        seed: of the choice.

    Raises:
        DataError: no image is readable.
    """
    images = read_folder(folder / name, size, LeftOut()).images
    if not len(images):
        raise DataError(f"{folder / name} holds no readable image; add some or leave the class out")
    order = stream(seed, "images", name).permutation(len(images))
    count = min(round(len(images) * held_out), len(images) - 1)
    _write(out, name, images[order[count:]], images[order[:count]])
    return len(images) - count


def pack_nothing(name: str, out: str | Path, size: int) -> int:
    """Write a class that has a name and no image; return that it has none, as ``pack_own`` does."""
    none = np.empty((0, size, size, 3), dtype=np.uint8)
    _write(out, name, none, none)
    return 0


def _write(out: str | Path, name: str, train: np.ndarray, test: np.ndarray) -> None:
    with new_hdf5(out) as file:
        file.attrs["class"] = PREFIX + name
        file.create_dataset("train", data=train)
        file.create_dataset("test", data=test)
