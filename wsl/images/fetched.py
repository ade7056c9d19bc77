"""Image sources that the config names: fetched once by a local rule, and read by an index of their labels."""

import hashlib
import io
import json
import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from zipfile import BadZipFile

import numpy as np

from wsl.errors import ConfigError, DataError
from wsl.files.atomic import written_whole
from wsl.files.packages import install_hint
from wsl.images.classes import choose, safe_names
from wsl.images.sources.base import SOURCES, PooledSource
from wsl.settings.sections import Section, one_of, plain

INDICES = Path("data", "index")  # in the folder that Snakemake runs in, so that all nodes of a cluster see it
PARTS = ("train", "validation", "test")
SHOWN = 8  # classes in a message


class Index(NamedTuple):
    """The labels of a dataset.

    Attributes:
        classes: names of the classes, safe as names of files.
        labels: class number of each image by part, (n,); negative: no class.
        places: where each image lies by part, for sources that need more than its number.
    """

    classes: list[str]
    labels: dict[str, np.ndarray]
    places: dict[str, np.ndarray] | None = None


class FetchedSource(PooledSource):
    """A dataset by name. A subclass implements ``fetch``, ``contents``, ``read`` and ``place``.

    Attributes:
        library: the Python package that reads it, and the extra of ``wsl`` that installs the package; None: none.
    """

    library: ClassVar[tuple[str, str | None] | None] = None

    @abstractmethod
    def place(self) -> Path:
        """Return the file or folder that holds the dataset, or will."""

    @abstractmethod
    def fetch(self) -> None:
        """Make sure that the data are in their place; existing files are not fetched again.

        Raises:
            Exception: of the network, or of files that are not as published.
        """

    @abstractmethod
    def contents(self) -> Index:
        """Return the labels of all images, with the names of classes as the dataset has them."""

    @abstractmethod
    def read(self, part: str, numbers: np.ndarray, index: Index) -> Iterator[tuple[str, Any]]:
        """Yield some images of a part with their origins, see ``wsl.images.parts.collect``."""

    def by_hand(self) -> str:
        """Return what a user can do without a network."""
        return f"where there is a network, run `wsl fetch` with this config, and copy {self.place()} here"

    def stamp(self) -> Any:
        """Return plain values that change with the user's own files; None: the data are fixed by the settings."""
        return None

    def names_without_data(self) -> list[str] | None:
        """Return the names of the classes if they are known before the data are fetched."""
        return None

    @property
    def label(self) -> str:
        """The source in the words of the config: ``torchvision:CIFAR10``."""
        return f"{self.name}:{getattr(self, self.short)}"

    @property
    def title(self) -> str:  # of messages
        return self.label

    @property
    def index_file(self) -> Path:
        """The file of the index, by all settings that it depends on."""
        settings = {key: value for key, value in plain(self).items() if key != "test_share"}
        digest = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:12]
        return INDICES / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', self.label)[:80]}-{digest}.npz"

    def fetched(self):
        return [self]

    def index(self, *keys: str) -> dict[str, Any] | None:
        """Return some arrays of the index, by default the classes and counts; None: there is no current index."""
        try:
            with np.load(self.index_file) as file:
                if json.loads(str(file["stamp"])) == plain({"stamp": self.stamp()}):
                    return {key: file[key] for key in (keys or [*_counts(file), "classes"])}
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):  # missing, or not complete
            pass
        return None

    def known(self) -> list[str] | None:
        """Return the names of the classes if they are known before the data are fetched, or since they were."""
        index = self.index()
        return self.names_without_data() if index is None else index["classes"].tolist()

    def names(self):
        if (known := self.known()) is None:
            raise ConfigError(
                f"images.source: the classes of {self.label} are known only when its data are here; "
                "run `wsl fetch` with this config first, or list images.classes"
            )
        return known

    def find(self, wanted, minimum):
        try:
            known, place = self.names(), f"in {self.label}"
        except ConfigError as error:
            if not isinstance(wanted, list):
                return [], [str(error)]
            known, place = wanted, "in the list"  # packing refuses those that the dataset lacks
        names, faults = choose(wanted, known, place)
        if not faults and (index := self.index()) is not None:
            faults = self._few(names, index, minimum)
        return names, faults

    def _few(self, names: Sequence[str], index: dict[str, Any], minimum: int) -> list[str]:
        place = {name: number for number, name in enumerate(index["classes"].tolist())}
        counts, remedy = index["count_train"] + index.get("count_validation", 0), "leave them out of images.classes"
        few = [f"{name!r} ({counts[place[name]]})" for name in names if counts[place[name]] < minimum]
        faults = []
        if few:
            lower = f"lower the minimum, or {remedy}"
            faults = [f"images.minimum: {self.label} has fewer than {minimum} images of {_some(few)}; {lower}"]
        untested = [repr(name) for name in names if "count_test" in index and not index["count_test"][place[name]]]
        if untested:
            faults.append(f"images.source: {self.label} has no test images of {_some(untested)}; {remedy}")
        return faults

    def check(self, names=()):
        if self.library and find_spec(self.library[0]) is None:
            package, extra = self.library
            remedy = install_hint(extra) if extra else f"pip install {package}"
            raise ConfigError(f"images.source: {self.label} needs the package {package}; {remedy}")

    def count(self, names):
        index = self.index()
        if index is None:
            return 0
        chosen = np.isin(index["classes"], names)
        return int(sum(index[key][chosen].sum() for key in _counts(index)))

    def missing(self):
        return [] if self.index() is not None else [self.index_file]

    def fetches(self) -> str:
        """Return one sentence: whether the data are here."""
        if self.index() is not None and self.place().exists():
            return f"{self.label} is here: {self.place()}"
        return f"{self.label} is not indexed yet: a first job fetches missing files into {self.place()}"

    def images(self, name, packing, seed):
        arrays = self.index("classes", *self._keys())
        if arrays is None:
            raise DataError(f"images.source: {self.index_file} is missing or out of date; run `wsl fetch` again")
        classes = arrays["classes"].tolist()
        if name not in classes:
            raise DataError(f"images.classes: {self.label} has no class {name!r}; its classes are {_some(classes)}")
        index = Index(
            classes,
            {part: arrays[f"label_{part}"] for part in PARTS if f"label_{part}" in arrays},
            {part: arrays[f"place_{part}"] for part in PARTS if f"place_{part}" in arrays},
        )
        number = classes.index(name)
        return {part: self.read(part, np.flatnonzero(labels == number), index) for part, labels in index.labels.items()}

    def _keys(self) -> list[str]:
        try:
            with np.load(self.index_file) as file:
                return [key for key in file.files if key.startswith(("label_", "place_"))]
        except (OSError, ValueError):
            return []


def fetch(source: FetchedSource) -> None:
    """Fetch a source and write the index of its labels, unless both are there.

    Raises:
        ConfigError: a package is missing, or the data cannot be fetched or read; the message names a way by hand.
    """
    from filelock import FileLock  # here, since few starts fetch anything

    source.check()
    try:
        INDICES.mkdir(parents=True, exist_ok=True)
        with FileLock(INDICES / f".{source.index_file.stem}.lock"):  # two runs may start together
            source.fetch()
            if source.index() is None:
                write_index(source)
    except (ConfigError, DataError):
        raise
    except Exception as error:  # of the network, the disk, or the library
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(
            f"images.source: {source.label} cannot be fetched or read ({reason}); {source.by_hand()}"
        ) from error


def write_index(source: FetchedSource) -> None:
    """Write the index of a source; classes without an image to train on are left out."""
    classes, labels, places = source.contents()
    counts = {part: np.bincount(values[values >= 0], minlength=len(classes)) for part, values in labels.items()}
    used = np.flatnonzero(counts["train"])
    numbers = np.full(len(classes) + 1, -1)  # its last entry is that of label -1
    numbers[used] = np.arange(len(used))
    names = safe_names([classes[number] for number in used])
    known = source.names_without_data()
    if known is not None and known != names:
        raise ConfigError(f"images.source: {source.label} has the classes {names}, not {known}; check {source.place()}")
    arrays = {f"label_{part}": numbers[values].astype(np.int32) for part, values in labels.items()}
    arrays |= {f"place_{part}": values for part, values in (places or {}).items()}
    arrays |= {f"count_{part}": values[used] for part, values in counts.items()}
    stamp = json.dumps(plain({"stamp": source.stamp()}))
    content = io.BytesIO()
    np.savez_compressed(content, classes=np.array(names), stamp=np.array(stamp), **arrays)
    with written_whole(source.index_file) as temporary:
        temporary.write_bytes(content.getvalue())


class OneSource(Section):
    """One image source, as the job that fetches it reads it."""

    source: one_of(SOURCES, "torchvision")


def fetch_images(out: str | Path, settings: OneSource, stamp: Any = None) -> None:
    """Fetch a source, and write its index ``out``, which jobs of packing read.

    Args:
        out: ``FetchedSource.index_file``, which Snakemake has removed.
        settings: the source.
        stamp: unused, but a change of the user's files makes the job stale.
    """
    fetch(settings.source)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _counts(arrays: Any) -> list[str]:
    return [key for key in arrays if key.startswith("count_")]


def in_order(name: str) -> tuple[bool, int, str]:
    """Return a key that sorts numbers by their values, before all texts."""
    return (False, int(name), name) if re.fullmatch(r"\d{1,9}", name) else (True, 0, name)
