"""A user's own images for a finished run, packed like the run's: one folder per class, a share of each held out."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsl.errors import DataError
from wsl.files.hdf5 import new_hdf5
from wsl.images.classes import name_fault
from wsl.images.contents import class_folders, image_files
from wsl.images.folders import read_folder
from wsl.images.names import match_names
from wsl.images.parts import LeftOut
from wsl.randomness import stream

log = logging.getLogger(__name__)
# A user's class may have the name of one of the run's classes.
PREFIX = "own: "


def own_classes(folder: Path, wanted: Sequence[str] | None, needed: int) -> list[str]:
    """Return the class folders of a folder, in the order of ``wanted`` or sorted.

    Args:
        folder: folder of class folders.
        wanted: names of class folders, see ``match_names``; None: all.
        needed: number of classes that the run's models distinguish.

    Raises:
        DataError: their number is not ``needed``, or some are missing, listed twice or unusable; the message names all
            faults.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; give one that holds a folder of images for each class")
    known = class_folders(folder)
    some = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    names, faults = known, []
    if wanted:
        matched = match_names(wanted, known)
        names = matched.names
        faults = matched.faults(f"in {folder}", f"its class folders are {some or 'none'}")
    faults += [f"the class folder {name!r} in {folder} {why}; rename it" for name in names if (why := name_fault(name))]
    if faults:
        raise DataError("\n".join(faults))
    loose = sum(1 for _ in image_files(folder))
    if len(names) != needed:
        models = f"this run's models distinguish {needed} classes"
        if wanted:
            raise DataError(f"{models}, but --classes names {len(names)}; name {needed}")
        files = f" and {loose} image files" if loose else ""
        more = len(known) > needed
        raise DataError(
            f"{models}, but {folder} has {len(known)} class folders ({some or 'none'}){files}; "
            + (f"name {needed} of them by --classes" if more else "give a folder that holds a folder for each class")
        )
    if loose:
        log.warning("%s: image files beside the class folders are not used: %d", folder, loose)
    return names


def pack_own(folder: Path, name: str, out: str | Path, size: int, held_out: float, seed: int) -> int:
    """Pack a class into the parts ``train`` and ``test``; return the number of images in ``train``.

    Args:
        folder: folder of class folders.
        name: name of the class.
        out: HDF5 file with the images of each part, without digests and origins.
        size: side of the images, pixels.
        held_out: share of the readable images in ``test``; at least one image stays in ``train``.
        seed: seed of the split.

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
    """Write a class that has a name and no image; return the number of its images, 0."""
    empty = np.empty((0, size, size, 3), dtype=np.uint8)
    _write(out, name, empty, empty)
    return 0


def _write(out: str | Path, name: str, train: np.ndarray, test: np.ndarray) -> None:
    with new_hdf5(out) as file:
        file.attrs["class"] = PREFIX + name
        file.create_dataset("train", data=train)
        file.create_dataset("test", data=test)
