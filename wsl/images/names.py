"""Class names: matched with the classes that exist, read from options and files, and put into words."""

import csv
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from wsl.errors import ConfigError, DataError
from wsl.files.text import read_text

NAMED = 8  # names in a message


@dataclass
class Matched:
    """A list of requested names, matched with classes."""

    names: list[str]  # names that were found, in the classes' spelling, each once and in the requested order
    missing: list[str]  # names that were not found
    repeated: list[str]  # names that were listed more than once, in the classes' spelling
    there: Collection[str]  # the classes

    def faults(self, place: str, remedy: str) -> list[str]:
        """Return the faults of the list, one sentence each.

        Args:
            place: place of the classes: ``in the folder x``, ``among images.classes``.
            remedy: remedy for a missing name.
        """
        faults = [f"there is no class {name!r} {place}{hint(name, self.there)}; {remedy}" for name in self.missing]
        if len(faults) > NAMED:
            faults[NAMED:] = [f"{len(faults) - NAMED} more classes are not {place}; {remedy}"]
        return faults + [f"the class {name!r} is listed twice; list each class once" for name in self.repeated]


def match_names(wanted: Sequence[str], there: Collection[str]) -> Matched:
    """Find the classes ``there`` by the names that a user lists.

    A name matches the class with the same spelling, otherwise the only class that differs just in Unicode normalisation
    (as in folders from another system) and in surrounding white space. Case is significant.
    """
    exact, alike = set(there), defaultdict(list)
    for name in there:
        alike[_plain(name)].append(name)
    matches, missing, repeated = {}, {}, {}
    for name in wanted:
        candidates = [name] if name in exact else alike[_plain(name)]
        if len(candidates) != 1:
            missing[name] = None
        elif candidates[0] in matches:
            repeated[candidates[0]] = None
        else:
            matches[candidates[0]] = None
    return Matched(list(matches), list(missing), list(repeated), there)


def repeated_names(names: Sequence[str]) -> list[str]:
    """Return names that are listed more than once, up to Unicode normalisation and white space around them."""
    plain = [_plain(name) for name in names]
    return list(dict.fromkeys(name for place, name in enumerate(names) if plain.index(plain[place]) < place))


def hint(name: str, there: Collection[str]) -> str:
    """Return in parentheses the class that an unknown name may mean; empty if none is similar."""
    by_folded = {_folded(known): known for known in there}
    close = [by_folded[text] for text in get_close_matches(_folded(name), by_folded, n=1, cutoff=0.7)]
    if not close:
        return ""
    if _plain(close[0]) == _plain(name):
        return f" ({close[0]!a} differs from it in Unicode normalisation or in spaces)"
    return f" (did you mean {close[0]!r}?)"


def split_names(values: Sequence[str], there: Collection[str] = ()) -> list[str]:
    """Return class names from the values of a repeatable option.

    A value is one of the classes ``there``, or names separated by commas, quoted as in CSV if they contain a comma.

    Raises:
        DataError: quotes are not closed, or a name is empty.
    """
    names = []
    for value in values:
        if match_names([value], there).names:
            names.append(value)
            continue
        try:
            (row,) = csv.reader([value], skipinitialspace=True, strict=True)
        except (csv.Error, ValueError) as error:
            remedy = "separate names by commas, and put double quotes around a name that holds one"
            raise DataError(f"--classes {value!r} cannot be read ({error}); {remedy}") from error
        if not row or not all(name.strip() for name in row):
            raise DataError(f"--classes {value!r} has an empty name; check its commas")
        names += [name.strip() for name in row]
    return names


def listed_names(text: str, there: Collection[str]) -> list[str]:
    """Return the class names in a text: one per line, or several per line separated by white space.

    A line that is one of the classes ``there`` is not split at its spaces.
    """
    lines = filter(None, map(str.strip, text.splitlines()))
    return [name for line in lines for name in ([line] if match_names([line], there).names else line.split())]


def read_names(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return names in words and superclasses, each by class folder, from a tab-separated table.

    A line contains a folder, its name (the first of several separated by commas counts) and optionally its superclass.
    Fields may be quoted, as spreadsheets do. Empty lines are skipped. See ``read_text`` for encodings.

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


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()


def _folded(name: str) -> str:
    """Return a name without case, spaces, underscores, hyphens and compatibility forms, which users confuse."""
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if not c.isspace() and c not in "_-")
