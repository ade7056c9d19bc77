"""Pack one class: every image decoded and scaled once, split into train, validation and test."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from wsl.errors import DataError, Faults
from wsl.files.hdf5 import new_hdf5
from wsl.images.contents import described
from wsl.images.folders import read_folder
from wsl.images.parts import LeftOut, Part, changed, collect
from wsl.images.reading import LEFT_OUT, PARTS
from wsl.images.settings import Packing
from wsl.jobs.job import Job
from wsl.randomness import stream

log = logging.getLogger(__name__)


def pack_classes(
    out: Sequence[str | Path],
    classes: Sequence[str],
    settings: Packing,
    fingerprints: Sequence[Any] = (),
    job: Job = Job(),  # noqa: B008
) -> None:
    """Pack several classes, one file per class, see ``pack_class``.

    Args:
        out: one file per class.
        classes: names of the classes.
        settings: image source and how it is packed.
        fingerprints: unused, but a change of them makes the job stale, see ``ImageSource.fingerprint``.
        job: its seed is the run's.

    Raises:
        DataError: some class is unusable; the message names all of them.
    """
    unusable = Faults()
    for path, name in zip(out, classes, strict=True):
        with unusable.noted():
            pack_class(path, name, settings, job.seed)
    if unusable.lines:
        raise DataError("\n".join(unusable.lines))


def pack_class(out: str | Path, name: str, settings: Packing, seed: int) -> None:
    """Pack one class; an image that a part holds twice counts once, and test images are not trained on.

    Args:
        out: HDF5 file, see ``write_class``.
        name: name of the class.
        settings: image source and how it is packed.
        seed: the run's seed, from which splits are drawn.

    Raises:
        DataError: the class has fewer usable images than ``settings.minimum``, or a part is empty.
    """
    left_out, parts = LeftOut(), {}
    images = settings.source.images(name, settings, seed)
    for part in ("test", "train", "validation"):  # test images first, since the others must not contain them
        if part not in images:
            continue
        excluded = [] if part == "test" or "test" not in parts else parts["test"].digests.tolist()
        excluded += parts["train"].digests.tolist() if part == "validation" else []
        if isinstance(images[part], Path):
            parts[part] = read_folder(images[part], settings.size, left_out, excluded)
        else:
            parts[part] = collect(images[part], settings.size, f"{name}, {part}", left_out, excluded)
        if part == "test" and not parts[part].files:
            place = f"readable image in {images[part]}" if isinstance(images[part], Path) else "test image"
            raise DataError(f"class {name!r}: no {place}{left_out.in_words()}; final evaluations need some")
    parts = _limited(_split(parts, name, settings, seed), name, settings, seed)
    parts = {part: changed(whole, settings.source.change(name, whole.images, seed)) for part, whole in parts.items()}
    write_class(out, name, parts, settings.minimum, left_out)


def _split(parts: dict[str, Part], name: str, settings: Packing, seed: int) -> dict[str, Part]:
    """Return all three parts; those that the source lacks are split off from its training images."""
    if "validation" in parts:
        return parts
    source = parts["train"]
    order = stream(seed, "images", settings.source.original(name)).permutation(len(source.files))
    validation = round(len(order) * settings.validation_share)
    if "test" in parts:
        validation = max(1, validation)
        return {**parts, "train": source.at(order[validation:]), "validation": source.at(order[:validation])}
    ends = np.cumsum([validation, round(len(order) * settings.source.owner(name)[0].test_share)])
    return dict(zip(("validation", "test", "train"), map(source.at, np.split(order, ends)), strict=True))


def _limited(parts: dict[str, Part], name: str, settings: Packing, seed: int) -> dict[str, Part]:
    """Return parts with at most ``ImageSource.at_most`` images to train and validate on, drawn in equal shares."""
    total, most = (len(parts["train"].files) + len(parts["validation"].files)), settings.source.at_most(name)
    if most is None or total <= most:
        return parts
    validation = min(max(1, round(most * len(parts["validation"].files) / total)), most - 1)
    rng, limited = stream(seed, "images kept", settings.source.original(name)), dict(parts)
    for part, count in (("train", most - validation), ("validation", validation)):
        limited[part] = parts[part].at(np.sort(rng.permutation(len(parts[part].files))[:count]))
    return limited


def write_class(out: str | Path, name: str, parts: dict[str, Part], minimum: int, left_out: LeftOut) -> None:
    """Write the parts of a class to an HDF5 file: images uint8 (n, size, size, 3), digests, origins, files left out.

    Raises:
        DataError: fewer than ``minimum`` images for training and validation remain, or a part is empty.
    """
    counts = {part: len(parts[part].files) for part in PARTS}
    train, validation, test = counts.values()
    if train + validation < minimum or not train or not validation:
        raise DataError(
            f"class {name!r} has {train} readable training and {validation} validation images{left_out.in_words()}, "
            f"fewer than images.minimum = {minimum}; add images or leave the class out"
        )
    if not test:
        raise DataError(f"class {name!r} has no image to test on; raise images.source.test_share or add images")
    text = h5py.string_dtype()
    with new_hdf5(out) as file:
        file.attrs["class"] = name
        for key in PARTS:
            file.create_dataset(key, data=parts[key].images)
            file.create_dataset(f"digests/{key}", data=parts[key].digests)
            file.create_dataset(f"files/{key}", data=parts[key].files, dtype=text)
        for key in LEFT_OUT:
            file.create_dataset(f"left_out/{key}", data=getattr(left_out, key), dtype=text)
        file["left_out"].attrs["kinds"] = described(left_out.kinds)
    log.info("class %s: %d train, %d validation, %d test images", name, train, validation, test)
