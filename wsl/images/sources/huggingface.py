"""The image source `hf`: datasets of the Hugging Face Hub, and datasets that its library saved to disk."""

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from wsl.errors import ConfigError
from wsl.files.atomic import new_folder
from wsl.images.fetched import FetchedSource, Index, in_order
from wsl.images.sources.base import SOURCES

SAVED = ("dataset_dict.json", "state.json")  # of a folder that `save_to_disk` wrote
LABELS = ("label", "labels", "fine_label", "class", "category", "target")  # names of a column without class names
TESTS, VALIDATIONS = ("test",), ("validation", "valid", "val")


@SOURCES.register("hf")
class HuggingFace(FetchedSource):
    """A dataset of the Hugging Face Hub, `owner/name`, or a folder: one that `save_to_disk` wrote, or a repository."""

    short = "dataset"
    library = ("datasets", "data")

    dataset: str = Field(description="`owner/name` on the Hub, or the path of a folder")
    config: str | None = Field(None, description="name of the dataset's config; empty: its only or default one")
    revision: str | None = Field(
        None, description="branch, tag or commit of the repository; empty: the newest when it is fetched"
    )
    train: str | None = Field(None, description="split to train on; empty: `train`, or the only split")
    validation: str | None = Field(None, description="validation split; empty: `validation` if there is `test` too")
    test: str | None = Field(None, description="test split; empty: `test`, else `validation`, else a share of `train`")
    image_column: str | None = Field(None, description="column of images; empty: the only one of that type")
    label_column: str | None = Field(
        None, description="column of labels; empty: the only one with class names, or `label`"
    )
    root: Path = Field(Path("data", "huggingface"), description="folder that datasets from the Hub are written to")

    def place(self):
        if self._is_saved():
            return Path(self.dataset)
        # Each choice of splits and columns, and each state of a local repository, has a copy of its own.
        chosen = [self.train, self.validation, self.test, self.image_column, self.label_column, self.stamp()]
        state = any(chosen) and hashlib.sha256(json.dumps(chosen).encode()).hexdigest()[:12]
        parts = [self.dataset.strip("/"), self.config, self.revision and f"@{self.revision}", state]
        return self.root / re.sub(r"[^A-Za-z0-9._@-]+", "--", "--".join(filter(None, parts)).lstrip("."))

    def stamp(self):
        if not Path(self.dataset).is_dir():
            return None
        # Not deeper: files of images that are added or removed change the times of their folders.
        paths = sorted([*Path(self.dataset).glob("*"), *Path(self.dataset).glob("*/*")])
        return [[str(path), path.stat().st_mtime_ns, path.stat().st_size] for path in paths]

    def fingerprint(self, name):
        return self.stamp()

    def check(self, names=()):
        super().check(names)
        if self.dataset.startswith(("/", ".", "~")) and not Path(self.dataset).is_dir():
            raise ConfigError(f"images.source: there is no folder {self.dataset}; correct the path")

    def by_hand(self):
        return (
            f"{super().by_hand()}; or run `hf download {self.dataset} --repo-type dataset --local-dir FOLDER` and set "
            "images.source: hf:FOLDER"
        )

    def fetch(self):
        """See ``FetchedSource.fetch``: only the columns of images and labels are kept, images as in their files.

        The library keeps interrupted downloads in its own cache and resumes them.
        """
        if self._is_saved() or self.place().is_dir():
            return
        from datasets import DatasetDict, disable_progress_bars, load_dataset

        if not sys.stderr.isatty():
            disable_progress_bars()
        with new_folder(self.place()) as folder:
            cache = folder / ".cache"  # tables that the library makes from the files of the repository
            splits = load_dataset(self.dataset, self.config, revision=self.revision, cache_dir=str(cache))
            kept = {split: self._columns(splits[split])[0] for split in dict.fromkeys(self._parts(splits).values())}
            DatasetDict(kept).save_to_disk(str(folder))
            del splits, kept
            shutil.rmtree(cache)

    def contents(self):
        labels, classes = {}, None
        for part, dataset in self._opened().items():
            dataset, _, column = self._columns(dataset)
            feature = dataset.features[column]
            values = dataset.select_columns([column]).with_format("numpy")[:][column]
            if hasattr(feature, "names"):
                labels[part], classes = np.asarray(values), list(feature.names)
            else:
                texts = np.asarray(values).astype(str)
                classes = classes or sorted(set(texts), key=in_order)
                number = {name: place for place, name in enumerate(classes)}
                labels[part] = np.array([number.get(text, -1) for text in texts])
        return Index(classes, labels)

    def read(self, part, numbers, index):
        from datasets import Image

        dataset, image, _ = self._columns(self._opened()[part])
        images = dataset.select_columns([image]).cast_column(image, Image(decode=False)).select(numbers)
        for number, row in zip(numbers, images, strict=True):
            value = row[image] or {}
            content = value.get("bytes")
            if content is None and value.get("path"):
                try:
                    content = Path(value["path"]).read_bytes()
                except OSError as error:
                    content = ValueError(str(error))
            yield f"{self.label} {part} {number}", b"" if content is None else content

    def _is_saved(self) -> bool:
        return any(Path(self.dataset, name).is_file() for name in SAVED)

    def _opened(self) -> dict[str, Any]:
        """Return the dataset of each part."""
        from datasets import load_from_disk

        saved = load_from_disk(str(self.place()))
        splits = saved if isinstance(saved, dict) else {"train": saved}
        return {part: splits[split] for part, split in self._parts(splits).items()}

    def _parts(self, splits: Any) -> dict[str, str]:
        """Return the split of each part; without a test split, ``train`` alone."""
        there = list(splits)
        for key in ("train", "validation", "test"):
            if (name := getattr(self, key)) is not None and name not in there:
                raise ConfigError(f"images.source.{key}: {self.label} has no split {name!r}; it has {', '.join(there)}")
        train = self.train or next((name for name in ("train", *there[: len(there) == 1]) if name in there), None)
        if train is None:
            raise ConfigError(f"images.source.train: name the split of {self.label}: {', '.join(there)}")
        tests = [name for name in (*TESTS, *VALIDATIONS) if name in there and name not in (train, self.validation)]
        test = self.test or next(iter(tests), None)
        others = [name for name in VALIDATIONS if name in there and name not in (train, test)]
        validation = self.validation or next(iter(others), None)
        chosen = {"train": train, "validation": validation, "test": test}
        return {part: name for part, name in chosen.items() if name} if test else {"train": train}

    def _columns(self, dataset: Any) -> tuple[Any, str, str]:
        """Return the two columns that are used, and the names of images and labels."""
        from datasets import ClassLabel, Image

        features = dataset.features
        image = self._column(
            "image_column", self.image_column, features, [n for n, f in features.items() if isinstance(f, Image)]
        )
        named = [name for name, feature in features.items() if isinstance(feature, ClassLabel)]
        named = named if len(named) == 1 else [name for name in LABELS if name in (named or features)][:1]
        label = self._column("label_column", self.label_column, features, named)
        return dataset.select_columns([image, label]), image, label

    def _column(self, key: str, chosen: str | None, features: Any, found: list[str]) -> str:
        if chosen in features:
            return chosen
        if chosen is None and len(found) == 1:
            return found[0]
        kinds = ", ".join(f"{name} ({type(feature).__name__})" for name, feature in features.items())
        raise ConfigError(f"images.source.{key}: name the column of {self.label}; its columns are {kinds}")
