"""The image source `wds`: shards of WebDataset, tar files of images and labels."""

import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from wsl.errors import ConfigError, DataError
from wsl.files.atomic import written_whole
from wsl.files.plain import file_digest
from wsl.images.fetched import FetchedSource, Index, in_order
from wsl.images.sources.base import SOURCES
from wsl.settings.sections import Sha256

IMAGES = ("jpg", "jpeg", "png", "ppm", "pgm", "webp", "bmp", "gif", "tif", "tiff")
LABELS = ("cls", "txt", "json")  # endings of labels, the first that a sample has
KEYS = ("label", "cls", "class", "category", "class_name")  # of a label in JSON, the first that there is
KEY = re.compile(r"^((?:.*/|)[^/.]+)\.([^/]*)$")  # as the library splits names: at the first dot of the file's name
URL = ("http://", "https://")


@SOURCES.register("wds")
class WebDataset(FetchedSource):
    """Tar files of WebDataset: per sample an image, and its class as `cls`, `txt` or `json`; nothing is unpickled."""

    short = "train"
    library = ("braceexpand", "data")

    train: str = Field(description="tar files: paths or URLs with braces, as `shards/train-{000..009}.tar`")
    test: str | None = Field(None, description="tar files to test on; empty: a share of `train`")
    key: str | None = Field(None, description="ending of the label, or key of the label in JSON; empty: found")
    sha256: dict[str, Sha256] = Field({}, description="SHA-256 of files by their names, checked when they are fetched")
    root: Path = Field(Path("data", "wds"), description="folder that URLs are downloaded to")

    @field_validator("train", "test")
    @classmethod
    def _are_files(cls, value: str | None) -> str | None:
        scheme = re.match(r"[a-z0-9+]+:", value or "")
        if scheme and not value.startswith(URL):
            raise ValueError(f"{scheme[0]} is not read; give paths, or URLs of http or https")
        return value

    def shards(self) -> dict[str, list[str]]:
        """Return the paths and URLs of each part, with braces expanded."""
        from braceexpand import braceexpand

        return {part: list(braceexpand(text)) for part in ("train", "test") if (text := getattr(self, part))}

    def files(self, part: str) -> list[Path]:
        """Return the local files of a part."""
        return [self._file(shard) for shard in self.shards()[part]]

    def place(self):
        return self._file(self.train).parent

    def stamp(self):
        try:
            local = [Path(shard) for shards in self.shards().values() for shard in shards if not shard.startswith(URL)]
        except ImportError:  # `check` refuses it
            return None
        there = [(path, path.stat()) for path in local if path.is_file()]
        return [[str(path), stat.st_mtime_ns, stat.st_size] for path, stat in there] or None

    def fingerprint(self, name):
        return self.stamp()

    def check(self, names=()):
        super().check(names)
        shards = [shard for shards in self.shards().values() for shard in shards]
        missing = [shard for shard in shards if not shard.startswith(URL) and not Path(shard).is_file()]
        if missing:
            raise ConfigError(f"images.source: there is no file {missing[0]}; correct the path, or use its URL")
        unknown = set(self.sha256) - {self._file(shard).name for shard in shards}
        if unknown:
            raise ConfigError(f"images.source.sha256: no shard has the name {min(unknown)}; correct it")

    def by_hand(self):
        urls = [shard for shards in self.shards().values() for shard in shards if shard.startswith(URL)]
        missing = [url for url in urls if not self._file(url).is_file()]
        if not missing:
            return "correct the shards"
        return f"download {', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''} by hand into {self.root}"

    def fetch(self):
        import urllib.request  # slow, and only needed here

        for shards in self.shards().values():
            for shard in shards:
                path, known = self._file(shard), self.sha256.get(self._file(shard).name)
                if shard.startswith(URL) and not path.is_file():
                    with written_whole(path) as temporary:
                        with urllib.request.urlopen(shard, timeout=60) as response, open(temporary, "wb") as file:
                            shutil.copyfileobj(response, file)
                        _check(temporary, known, shard)
                else:
                    _check(path, known, shard)

    def contents(self):
        labels, places = {}, {}
        for part in self.shards():
            found = [row for number, file in enumerate(self.files(part)) for row in self._samples(number, file)]
            if not found:
                kinds = f"{', '.join(IMAGES)} with {self.key or ', '.join(LABELS)}"
                raise DataError(f"images.source: {self.label} has no labelled image, files of one name in {kinds}")
            texts, *rest = zip(*found, strict=True)
            labels[part], places[part] = np.array(texts), np.array(rest, dtype=np.int64).T
        classes = sorted(set(labels["train"].tolist()), key=in_order)
        number = {name: place for place, name in enumerate(classes)}
        labels = {part: np.array([number.get(text, -1) for text in values]) for part, values in labels.items()}
        return Index(classes, labels, places)

    def read(self, part, numbers, index):
        files = self.files(part)
        for shard, rows in groupby(index.places[part][numbers].tolist(), key=lambda row: row[0]):
            with open(files[shard], "rb") as file:
                for _, offset, size in rows:
                    file.seek(offset)
                    yield f"{files[shard].name} at byte {offset}", file.read(size)

    def _file(self, shard: str) -> Path:
        return self.root / shard.split("?")[0].rsplit("/", 1)[-1] if shard.startswith(URL) else Path(shard)

    def _samples(self, number: int, path: Path) -> Iterator[tuple[str, int, int, int]]:
        """Yield label, number of the shard, offset and size of each labelled image of a shard, without decoding it."""
        with tarfile.open(path, "r:") as tar:
            members = ((match, member) for member in tar if member.isfile() and (match := KEY.match(member.name)))
            for _, sample in groupby(members, key=lambda item: item[0][1]):
                files = {match[2].lower(): member for match, member in sample}
                label = self._label(tar, files)
                image = next((files[ending] for ending in IMAGES if ending in files), None)
                if image is not None and label is not None:
                    yield label, number, image.offset_data, image.size

    def _label(self, tar: tarfile.TarFile, files: dict[str, tarfile.TarInfo]) -> str | None:
        endings = [self.key] if self.key in files else [ending for ending in LABELS if ending in files]
        for ending in endings:
            text = tar.extractfile(files[ending]).read().decode("utf-8", "replace").strip()
            if ending == "json":
                try:
                    value: Any = json.loads(text)
                except ValueError:
                    return None
                keys = [self.key] if self.key else KEYS
                text = str(next((value[key] for key in keys if key in value), "")) if isinstance(value, dict) else text
            if text:
                return text
        return None


def _check(path: Path, known: str | None, shard: str) -> None:
    if known and (digest := file_digest(path)) != known:
        raise ConfigError(
            f"images.source.sha256: {shard} has the checksum {digest}, not {known}; correct the key, or get the file "
            "again"
        )
