"""A user's own images for a finished run, packed like the run's, with a share of each class held out."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsl.errors import DataError
from wsl.files.hdf5 import new_hdf5, open_hdf5
from wsl.images.classes import name_fault
from wsl.images.names import match_names
from wsl.images.objects import ImageClasses
from wsl.images.parts import LeftOut, digest
from wsl.randomness import stream

log = logging.getLogger(__name__)
# A user's class may have the name of one of the run's classes.
PREFIX = "own: "


def own_classes(images: ImageClasses, wanted: Sequence[str] | None, needed: int) -> list[str]:
    """Return the classes of a user's images, in the order of ``wanted`` or of the images.

    Args:
        images: by class.
        wanted: names of classes, see ``match_names``; None: all.
        needed: number of classes that the run's models distinguish.

    Raises:
        DataError: their number is not ``needed``, or some are missing, listed twice or unusable; the message names all
            faults.
    """
    known, place, kind = images.names, images.place, images.kind
    kinds = "class folders" if kind == "class folder" else "classes"
    some = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    names, faults = known, []
    if wanted:
        matched = match_names(wanted, known)
        names = matched.names
        faults = matched.faults(f"in {place}", f"its {kinds} are {some or 'none'}")
    faults += [f"the {kind} {name!r} in {place} {why}; rename it" for name in names if (why := name_fault(name))]
    if faults:
        raise DataError("\n".join(faults))
    loose = images.loose()
    if len(names) != needed:
        models = f"this run's models distinguish {needed} classes"
        if wanted:
            raise DataError(f"{models}, but --classes names {len(names)}; name {needed}")
        files = f" and {loose} image files" if loose else ""
        other = "give a folder that holds a folder for each class" if kind == "class folder" else "give more classes"
        raise DataError(
            f"{models}, but {place} has {len(known)} {kinds} ({some or 'none'}){files}; "
            + (f"name {needed} of them by --classes" if len(known) > needed else other)
        )
    if loose:
        log.warning("%s: image files beside the class folders are not used: %d", place, loose)
    return names


def pack_own(images: ImageClasses, name: str, out: str | Path, size: int, held_out: float, seed: int) -> int:
    """Pack a class into the parts ``train`` and ``test``; return the number of images in ``train``.

    Args:
        images: by class.
        name: name of the class.
        out: HDF5 file with the images of each part, without digests and origins.
        size: side of the images, pixels.
        held_out: share of the readable images in ``test``; at least one image stays in ``train``.
        seed: seed of the split.

    Raises:
        DataError: no image is readable.
    """
    packed = _read(images, name, size)
    order = stream(seed, "images", name).permutation(len(packed))
    count = min(round(len(packed) * held_out), len(packed) - 1)
    _write(out, name, packed[order[count:]], packed[order[:count]])
    return len(packed) - count


def pack_test(images: ImageClasses, name: str, packed: str | Path, out: str | Path) -> int:
    """Pack a class with other test images; return their number.

    Args:
        images: test images by class; those that equal a training image are left out.
        name: name of the class.
        packed: the packed class.
        out: HDF5 file.

    Raises:
        DataError: no image is readable.
    """
    with open_hdf5(packed) as file:
        train, size = file["train"][...], file["train"].shape[1]
    known = {digest(image) for image in train}
    test = _read(images, name, size)
    new = np.array([digest(image) not in known for image in test])
    if not new.all():
        log.warning("%s: %d test images equal training images and are left out", name, (~new).sum())
    _write(out, name, train, test[new])
    return int(new.sum())


def pack_nothing(name: str, out: str | Path, size: int) -> int:
    """Write a class that has a name and no image; return the number of its images, 0."""
    empty = np.empty((0, size, size, 3), dtype=np.uint8)
    _write(out, name, empty, empty)
    return 0


def _read(images: ImageClasses, name: str, size: int) -> np.ndarray:
    left_out = LeftOut()
    packed = images.read(name, size, left_out).images
    if not len(packed):
        place = Path(images.place, name) if images.kind == "class folder" else f"the class {name!r} of {images.place}"
        raise DataError(f"{place} holds no readable image{left_out.in_words()}; add some or leave the class out")
    return packed


def _write(out: str | Path, name: str, train: np.ndarray, test: np.ndarray) -> None:
    with new_hdf5(out) as file:
        file.attrs["class"] = PREFIX + name
        file.create_dataset("train", data=train)
        file.create_dataset("test", data=test)
