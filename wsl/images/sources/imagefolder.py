"""The image source `imagefolder`: a folder of class folders to train on, and another one to test on."""

import logging
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from wsl.errors import ConfigError, DataError, Faults
from wsl.images.classes import choose
from wsl.images.contents import class_folders, described, image_files, unread_kinds
from wsl.images.names import hint
from wsl.images.sources.base import SOURCES, ImageSource

log = logging.getLogger(__name__)
PARTS = ("train", "test")
SHOWN = 8  # classes of one fault in a message
REMEDY = "leave the class out of images.classes"


@SOURCES.register("imagefolder")
class ImageFolder(ImageSource):
    """Folders of image files, one folder per class."""

    title = "the folders"
    train: Path = Field(description="folder of class folders to train on")
    test: Path = Field(description="folder of class folders to test on, such as ImageNet's `val`")

    @model_validator(mode="before")
    @classmethod
    def _has_both_folders(cls, values: Any) -> Any:
        if isinstance(values, dict) and any(values.get(part) is None for part in PARTS):
            raise ValueError(
                "imagefolder needs both `train` and `test` folders; write source: {name: imagefolder, train: ..., "
                "test: ...}"
            )
        return values

    def names(self):
        return class_folders(self.train)

    def images(self, name, packing, seed):
        return {part: folder / name for part, folder in self._folders().items()}

    def find(self, wanted, minimum):
        """See ``ImageSource.find``; folders may be missing where the names are given: ``check`` refuses them."""
        if isinstance(wanted, list) and self.missing():
            return choose(wanted, wanted, "in the list")
        faults, folders = Faults(), {}
        for part, folder in self._folders().items():
            with faults.noted():
                folders[part] = _class_folders(part, folder)
        if len(folders) < len(PARTS):
            return [], faults.lines
        # Classes of either folder count, so that a class that one of them lacks is reported as missing there.
        known = sorted({*folders["train"], *folders["test"]}) if isinstance(wanted, list) else folders["train"]
        names, choice_faults = choose(wanted, known, f"in {self.train}")
        return names, choice_faults + self._class_faults(names, folders, minimum)

    def check(self, names=()):
        """See ``ImageSource.check``; warns of files that no class gets."""
        faults = Faults()
        for part, folder in self._folders().items():
            with faults.noted():
                _class_folders(part, folder)
                if loose := sum(1 for _ in image_files(folder)):
                    log.warning("%s: image files beside the class folders are not used: %d", folder, loose)
                unread = [kind for name in names if (folder / name).is_dir() for kind in unread_kinds(folder / name)]
                if unread:
                    kinds = described(unread)
                    log.warning("%s: files that are not recognised as images are not used: %s", folder, kinds)
        faults.refuse()

    def missing(self):
        return [folder for folder in self._folders().values() if not folder.is_dir()]

    def fingerprint(self, name):
        """Return the folders' times of change: adding or removing a file changes them, editing a file does not."""
        folders = [folder / name for folder in self._folders().values()]
        return [folder.stat().st_mtime_ns if folder.is_dir() else 0 for folder in folders]

    def count(self, names):
        folders = [folder / name for folder in self._folders().values() for name in names]
        return sum(sum(1 for _ in image_files(folder)) for folder in folders if folder.is_dir())

    def _folders(self) -> dict[str, Path]:
        return {part: getattr(self, part) for part in PARTS}

    def _class_faults(self, names: Sequence[str], folders: dict[str, list[str]], minimum: int) -> list[str]:
        """Return which class folders are missing or hold too few images, at most ``SHOWN`` of each kind."""
        missing, few, untested = {part: [] for part in PARTS}, [], []
        unused = {part: [name for name in known if name not in names] for part, known in folders.items()}
        for name in names:
            for part in [part for part in PARTS if name not in folders[part]]:
                missing[part].append(
                    f"images.source.{part}: {getattr(self, part)} has no folder {name!r}{hint(name, unused[part])}; "
                    f"add it, or {REMEDY}"
                )
            train, test = self.train / name, self.test / name
            if name in folders["train"] and (count := _count(train, minimum)) < minimum:
                few.append(
                    f"images.minimum: class {name!r} has {count} image files in {train}, fewer than {minimum}"
                    f"{_other_files(train)}; add images, lower the minimum or {REMEDY}"
                )
            if name in folders["test"] and not _count(test, 1):
                untested.append(
                    f"images.source.test: class {name!r} has no image file in {test}{_other_files(test)}; add some or "
                    f"{REMEDY}"
                )
        return [fault for faults in (*missing.values(), few, untested) for fault in _shortened(faults)]


def _class_folders(part: str, folder: Path) -> list[str]:
    key = f"images.source.{part}"
    if not folder.is_dir():
        raise ConfigError(f"{key}: there is no folder {folder}; correct the path or unpack the images there")
    try:
        names = class_folders(folder)
    except DataError as error:
        raise ConfigError(f"{key}: {error}") from error
    if not names:
        loose = sum(1 for _ in image_files(folder))
        held = f" but {loose} image files" if loose else ""
        raise ConfigError(f"{key}: {folder} holds no class folders{held}; it needs one folder per class")
    return names


def _shortened(faults: list[str]) -> list[str]:
    more = len(faults) - SHOWN
    return faults if more <= 1 else [*faults[:SHOWN], f"{faults[0].split(':')[0]}: {more} more classes like these"]


def _count(folder: Path, most: int) -> int:
    try:
        return len(list(islice(image_files(folder), most)))
    except DataError:
        return 0


def _other_files(folder: Path) -> str:
    """Return in parentheses the other files in a class folder, or why it cannot be read."""
    try:
        kinds = unread_kinds(folder)
    except DataError as error:
        return f" ({error})"
    return f" (it holds other files: {described(kinds)})" if kinds else ""
