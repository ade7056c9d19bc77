"""Pack one class: every image decoded and resized once, split into train, validation and test."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from wsl.errors import DataError
from wsl.files import new_hdf5
from wsl.images.characters import CHARACTERS
from wsl.images.contents import described
from wsl.images.folders import LeftOut, Part, fitted, read_folder
from wsl.images.glyphs import LEARNT_FONTS, TEST_FONTS, draw_glyph, font_files
from wsl.images.reading import LEFT_OUT
from wsl.randomness import stream

log = logging.getLogger(__name__)


def pack_classes(out: Sequence[str | Path], source: str, classes: Sequence[dict[str, Any]]) -> None:
    """Pack several classes, a file each.

    Args:
        out: the classes' files.
        source: ``digits``, ``glyphs`` or ``imagefolder``.
        classes: arguments of ``pack_digits``, ``pack_glyphs`` or ``pack_folder`` for each, in the order of ``out``.

    Raises:
        DataError: some class is unusable; the message names all that are.
    """
    pack = {"digits": pack_digits, "glyphs": pack_glyphs, "imagefolder": pack_folder}[source]
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
    places = np.flatnonzero(digits.target == int(name))
    grey = np.round(digits.images[places] * (255 / 16)).astype(np.uint8)
    every = Part(
        np.stack([fitted(Image.fromarray(image), size) for image in grey]), [f"digit {place}" for place in places]
    )
    order = stream(seed, "images", name).permutation(len(places))
    ends = np.cumsum([round(len(places) * validation_share), round(len(places) * test_share)])
    validation, test, train = (every.at(some) for some in np.split(order, ends))
    write_class(out, name, train, validation, test, minimum, LeftOut())


def pack_glyphs(
    name: str,
    out: str | Path,
    size: int,
    validation_share: float,
    test_share: float,
    minimum: int,
    seed: int,
    drawn: int,
) -> None:
    """Draw and pack the character ``name``. Test images use other fonts than all others.

    Args:
        name: a key of ``wsl.images.characters.CHARACTERS``.
        out: HDF5 file to write, see ``write_class``.
        size: side of the images, pixels.
        validation_share, test_share: shares of ``drawn``.
        minimum: fewest training and validation images.
        seed: the run's seed.
        drawn: images to draw.

    Raises:
        DataError: too few images are left to learn from, or matplotlib's fonts are missing.
    """
    counts = {"test": round(drawn * test_share), "validation": round(drawn * validation_share)}
    counts["train"] = drawn - sum(counts.values())
    parts = {}
    for key, count in counts.items():
        fonts = font_files(TEST_FONTS if key == "test" else LEARNT_FONTS)
        images, files = [], []
        for index in range(count):
            rng = stream(seed, "images", name, key, index)
            font = fonts[rng.integers(len(fonts))]
            grey = draw_glyph(CHARACTERS[name], font, size, rng)
            images.append(np.repeat(grey[:, :, None], 3, axis=2))
            files.append(f"{name}, {font.stem}, {index}")
        parts[key] = Part(np.array(images, dtype=np.uint8).reshape(-1, size, size, 3), files)
    write_class(out, name, parts["train"], parts["validation"], parts["test"], minimum, LeftOut())


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

    An image that a folder holds twice counts once, and a test image is not trained on.

    Args:
        name: of the class.
        out: HDF5 file to write, see ``write_class``.
        train, test: folders of class folders.
        size: images are scaled and centre-cropped to this square, pixels.
        validation_share: share of the train folder's images set aside.
        minimum: fewest readable images in the train folder.
        seed: the run's seed.
        changed: when the class's folders last changed; not used here, but it makes the job stale.

    Raises:
        DataError: the class has fewer readable images than ``minimum``, or none to test on.
    """
    left_out = LeftOut()
    tested = read_folder(Path(test, name), size, left_out)
    if not tested.files:
        raise DataError(
            f"class {name!r}: no readable image in {Path(test, name)}{left_out.in_words()}; final evaluations need some"
        )
    learnt = read_folder(Path(train, name), size, left_out, tested.digests.tolist())
    order = stream(seed, "images", name).permutation(len(learnt.files))
    count = max(1, round(len(order) * validation_share))
    write_class(out, name, learnt.at(order[count:]), learnt.at(order[:count]), tested, minimum, left_out)


def write_class(
    out: str | Path, name: str, train: Part, validation: Part, test: Part, minimum: int, left_out: LeftOut
) -> None:
    """Write a class: for each part its images, uint8 (images, size, size, 3), with digests and files of each.

    Args:
        out: HDF5 file.
        name: of the class.
        train, validation, test: parts.
        minimum: fewest images to learn from.
        left_out: files that are not used, named in the file.

    Raises:
        DataError: fewer than ``minimum`` images remain, or a part is empty.
    """
    learnt = (len(train.files), len(validation.files))
    if sum(learnt) < minimum or not all(learnt):
        raise DataError(
            f"class {name!r} has {learnt[0]} readable training and {learnt[1]} validation images"
            f"{left_out.in_words()}, fewer than "
            f"images.minimum = {minimum}; add images or leave the class out"
        )
    if not test.files:
        raise DataError(f"class {name!r} has no image to test on; raise images.test_share or add images")
    text = h5py.string_dtype()
    with new_hdf5(out) as file:
        file.attrs["class"] = name
        for key, part in (("train", train), ("validation", validation), ("test", test)):
            file.create_dataset(key, data=part.images)
            file.create_dataset(f"digests/{key}", data=part.digests)
            file.create_dataset(f"files/{key}", data=part.files, dtype=text)
        for key in LEFT_OUT:
            file.create_dataset(f"left_out/{key}", data=getattr(left_out, key), dtype=text)
        file["left_out"].attrs["kinds"] = described(left_out.kinds)
    log.info("class %s: %d train, %d validation, %d test images", name, *learnt, len(test.files))
