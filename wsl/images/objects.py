"""Images of classes in any Python object: class folders, a dict by class, or a dataset of (image, label) pairs."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from wsl.errors import DataError
from wsl.images.contents import class_folders, image_files
from wsl.images.folders import read_folder, read_image
from wsl.images.parts import Collector, LeftOut, Part, cropped
from wsl.images.pixels import as_seen

log = logging.getLogger(__name__)
# Keys of dict items for images and labels, where a dataset does not declare the types of its columns.
IMAGE_KEYS = ("image", "img", "images", "pixel_values")
LABEL_KEYS = ("label", "labels", "fine_label", "class", "target")
CHANNELS = (1, 3, 4)  # of arrays: grey, RGB, RGB with opacity


@runtime_checkable
class ImageDataset(Protocol):
    """A dataset with a length; an item is a pair (image, label), or a dict with ``image`` and ``label``.

    Labels are texts or numbers of ``classes`` (torchvision), of ``features["label"].names`` (Hugging Face), or, without
    either, the names themselves.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


ImagesLike = str | Path | Mapping[str, Iterable[Any]] | ImageDataset


class ImageClasses(ABC):
    """Images of several classes.

    Attributes:
        names: of all classes, in their order.
        place: the object in messages, for example the folder's path.
        kind: word for a class in messages.
    """

    names: list[str]
    place: str
    kind = "class"

    @abstractmethod
    def read(self, name: str, size: int, left_out: LeftOut) -> Part:
        """Return the images of a class, each once; see ``wsl.images.folders.read_folder``.

        Raises:
            DataError: an image cannot be used.
        """

    def loose(self) -> int:
        """Return the number of images that belong to no class."""
        return 0


class Folders(ImageClasses):
    """A folder that holds a folder of image files for each class."""

    kind = "class folder"

    def __init__(self, folder: Path):
        if not folder.is_dir():
            raise DataError(f"there is no folder {folder}; give one that holds a folder of images for each class")
        self.folder, self.place, self.names = folder, str(folder), class_folders(folder)

    def read(self, name: str, size: int, left_out: LeftOut) -> Part:
        return read_folder(self.folder / name, size, left_out)

    def loose(self) -> int:
        return sum(1 for _ in image_files(self.folder))


class InMemory(ImageClasses):
    """Images that Python objects hold."""

    @abstractmethod
    def images(self, name: str) -> Iterator[tuple[str, Any]]:
        """Yield the origin and the image of each item of a class."""

    def read(self, name: str, size: int, left_out: LeftOut) -> Part:
        collector = Collector(size)
        for origin, image in self.images(name):
            collector.add(*one_image(image, size, origin))
        part = collector.part(left_out)
        if collector.repeated:
            log.warning("%s: %d images are used; left out: %d repeated", name, len(part.files), len(collector.repeated))
        return part


class ByName(InMemory):
    """A dict of images by class; images are PIL images, arrays, or paths of files."""

    place = "the dict of images"

    def __init__(self, images: Mapping[str, Iterable[Any]]):
        self._images = {str(name): values for name, values in images.items()}
        self.names = [*self._images]

    def images(self, name: str) -> Iterator[tuple[str, Any]]:
        return ((f"image {place} of the class {name!r}", image) for place, image in enumerate(self._images[name]))


class Dataset(InMemory):
    """A dataset of (image, label) pairs, see ``ImageDataset``. Only the items of the classes asked for are decoded."""

    def __init__(self, dataset: ImageDataset):
        self.dataset, self.place = dataset, f"the dataset {type(dataset).__name__}"
        if not len(dataset):
            raise DataError(f"{self.place} is empty; give one with images")
        self._keys = _keys(dataset, self.place)

    @cached_property
    def names(self) -> list[str]:
        known = _class_names(self.dataset, self._keys)
        return known if known is not None else sorted(set(self._labels), key=lambda name: (len(name), name))

    @cached_property
    def _labels(self) -> list[str]:
        """The class of each item, without decoding images where the dataset has a list of labels."""
        names = _class_names(self.dataset, self._keys)
        labels = _label_column(self.dataset, self._keys)
        if labels is None:
            labels = [self._pair(index)[1] for index in range(len(self.dataset))]
        return [_label_name(label, names, self.place) for label in labels]

    def _pair(self, index: int) -> tuple[Any, Any]:
        item = self.dataset[index]
        if self._keys is not None:
            return item[self._keys[0]], item[self._keys[1]]
        return item[0], item[1]

    def images(self, name: str) -> Iterator[tuple[str, Any]]:
        for index, label in enumerate(self._labels):
            if label == name:
                yield f"item {index} of {self.place}", self._pair(index)[0]


def images_of(images: ImagesLike | ImageClasses) -> ImageClasses:
    """Return the images of a Python object by class.

    Args:
        images: path of a folder that holds a folder of images for each class; dict of images by class; or a dataset of
            (image, label) pairs, such as those of torchvision and Hugging Face.

    Raises:
        DataError: the object is of another kind, or the folder does not exist.
    """
    if isinstance(images, ImageClasses):
        return images
    if isinstance(images, str | Path):
        return Folders(Path(images))
    if isinstance(images, Mapping):
        if not hasattr(images, "keys") or not all(isinstance(name, str) for name in images):
            raise DataError("a dict of images has class names as keys; give texts")
        if any(hasattr(part, "features") and hasattr(part, "column_names") for part in images.values()):
            parts = ", ".join(map(repr, images))
            raise DataError(
                f"this is a dict of datasets, one per split ({parts}); give one of them, as in data['train']"
            )
        return ByName(images)
    if isinstance(images, ImageDataset) and not isinstance(images, list | tuple | np.ndarray):
        return Dataset(images)
    raise DataError(
        f"a {type(images).__name__} is not a set of images by class; give a folder of class folders, a dict of images "
        "by class, or a dataset of (image, label) pairs"
    )


def one_image(image: Any, size: int, origin: str) -> tuple[np.ndarray, str]:
    """Return an image, scaled and centre-cropped, as uint8 (size, size, 3), and its origin.

    Args:
        image: the path of a file, or see ``picture``.
        size: side in pixels.
        origin: name of the image in messages, unless it is a file.

    Raises:
        DataError: it cannot be used.
    """
    if not isinstance(image, str | Path):
        return cropped(picture(image, origin), size), origin
    try:
        return read_image(Path(image), size)[0], str(image)
    except ValueError as error:
        raise DataError(f"{image} ({origin}) cannot be read: {error}; leave it out") from error


def picture(image: Any, origin: str) -> Image.Image:
    """Return an image in RGB.

    Args:
        image: a PIL image or the path of a file; or an array or tensor (h, w), (h, w, channels) or (channels, h, w) of
            uint8, or of floats from 0 to 1.
        origin: its name in messages.

    Raises:
        DataError: it is of another kind, or its values are not those of an image.
    """
    try:
        if isinstance(image, str | Path):
            with Image.open(image) as opened:
                return as_seen(opened)[0]
        return as_seen(image if isinstance(image, Image.Image) else Image.fromarray(_pixels(image)))[0]
    except (ValueError, OSError) as error:
        raise DataError(f"{origin} cannot be used: {error}") from error


def _pixels(image: Any) -> np.ndarray:
    if not hasattr(image, "__array__"):
        raise ValueError(f"it is a {type(image).__name__}, not an image; give PIL images, arrays or paths of files")
    values = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    if values.ndim == 3 and values.shape[0] in CHANNELS and (values.shape[2] not in CHANNELS or hasattr(image, "dim")):
        values = values.transpose(1, 2, 0)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if not values.size or values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in CHANNELS):
        raise ValueError(f"an array of the shape {values.shape} is not an image; give (h, w) or (h, w, 3)")
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    low, high = float(values.min()), float(values.max())
    top = 1 if values.dtype.kind in "fb" else 255
    if not (low >= 0 and high <= top):  # also not finite
        raise ValueError(
            f"its values lie between {low:.3g} and {high:.3g}, not between 0 and {top}; give it before normalisation"
        )
    return np.rint(values * (255 / top)).astype(np.uint8)


def _keys(dataset: Any, place: str) -> tuple[str, str] | None:
    """Return the keys of image and label of a dataset's items; None: items are pairs."""
    features = getattr(dataset, "features", None)
    if isinstance(features, Mapping):
        kinds = {name: type(feature).__name__ for name, feature in features.items()}
        found = [_first(kinds, kind, keys) for kind, keys in (("Image", IMAGE_KEYS), ("ClassLabel", LABEL_KEYS))]
        columns = list(features)
    else:
        item = dataset[0]
        if isinstance(item, tuple | list) and len(item) >= 2:
            return None
        if not isinstance(item, Mapping):
            raise DataError(
                f"an item of {place} is a {type(item).__name__}; it must be a pair (image, label), or a dict"
            )
        found = [next((key for key in keys if key in item), None) for keys in (IMAGE_KEYS, LABEL_KEYS)]
        columns = list(item)
    if None in found:
        what = "image" if found[0] is None else "label"
        raise DataError(f"{place} has no column `{what}`, but {', '.join(columns)}; rename the column of its {what}s")
    return found[0], found[1]


def _first(kinds: Mapping[str, str], kind: str, keys: Sequence[str]) -> str | None:
    """Return the column of a type, the first of ``keys`` if several are; or a column of one of these names."""
    of_kind = [name for name in kinds if kinds[name] == kind]
    return next((key for key in keys if key in of_kind), None) or next(
        iter(of_kind), next((key for key in keys if key in kinds), None)
    )


def _class_names(dataset: Any, keys: tuple[str, str] | None) -> list[str] | None:
    """Return the names of a dataset's classes in the order of their numbers; None: it has none."""
    if keys is not None:
        feature = (getattr(dataset, "features", None) or {}).get(keys[1])
        if getattr(feature, "names", None):
            return list(map(str, feature.names))
    for key in ("classes", "class_names"):
        if (names := getattr(dataset, key, None)) is not None:
            return list(map(str, names))
    inner = getattr(dataset, "dataset", None)  # of a torch.utils.data.Subset
    return None if inner is None else _class_names(inner, keys)


def _label_column(dataset: Any, keys: tuple[str, str] | None) -> Sequence[Any] | None:
    """Return the label of each item if the dataset has a list of them; None: only items have labels."""
    if keys is not None:
        return dataset[keys[1]] if hasattr(dataset, "column_names") else None
    inner = getattr(dataset, "dataset", None)
    if inner is not None and hasattr(dataset, "indices"):
        labels = _label_column(inner, keys)
        return None if labels is None else [labels[index] for index in dataset.indices]
    labels = getattr(dataset, "targets", None)
    one = getattr(dataset, "target_transform", None) is None
    return labels if one and labels is not None and len(labels) == len(dataset) else None


def _label_name(label: Any, names: Sequence[str] | None, place: str) -> str:
    if isinstance(label, str):
        return label
    try:
        number = int(label)
    except (TypeError, ValueError) as error:
        raise DataError(f"{place} has the label {label!r}; labels are texts or numbers of classes") from error
    if names is None:
        return str(number)
    if not 0 <= number < len(names):
        raise DataError(f"{place} has the label {number}, but {len(names)} class names; name every class")
    return names[number]
