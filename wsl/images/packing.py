"""Pack one class: every image decoded and resized once, split into train, validation and test."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from sklearn.datasets import load_digits

from wsl.errors import DataError
from wsl.files import new_hdf5
from wsl.images.classes import image_files
from wsl.randomness import stream

log = logging.getLogger(__name__)
UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def pack_classes(out: Sequence[str | Path], source: str, classes: Sequence[dict[str, Any]]) -> None:
    """Pack several classes, a file each.

    Args:
        out: the classes' files.
        source: ``digits`` or ``imagefolder``.
        classes: arguments of ``pack_digits`` or ``pack_folder`` for each, in the order of ``out``.

    Raises:
        DataError: some class is unusable; the message names all that are.
    """
    pack = {"digits": pack_digits, "imagefolder": pack_folder}[source]
    unusable = []
    for path, settings in zip(out, classes, strict=True):
        try:
            pack(out=path, **settings)
        except DataError as error:
            unusable.append(str(error))
    if unusable:
        raise DataError("\n".join(unusable))


def pack_digits(
    name: str, out: str | Path, size: int, validation_share: float, test_share: float, minimum: int, seed: int
) -> None:
    """Pack the digit ``name`` of scikit-learn's handwritten digits (8x8 grey levels 0 to 16), stratified by class.

    Args:
        name: ``0`` to ``9``.
        out: HDF5 file to write, see ``write_class``.
        size: side of the packed images, pixels; larger than 8 is interpolated.
        validation_share, test_share: shares of the class's images.
        minimum: fewest training images.
        seed: the run's seed.
    """
    digits = load_digits()
    grey = np.round(digits.images[digits.target == int(name)] * (255 / 16)).astype(np.uint8)
    images = np.stack([_fitted(Image.fromarray(image), size) for image in grey])
    order = stream(seed, "images", name).permutation(len(images))
    ends = np.cumsum([round(len(images) * validation_share), round(len(images) * test_share)])
    validation, test, train = np.split(order, ends)
    write_class(out, name, images[train], images[validation], images[test], [], minimum)


def pack_folder(
    name: str,
    out: str | Path,
    train: str | Path,
    test: str | Path,
    size: int,
    validation_share: float,
    minimum: int,
    seed: int,
    changed: list[int] | None = None,
) -> None:
    """Pack class ``name`` of an ImageFolder tree: ``test/name`` is the test part, a share of ``train/name`` validation.

    Args:
        train, test: folders of class folders.
        size: images are scaled and centre-cropped to this square, pixels.
        validation_share: share of the train folder's images set aside.
        minimum: fewest readable images in the train folder.
        seed: the run's seed.
        changed: when the class's folders last changed; not used here, but it makes the job stale.

    Raises:
        DataError: the class has fewer readable images than ``minimum``, or none to test on.
    """
    learnt, skipped = read_folder(Path(train, name), size)
    tested, skipped_too = read_folder(Path(test, name), size)
    if not len(tested):
        raise DataError(f"class {name!r}: no readable image in {Path(test, name)}; final evaluations need some")
    order = stream(seed, "images", name).permutation(len(learnt))
    count = max(1, round(len(learnt) * validation_share))
    write_class(out, name, learnt[order[count:]], learnt[order[:count]], tested, skipped + skipped_too, minimum)


def write_class(
    out: str | Path,
    name: str,
    train: np.ndarray,
    validation: np.ndarray,
    test: np.ndarray,
    skipped: list[str],
    minimum: int,
) -> None:
    """Write a class's parts, uint8 (images, size, size, 3), and the files skipped as unreadable.

    Raises:
        DataError: fewer than ``minimum`` images remain, or a part is empty.
    """
    if len(train) + len(validation) < minimum or not len(train) or not len(validation):
        raise DataError(
            f"class {name!r} has {len(train)} readable training and {len(validation)} validation images "
            f"({len(skipped)} skipped), fewer than images.minimum = {minimum}; add images or leave the class out"
        )
    if not len(test):
        raise DataError(f"class {name!r} has no image to test on; raise images.test_share or add images")
    with new_hdf5(out) as file:
        file.attrs["class"] = name
        file.attrs["skipped"] = skipped
        for part, images in (("train", train), ("validation", validation), ("test", test)):
            file.create_dataset(part, data=images)
    log.info("class %s: %d train, %d validation, %d test images", name, len(train), len(validation), len(test))


def read_folder(folder: Path, size: int) -> tuple[np.ndarray, list[str]]:
    """Return the readable images of a folder, uint8 (n, size, size, 3), and the files skipped as unreadable."""
    images, skipped = [], []
    for path in sorted(image_files(folder)):
        try:
            with Image.open(path) as image:
                image.draft("RGB", (size, size))  # lets a JPEG be decoded at a smaller scale; others ignore it
                images.append(_fitted(ImageOps.exif_transpose(image), size))
        except UNREADABLE as error:
            log.warning("skipped the unreadable image %s: %s", path, error)
            skipped.append(str(path))
    return np.array(images, dtype=np.uint8).reshape(-1, size, size, 3), skipped


def _fitted(image: Image.Image, size: int) -> np.ndarray:
    if image.mode == "F":
        raise ValueError("floating-point pixels have no range of grey levels of their own")
    if image.mode.startswith("I"):  # 16-bit grey levels: PIL's own conversion would clip them to white
        image = Image.fromarray((np.asarray(image, dtype=np.float64) / 257).clip(0, 255).astype(np.uint8))
    rgb = image.convert("RGB")
    return np.asarray(ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC))
