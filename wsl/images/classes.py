"""Which classes a run has: found, and refused where they cannot serve, before any job starts."""

import csv
import logging
import unicodedata
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from wsl.errors import ConfigError, DataError, Faults
from wsl.images.characters import CHARACTERS
from wsl.images.contents import class_folders, described, image_files, unread_kinds
from wsl.images.names import hint, match_names
from wsl.text import read_text

log = logging.getLogger(__name__)
UNUSABLE = set("{}/")  # braces are Snakemake's wildcards, a slash separates the classes of a task
LONGEST = 200  # bytes of a name, of the 255 that a file's may have
DIGITS = [str(digit) for digit in range(10)]
DIGITS_IMAGES = 1797  # of all ten
# Sources without folders: what they are called, and their classes.
EMBEDDED = {"digits": ("the digits", DIGITS), "glyphs": ("the glyphs", list(CHARACTERS))}
SHOWN = 8  # classes of one fault in a message


def imagenet_classes() -> list[str]:
    """Return ImageNet-1k's 1,000 WordNet ids in the order of its labels, from the list that timm ships."""
    # find_spec reads no code of timm: importing it would cost every start of the workflow seconds.
    spec = find_spec("timm")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError("images.classes: imagenet-1k needs the package timm; install it or list the classes")
    listing = Path(spec.submodule_search_locations[0], "data", "_info", "imagenet_synsets.txt")
    return listing.read_text(encoding="utf-8").split()


def resolve_classes(
    source: str, train: Path | None, test: Path | None, classes: Sequence[str] | int | None, minimum: int
) -> list[str]:
    """Return the names of the run's classes in their order, see ``find_classes``.

    Raises:
        ConfigError: with all faults of the list and the folders: the key, the class, and the remedy of each.
    """
    names, found = find_classes(source, train, test, classes, minimum)
    Faults(found).refuse()
    return names


def find_classes(
    source: str, train: Path | None, test: Path | None, classes: Sequence[str] | int | None, minimum: int
) -> tuple[list[str], list[str]]:
    """Return the names of the run's classes in their order, and all faults of the list and the folders.

    Where the names are given, the folders may be missing, so that a run can be planned before its images are there;
    ``check_folders`` refuses them.

    Args:
        source: a key of ``EMBEDDED``, or ``imagefolder``.
        train: folder of class folders to train on (imagefolder).
        test: folder of class folders to test on (imagefolder).
        classes: names, how many of the first, ``imagenet-1k``, or None for all.
        minimum: image files that a class must have in the train folder.
    """
    wanted = imagenet_classes() if classes == "imagenet-1k" else classes
    if source in EMBEDDED:
        place, there = EMBEDDED[source]
        return _chosen(wanted, there, f"in {place}")
    if isinstance(wanted, list) and not (train.is_dir() and test.is_dir()):
        return _chosen(wanted, wanted, "in the list")  # a plan needs no image; `check_folders` stops a run
    faults, folders = [], {}
    for key, folder in (("train", train), ("test", test)):
        try:
            folders[key] = _folders(key, folder)
        except ConfigError as error:
            faults.append(str(error))
    if len(folders) < 2:
        return [], faults
    # What either folder holds counts as there, so that a class that one of them lacks is reported as that.
    there = sorted({*folders["train"], *folders["test"]}) if isinstance(wanted, list) else folders["train"]
    names, faults = _chosen(wanted, there, f"in {train}")
    return names, faults + _folder_faults(names, {"train": train, "test": test}, folders, minimum)


def _chosen(wanted: Sequence[str] | int | None, there: Sequence[str], place: str) -> tuple[list[str], list[str]]:
    """Return the classes asked for of those there are, and what is wrong with the request."""
    unusable = []
    if isinstance(wanted, int):
        names, faults = list(there[:wanted]), []
        if wanted > len(there):
            faults = [f"{wanted} classes asked for, but there are {len(there)}; ask for fewer"]
    elif wanted is None:
        names, faults = list(there), []
    else:
        unusable = [name for name in wanted if name_fault(name)]
        matched = match_names([name for name in wanted if name not in unusable], there)
        names, faults = matched.names, matched.faults(place, "correct the name or the folder")
    if wanted == []:
        faults.append("the list is empty; name classes, or leave the key out")
    return names, [f"images.classes: {fault}" for fault in faults] + _name_faults([*unusable, *names])


def _folder_faults(
    names: Sequence[str], roots: dict[str, Path], folders: dict[str, list[str]], minimum: int
) -> list[str]:
    """Return which class folders are missing or hold too few images, at most ``SHOWN`` of each kind."""
    missing = {key: [] for key in roots}
    few, untested = [], []
    unused = {key: [name for name in there if name not in names] for key, there in folders.items()}
    for name in names:
        absent = [key for key in roots if name not in folders[key]]
        for key in absent:
            missing[key].append(
                f"images.{key}: {roots[key]} has no folder {name!r}{hint(name, unused[key])}; add it, or leave the "
                "class out of images.classes"
            )
        if "train" not in absent and (found := _count(roots["train"] / name, minimum)) < minimum:
            few.append(
                f"images.minimum: class {name!r} has {found} image files in {roots['train'] / name}, fewer than "
                f"{minimum}{_others(roots['train'] / name)}; add images, lower the minimum or leave the class out of "
                "images.classes"
            )
        if "test" not in absent and not _count(roots["test"] / name, 1):
            untested.append(
                f"images.test: class {name!r} has no image file in {roots['test'] / name}"
                f"{_others(roots['test'] / name)}; add some or leave the class out of images.classes"
            )
    return [fault for faults in (*missing.values(), few, untested) for fault in _shortened(faults)]


def _shortened(faults: list[str]) -> list[str]:
    more = len(faults) - SHOWN
    return faults if more <= 1 else [*faults[:SHOWN], f"{faults[0].split(':')[0]}: {more} more classes as these"]


def _count(folder: Path, most: int) -> int:
    try:
        return len(list(islice(image_files(folder), most)))
    except DataError:
        return 0


def _others(folder: Path) -> str:
    """Return in parentheses which other files a class folder holds, or why it cannot be read."""
    try:
        kinds = unread_kinds(folder)
    except DataError as error:
        return f" ({error})"
    return f" (it holds other files: {described(kinds)})" if kinds else ""


def read_names(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return each class folder's name in words, and its superclass where it has one, from a tab-separated table.

    A line is a folder, its name (of several by commas, the first counts) and maybe what kind of thing it is. Fields
    may be quoted, as spreadsheets quote those that hold a comma. Empty lines are passed over.

    Args:
        path: the table, in an encoding that ``wsl.text.read_text`` knows.

    Returns:
        Names and superclasses, each by folder.

    Raises:
        ConfigError: the file cannot be read, a line lacks the tab or the name, or a folder is named twice.
    """
    if not path.is_file():
        raise ConfigError(f"datasets.names: there is no file {path}; correct the path or leave the key out")
    try:
        table = csv.reader(read_text(path).split("\n"), delimiter="\t", strict=True)
        rows = [(table.line_num, row) for row in table if any(map(str.strip, row))]
    except DataError as error:
        raise ConfigError(f"datasets.names: {error}") from error
    except csv.Error as error:
        raise ConfigError(f"datasets.names: line {table.line_num} of {path}: {error}; correct its quotes") from error
    names, superclasses, lines = {}, {}, {}
    for number, row in rows:
        folder, words, kind, *_ = [*row, "", ""]
        place = f"datasets.names: line {number} of {path}"
        if folder in lines:
            raise ConfigError(f"{place} names {folder!r} again, as line {lines[folder]} does; keep one of them")
        names[folder], lines[folder] = words.split(",")[0].strip(), number
        if kind.strip():
            superclasses[folder] = kind.strip()
        if not names[folder]:
            raise ConfigError(f"{place} is not a folder, a tab and its name in words; correct it")
    return names, superclasses


def check_folders(source: str, train: Path | None, test: Path | None, classes: Sequence[str] = ()) -> None:
    """Refuse folders of images that are not there, and warn of files in them that no class gets.

    Args:
        source: a key of ``EMBEDDED``, or ``imagefolder``.
        train: folder of class folders to train on (imagefolder).
        test: folder of class folders to test on (imagefolder).
        classes: names of the run's classes.

    Raises:
        ConfigError: naming the key and the folder of each.
    """
    if source in EMBEDDED:
        return
    faults = Faults()
    for key, folder in (("train", train), ("test", test)):
        with faults.noted():
            _folders(key, folder)
            if loose := sum(1 for _ in image_files(folder)):
                log.warning("%s: image files beside the class folders are not used: %d", folder, loose)
            unread = [kind for name in classes if (folder / name).is_dir() for kind in unread_kinds(folder / name)]
            if unread:
                log.warning("%s: files that are not recognised as images are not used: %s", folder, described(unread))
    faults.refuse()


def _folders(key: str, folder: Path) -> list[str]:
    if not folder.is_dir():
        raise ConfigError(f"images.{key}: there is no folder {folder}; correct the path or unpack the images there")
    try:
        names = class_folders(folder)
    except DataError as error:
        raise ConfigError(f"images.{key}: {error}") from error
    if not names:
        loose = sum(1 for _ in image_files(folder))
        held = f" but {loose} image files" if loose else ""
        raise ConfigError(f"images.{key}: {folder} holds no class folders{held}; it needs one folder per class")
    return names


def _name_faults(names: Sequence[str]) -> list[str]:
    faults, alike = [], {}
    for name in names:
        if why := name_fault(name):
            faults.append(f"images.classes: the class name {name!r} {why}; rename the folder")
        # Files are named by classes, and some disks take two such names for one.
        other = alike.setdefault(unicodedata.normalize("NFKC", name).casefold(), name)
        if other != name:
            faults.append(
                f"images.classes: the class names {other!r} and {name!r} differ only in case or Unicode normalisation; "
                "rename a folder"
            )
    return faults


def name_fault(name: str) -> str | None:
    """Return why no file can be named by a class of this name; None: one can."""
    if set(name) & UNUSABLE:
        return "has a brace or a slash"
    if not name or name.startswith("."):
        return "is empty or begins with a dot"
    # Control characters, among them line breaks, and bytes that are no UTF-8.
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name):
        return "has a character that cannot be printed"
    if len(name.encode()) > LONGEST:
        return f"is longer than {LONGEST} bytes"
    return None
