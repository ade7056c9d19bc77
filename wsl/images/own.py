"""Somebody's own images, packed as a run's are: a folder a class, some of each held out."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsl.errors import DataError
from wsl.files import new_hdf5
from wsl.images.classes import name_fault
from wsl.images.contents import class_folders, image_files
from wsl.images.folders import LeftOut, read_folder
from wsl.images.names import match_names
from wsl.randomness import stream

log = logging.getLogger(__name__)
# A class of somebody's own may bear the name of one of the run's.
PREFIX = "own: "


def own_classes(folder: Path, wanted: Sequence[str] | None, needed: int) -> list[str]:
    """Return the class folders of a folder, in the order asked for or sorted.

    Args:
        folder: of class folders.
        wanted: names of class folders, see ``wsl.images.names.match_names``; None: all.
        needed: how many the run's models distinguish.

    Raises:
        DataError: they are not as many as ``needed``, or one is missing, listed twice or unusable; all such faults are
            named.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; give one that holds a folder of images for each class")
    there = class_folders(folder)
    some = ", ".join(there[:8]) + (", ..." if len(there) > 8 else "")
    names, faults = there, []
    if wanted:
        matched = match_names(wanted, there)
        names = matched.names
        faults = matched.faults(f"in {folder}", f"its class folders are {some or 'none'}")
    for name in names:
        if why := name_fault(name):
            faults.append(f"the class folder {name!r} in {folder} {why}; rename it")
    if faults:
        raise DataError("\n".join(faults))
    loose = sum(1 for _ in image_files(folder))
    if len(names) != needed:
        models = f"this run's models distinguish {needed} classes"
        if wanted:
            raise DataError(f"{models}, but --classes names {len(names)}; name {needed}")
        beside = f" and {loose} image files" if loose else ""
        more = len(there) > needed
        raise DataError(
            f"{models}, but {folder} has {len(there)} class folders ({some or 'none'}){beside}; "
            + (f"name {needed} of them by --classes" if more else "give a folder that holds a folder for each class")
        )
    if loose:
        log.warning("%s: image files beside the class folders are not used: %d", folder, loose)
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
    left_out = LeftOut()
    images = read_folder(folder / name, size, left_out).images
    if not len(images):
        raise DataError(
            f"{folder / name} holds no readable image{left_out.in_words()}; add some or leave the class out"
        )
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
