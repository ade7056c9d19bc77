"""The classes of a run: found, and refused if they are unusable, before any job starts."""

import unicodedata
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from wsl.errors import ConfigError
from wsl.images.names import match_names

if TYPE_CHECKING:
    from wsl.images.settings import Images

UNUSABLE = set("{}/")  # braces are Snakemake's wildcards, a slash separates the classes of a task
LONGEST = 200  # bytes of a name, of the 255 that a file's may have


def find_classes(images: "Images") -> tuple[list[str], list[str]]:
    """Return the names of the run's classes in their order, and all faults, one sentence each."""
    wanted = imagenet_classes() if images.classes == "imagenet-1k" else images.classes
    return images.source.find(wanted, images.minimum)


def imagenet_classes() -> list[str]:
    """Return ImageNet-1k's 1,000 WordNet ids in the order of its labels, from the list that timm ships."""
    # find_spec reads no code of timm: importing it would cost every start of the workflow seconds.
    spec = find_spec("timm")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError("images.classes: imagenet-1k needs the package timm; install it or list the classes")
    listing = Path(spec.submodule_search_locations[0], "data", "_info", "imagenet_synsets.txt")
    return listing.read_text(encoding="utf-8").split()


def choose(wanted: Sequence[str] | int | None, known: Sequence[str], place: str) -> tuple[list[str], list[str]]:
    """Return the classes that a config selects, and all faults of the selection.

    Args:
        wanted: names, the number of first classes, or None for all.
        known: names of the classes that exist.
        place: where they are, for messages: ``in the digits``.
    """
    names, faults, unusable = list(known), [], []
    if isinstance(wanted, int):
        names = names[:wanted]
        if wanted > len(known):
            faults = [f"{wanted} classes asked for, but there are {len(known)}; ask for fewer"]
    elif wanted is not None:
        unusable = [name for name in wanted if name_fault(name)]
        matched = match_names([name for name in wanted if name not in unusable], known)
        names, faults = matched.names, matched.faults(place, "correct the name or the folder")
        if not wanted:
            faults.append("the list is empty; name classes, or leave the key out")
    return names, [f"images.classes: {fault}" for fault in faults] + _name_faults([*unusable, *names])


def _name_faults(names: Sequence[str]) -> list[str]:
    faults, normalised = [], {}
    for name in names:
        if fault := name_fault(name):
            faults.append(f"images.classes: the class name {name!r} {fault}; rename the folder")
        # Classes name files, and some disks treat two such names as the same.
        other = normalised.setdefault(unicodedata.normalize("NFKC", name).casefold(), name)
        if other != name:
            faults.append(
                f"images.classes: the class names {other!r} and {name!r} differ only in case or Unicode normalisation; "
                "rename a folder"
            )
    return faults


def name_fault(name: str) -> str | None:
    """Return why a class of this name cannot name a file; None: it can."""
    if set(name) & UNUSABLE:
        return "has a brace or a slash"
    if not name or name.startswith("."):
        return "is empty or begins with a dot"
    # Control characters, among them line breaks, and bytes that are not UTF-8.
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name):
        return "has a character that cannot be printed"
    if len(name.encode()) > LONGEST:
        return f"is longer than {LONGEST} bytes"
    return None


def safe_names(names: Sequence[str]) -> list[str]:
    """Return the class names of a dataset as names of files: without characters that they cannot have, and distinct.

    ``A`` and ``a``, which some disks treat as the same, become ``A`` and ``a-2``.
    """
    safe, used = [], set()
    for name in names:
        plain = "".join("-" if letter == "\\" or name_fault(f"x{letter}") else letter for letter in name)
        plain = plain.strip().lstrip(".").encode()[: LONGEST - 8].decode(errors="ignore") or "unnamed"
        candidate, number = plain, 1
        while unicodedata.normalize("NFKC", candidate).casefold() in used:
            number += 1
            candidate = f"{plain}-{number}"
        used.add(unicodedata.normalize("NFKC", candidate).casefold())
        safe.append(candidate)
    return safe
