"""Which classes a run has: found, and refused where they cannot serve, before any job starts."""

import unicodedata
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from wsl.errors import ConfigError

SUFFIXES = {".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif"}
UNUSABLE = set("{}/")  # braces are Snakemake's wildcards, a slash separates the classes of a task
LONGEST = 200  # bytes of a name, of the 255 that a file's may have
DIGITS = [str(digit) for digit in range(10)]
DIGITS_IMAGES = 1797  # of all ten


def imagenet_classes() -> list[str]:
    """Return ImageNet-1k's 1,000 WordNet ids in the order of its labels, from the list that timm ships."""
    # find_spec reads no code of timm: importing it would cost every start of the workflow seconds.
    spec = find_spec("timm")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError("images.classes: imagenet-1k needs the package timm; install it or list the classes")
    listing = Path(spec.submodule_search_locations[0], "data", "_info", "imagenet_synsets.txt")
    return listing.read_text(encoding="utf-8").split()


def resolve_classes(
    source: str,
    train: Path | None,
    test: Path | None,
    classes: Sequence[str] | int | None,
    needed: int,
    minimum: int,
) -> list[str]:
    """Return the names of the run's classes in their order.

    Where the names are given, the folders may be missing, so that a run can be planned before its images are there;
    ``check_folders`` refuses them.

    Args:
        source: ``digits`` or ``imagefolder``.
        train, test: folders of class folders.
        classes: names, how many of the first, ``imagenet-1k``, or None for all.
        needed: classes a task has; fewer than that cannot make one.
        minimum: image files a class must have in the train folder.

    Raises:
        ConfigError: naming the key, the folder or class, and the remedy.
    """
    wanted = imagenet_classes() if classes == "imagenet-1k" else classes
    if source == "digits":
        there = DIGITS
    elif isinstance(wanted, list) and not (train.is_dir() and test.is_dir()):
        _check_names(wanted)
        return _enough(wanted, needed)  # a plan needs no image; `check_folders` stops a run
    else:
        there = _folders("train", train)
        tested = set(_folders("test", test))
        untested = [name for name in there if name not in tested]
        if untested and wanted is None:
            raise ConfigError(f"images.test: {test} has no folder {untested[0]!r}, which {train} has; add it")
    if isinstance(wanted, int):
        if wanted > len(there):
            raise ConfigError(f"images.classes: {wanted} classes asked for, but there are {len(there)}; ask for fewer")
        names = there[:wanted]
    else:
        names = there if wanted is None else list(wanted)
    _check_names(names)
    for name in names:
        if name not in there or (source == "imagefolder" and name not in tested):
            place = "the digits" if source == "digits" else f"both {train} and {test}"
            raise ConfigError(f"images.classes: there is no class {name!r} in {place}; correct the name or the folder")
        if source == "imagefolder":
            _check_count(name, train / name, minimum)
            if not any(image_files(test / name)):
                raise ConfigError(
                    f"images.test: class {name!r} has no image file in {test / name}; add some or leave the class out "
                    "of images.classes"
                )
    return _enough(names, needed)


def read_names(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return each class folder's name in words, and its superclass where it has one, from a tab-separated table.

    A line is a folder, its name (of several by commas, the first counts) and maybe what kind of thing it is.

    Raises:
        ConfigError: there is no such file, or a line lacks the tab or the name.
    """
    if not path.is_file():
        raise ConfigError(f"datasets.names: there is no file {path}; correct the path or leave the key out")
    names, superclasses = {}, {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        folder, words, kind, *_ = [*line.split("\t"), "", ""]
        names[folder] = words.split(",")[0].strip()
        if kind.strip():
            superclasses[folder] = kind.strip()
        if not names[folder]:
            raise ConfigError(
                f"datasets.names: line {number} of {path} is no folder, a tab and its name in words; correct it"
            )
    return names, superclasses


def check_folders(source: str, train: Path | None, test: Path | None) -> None:
    """Refuse folders of images that are not there.

    Raises:
        ConfigError: naming the key and the folder, one line per fault.
    """
    faults = []
    for key, folder in (("train", train), ("test", test)) if source == "imagefolder" else ():
        try:
            _folders(key, folder)
        except ConfigError as error:
            faults.append(str(error))
    if faults:
        raise ConfigError("\n".join(faults))


def image_files(folder: Path):
    """Yield the image files of a class folder, in no fixed order."""
    return (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))


def _folders(key: str, folder: Path) -> list[str]:
    if not folder.is_dir():
        raise ConfigError(f"images.{key}: there is no folder {folder}; correct the path or unpack the images there")
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not names:
        raise ConfigError(f"images.{key}: {folder} holds no class folders; it needs one folder a class")
    return names


def _check_names(names: Sequence[str]) -> None:
    alike: dict[str, str] = {}
    for name in names:
        if why := name_fault(name):
            raise ConfigError(f"images.classes: the class name {name!r} {why}; rename the folder")
        # Files are named by classes, and some disks take two such names for one.
        other = alike.setdefault(unicodedata.normalize("NFKC", name).casefold(), name)
        if other != name:
            raise ConfigError(f"images.classes: the class names {other!r} and {name!r} look alike; rename a folder")


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


def _check_count(name: str, folder: Path, minimum: int) -> None:
    found = len(list(islice(image_files(folder), minimum)))
    if found < minimum:
        raise ConfigError(
            f"images.minimum: class {name!r} has {found} image files in {folder}, fewer than {minimum}; "
            "add images, lower the minimum or leave the class out of images.classes"
        )


def _enough(names: list[str], needed: int) -> list[str]:
    if len(names) < needed:
        raise ConfigError(
            f"zoo.classes_per_task: {needed} classes a task, but there are only {len(names)}; "
            "ask for fewer or add classes"
        )
    return names
