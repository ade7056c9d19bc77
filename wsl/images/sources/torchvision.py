"""The image source `torchvision`: classification datasets of torchvision, by name."""

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field, field_validator

from wsl.errors import ConfigError
from wsl.files.atomic import staging
from wsl.images.fetched import FetchedSource, Index
from wsl.images.sources.base import SOURCES


class Kind(NamedTuple):
    """How a dataset of torchvision is opened.

    Attributes:
        parts: arguments of each part.
        variant: name of the argument that chooses a variant of the dataset; None: there are none.
        values: values of this argument, the default first.
        classes: names of the classes, if they are known without the data.
        downloads: whether torchvision downloads it.
    """

    parts: dict[str, dict[str, Any]]
    classes: tuple[str, ...] = ()
    variant: str | None = None
    values: tuple[Any, ...] = ()
    downloads: bool = True


def _split(**parts: str) -> dict[str, dict[str, Any]]:
    return {part: {"split": split} for part, split in parts.items()}


def _words(text: str) -> tuple[str, ...]:
    """Return names of classes; an underscore is a space."""
    return tuple(word.replace("_", " ") for word in text.split())


BY_TRAIN = {"train": {"train": True}, "test": {"train": False}}
TWO, THREE = _split(train="train", test="test"), _split(train="train", validation="val", test="test")
WHOLE: dict[str, dict[str, Any]] = {"train": {}}
DIGITS = _words("0 1 2 3 4 5 6 7 8 9")
MNIST = _words("0_-_zero 1_-_one 2_-_two 3_-_three 4_-_four 5_-_five 6_-_six 7_-_seven 8_-_eight 9_-_nine")
CLOTHES = _words("T-shirt-top Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag Ankle_boot")
LAND = "AnnualCrop Forest HerbaceousVegetation Highway Industrial Pasture PermanentCrop Residential River SeaLake"
KINDS = {
    "CIFAR10": Kind(BY_TRAIN, _words("airplane automobile bird cat deer dog frog horse ship truck")),
    "CIFAR100": Kind(BY_TRAIN),
    "Caltech101": Kind(WHOLE),
    "Caltech256": Kind(WHOLE),
    "Country211": Kind(_split(train="train", validation="valid", test="test")),
    "DTD": Kind(THREE, (), "partition", tuple(range(1, 11))),
    "EMNIST": Kind(BY_TRAIN, (), "split", ("balanced", "letters", "digits", "byclass", "bymerge", "mnist")),
    "EuroSAT": Kind(WHOLE, _words(LAND)),
    "FGVCAircraft": Kind(THREE, (), "annotation_level", ("variant", "family", "manufacturer")),
    "FashionMNIST": Kind(BY_TRAIN, CLOTHES),
    "Flowers102": Kind(THREE),
    "Food101": Kind(TWO),
    "GTSRB": Kind(TWO, tuple(f"{number:02d}" for number in range(43))),
    "Imagenette": Kind(_split(train="train", test="val"), (), "size", ("full", "320px", "160px")),
    "KMNIST": Kind(BY_TRAIN, _words("o ki su tsu na ha ma ya re wo")),
    "MNIST": Kind(BY_TRAIN, MNIST),
    "OxfordIIITPet": Kind(_split(train="trainval", test="test")),
    "PCAM": Kind(THREE, ("normal", "tumor")),
    "QMNIST": Kind(BY_TRAIN, MNIST),
    "RenderedSST2": Kind(THREE, ("negative", "positive")),
    "SEMEION": Kind(WHOLE, DIGITS),
    "STL10": Kind(TWO, _words("airplane bird car cat deer dog horse monkey ship truck")),
    "SVHN": Kind(TWO, DIGITS),
    "StanfordCars": Kind(TWO, downloads=False),
    "USPS": Kind(BY_TRAIN, DIGITS),
}
FOLDERS = ("ImageNet", "ImageFolder", "DatasetFolder")
URLS = ("url", "_URL", "_IMAGES_URL", "mirrors")  # attributes of torchvision's classes


@SOURCES.register("torchvision")
class Torchvision(FetchedSource):
    """A dataset of torchvision, downloaded once and checked by torchvision's checksums."""

    short = "dataset"
    library = ("torchvision", None)

    dataset: str = Field(
        description="name of torchvision's class, as `CIFAR10`; a variant follows a slash, as `EMNIST/letters`"
    )
    root: Path | None = Field(
        None, description="torchvision's `root`, with files that are there already; empty: `data/torchvision/<dataset>`"
    )

    @field_validator("dataset")
    @classmethod
    def _is_known(cls, value: str) -> str:
        name, slash, variant = value.partition("/")
        if name in FOLDERS:
            raise ValueError(f"{name} has class folders; use source: {{name: imagefolder, train: ..., test: ...}}")
        if name not in KINDS:
            raise ValueError(
                f"{name} is not a dataset with class labels that is read here; there are {', '.join(KINDS)}"
            )
        values = list(map(str, KINDS[name].values))
        if slash and variant not in values:
            raise ValueError(f"{name} has no variant {variant!r}; it has {', '.join(values) or 'none'}")
        return value

    @property
    def kind(self) -> Kind:
        """How the dataset is opened."""
        return KINDS[self.dataset.partition("/")[0]]

    def place(self):
        return self.root or Path("data", "torchvision", self.dataset.partition("/")[0])

    def names_without_data(self):
        return list(self.kind.classes) or None

    def fetch(self):
        """See ``FetchedSource.fetch``: into a temporary folder, whose content is moved when it is complete."""
        try:
            return self._open_all(self.place())
        except ConfigError:
            raise
        except Exception as error:  # torchvision raises several for missing and damaged files
            fault = str(error).split(" You can")[0] or type(error).__name__  # "You can use download=True"
        if not self.kind.downloads:
            raise ConfigError(f"images.source: torchvision does not download {self.label} ({fault}); {self.by_hand()}")
        place = self.place()
        if self.root is None and place.is_dir() and not self.kind.variant:  # variants may have files of their own
            self._refuse(_filled(place.iterdir()), fault)
        with staging(place) as folder:
            try:
                self._open_all(folder, download=True)
            except Exception as error:
                raise OSError(f"{place}: {fault}; download: {error}") from error
            files = list(folder.iterdir())
            self._refuse(_filled(place / file.name for file in files), fault)
            for file in files:
                os.replace(file, place / file.name)

    def _refuse(self, there: Iterable[str], fault: str) -> None:
        if names := ", ".join(sorted(there)):
            raise ConfigError(
                f"images.source: {self.label} in {self.place()} is not complete, or not as published ({fault}); move "
                f"{names} elsewhere, then it is downloaded again"
            )

    def by_hand(self):
        import torchvision

        entry = getattr(torchvision.datasets, self.dataset.partition("/")[0])
        urls = [value for name in URLS if (value := getattr(entry, name, None))]
        found = f" (from {', '.join([urls[0]] if isinstance(urls[0], str) else urls[0])})" if urls else ""
        return f"{super().by_hand()}; or put the files{found} where torchvision expects them below {self.place()}"

    def contents(self):
        datasets = self._open_all(self.place())
        labels = {part: _labels(dataset) for part, dataset in datasets.items()}
        (first, *_) = datasets.values()
        names = self.kind.classes or getattr(first, "classes", None) or first.categories
        return Index([name if isinstance(name, str) else name[0] for name in names], labels)

    def read(self, part, numbers, index):
        dataset = _opened(self, part)
        for number in numbers.tolist():
            try:
                image: Any = dataset[number][0]
            except Exception as error:  # of a decoder
                image = ValueError(str(error) or type(error).__name__)
            yield f"{self.label} {part} {number}", image

    def _open_all(self, root: Path, download: bool = False) -> dict[str, Any]:
        datasets = {}
        for part in self.kind.parts:
            try:
                datasets[part] = self.open(part, root)
            except Exception:  # several for files that are not there
                if not download:
                    raise
                datasets[part] = self.open(part, root, download=True)
        return datasets

    def open(self, part: str, root: Path, download: bool = False) -> Any:
        """Return a part of the dataset as torchvision's object."""
        import torchvision

        name, _, variant = self.dataset.partition("/")
        if any(root.glob("*/processed/*.pt")):
            raise ConfigError(
                f"images.source: {root} holds files that torchvision pickled; without checksums they are not read; "
                "use another root"
            )
        arguments = dict(self.kind.parts[part])
        if self.kind.variant:
            chosen = [value for value in self.kind.values if str(value) == variant]
            arguments[self.kind.variant] = (chosen or self.kind.values)[0]
        if self.kind.downloads:
            arguments["download"] = download
        return getattr(torchvision.datasets, name)(root, **arguments)


def _filled(paths: Iterable[Path]) -> list[str]:
    """Return the names of files, and of folders with files; torchvision creates some empty folders."""
    paths = [path for path in paths if not path.name.startswith(".")]
    return [path.name for path in paths if path.is_file() or any(file.is_file() for file in path.rglob("*"))]


@lru_cache(maxsize=3)  # the parts of one dataset, for a job that packs several classes
def _opened(source: Torchvision, part: str) -> Any:
    return source.open(part, source.place())


def _labels(dataset: Any) -> np.ndarray:
    """Return the class numbers of a dataset of torchvision (n,), without decoding its images if it holds them."""
    for name in ("targets", "labels", "_labels", "y"):
        if (values := getattr(dataset, name, None)) is not None:
            values = np.asarray(values, dtype=np.int64)
            return values if values.ndim == 1 else values[:, 0]  # QMNIST has further columns
    samples = getattr(dataset, "_samples", None) or (dataset[number] for number in range(len(dataset)))
    return np.array([item[1] for item in samples], dtype=np.int64)
