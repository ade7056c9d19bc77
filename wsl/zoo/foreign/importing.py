"""Import a zoo that others made: our member files, and an index a part, in one folder."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from wsl.errors import ConfigError, DataError
from wsl.files import file_inside, new_folder, write_json
from wsl.randomness import part_of
from wsl.zoo.foreign import raytune, table
from wsl.zoo.foreign.conversion import Conversion
from wsl.zoo.foreign.run import PARTS, ForeignRun, check_classes
from wsl.zoo.foreign.units import accuracy_unit
from wsl.zoo.index import write_index
from wsl.zoo.member import write_member

log = logging.getLogger(__name__)
Readers = dict[str, Callable[[], ForeignRun]]
Placed = tuple[ForeignRun, tuple[str, ...]]  # a run and its set of classes


@dataclass
class Imported:
    """What came of an import: members by part, last epochs of members, and why others were left out, by name."""

    parts: dict[str, int] = field(default_factory=dict)
    last_epochs: dict[int, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def import_zoo(
    zoo: str | Path,
    out: str | Path,
    classes: Sequence[str] | None = None,
    epochs: Sequence[int] | None = None,
    shares: Sequence[int] = (70, 15, 15),
    seed: int = 0,
    accuracies: str = "auto",
    validation: str = "val",
    strict: bool = False,
) -> Imported:
    """Write a zoo's members into ``out``, with ``train.h5``, ``validation.h5``, ``test.h5`` over them.

    Runs that cannot be read are left out and named, in ``import.json`` too. Members are numbered by the order of their
    names, unless all have a number of their own.

    Args:
        zoo: folder of Ray Tune's layout (``raytune``), or one with a CSV and state dicts (``table``).
        out: folder, whole or not at all; it must not be there yet.
        classes: names in the order of the heads' rows; None: as the zoo says, or else numbers.
        epochs: which to keep, in the zoo's own count; None: all that have weights.
        shares: of members in the three parts, where the zoo does not say; 0 for a part that is not wanted. Runs on
            one set of classes stay together, where there are several sets.
        seed: of the parts.
        accuracies: see ``accuracy_unit``.
        validation: ``val``, or ``test`` for zoos without validation results: those on test images then stand in.
        strict: end at the first run that cannot be read.

    Raises:
        DataError: the folder is of neither kind, no run can be read, or runs contradict each other.
        ConfigError: a part would be empty.
    """
    zoo, result = Path(zoo), Imported()
    if classes is not None:
        check_classes("--classes", list(classes))

    def kept(name: str, call: Callable, *given):
        try:
            return call(*given)
        except DataError as error:
            if strict:
                raise
            log.warning("left out %s: %s", name, error)
            result.skipped[name] = str(error)

    runs = {name: kept(name, read) for name, read in find_runs(zoo).items()}
    read = _numbered(runs)
    convert = Conversion(classes, epochs, accuracy_unit(list(read.values()), accuracies), validation)
    with new_folder(out) as folder:
        written = {}
        for number, run in read.items():
            if member := kept(run.name, convert, number, run):
                write_member(folder / "members" / f"{number:05d}.h5", member)
                written[number] = (run, tuple(sorted(member.plan["classes"])))
                last = int(member.snapshots["epoch"].iloc[-1])
                result.last_epochs[last] = result.last_epochs.get(last, 0) + 1
        if not written:
            first = next(iter(result.skipped.items()))
            raise DataError(f"{zoo}: none of {len(runs)} runs can be read; the first, {first[0]}: {first[1]}")
        for part, numbers in _parts(written, shares, seed).items():
            write_index([folder / "members" / f"{number:05d}.h5" for number in numbers], folder / f"{part}.h5")
            result.parts[part] = len(numbers)
        write_json(folder / "import.json", {"zoo": str(zoo), "accuracies_divided_by": convert.unit, **vars(result)})
    return result


def find_runs(zoo: Path) -> Readers:
    """Return what reads each run of a zoo, by its name, in order.

    Raises:
        DataError: the folder holds no zoo.
    """
    folders = sorted(path for path in zoo.glob(raytune.FOLDERS) if path.is_dir())
    if folders:
        return {path.name: partial(raytune.read_run, zoo, path) for path in folders}
    tables = sorted(zoo.glob("*.csv"))
    if len(tables) != 1:
        raise DataError(
            f"{zoo} holds neither folders {raytune.FOLDERS} nor one CSV ({len(tables)} are there) that says what its "
            "state dicts are; name the folder right above the runs, and unpack archives first"
        )
    members = table.read_table(file_inside(zoo, tables[0].name))
    return {name: partial(table.read_rows, tables[0], name, rows) for name, rows in members.items()}


def _numbered(runs: dict[str, ForeignRun | None]) -> dict[int, ForeignRun]:
    """Return the runs that could be read, by their own numbers if all have one, else by their places among all."""
    read = {place: run for place, run in enumerate(runs.values()) if run}
    own = [run.about.pop("member", None) for run in read.values()]
    if not all(isinstance(number, int) and number >= 0 for number in own):
        return read
    numbered: dict[int, ForeignRun] = {}
    for number, run in zip(own, read.values(), strict=True):
        if number in numbered:
            raise DataError(
                f"{numbered[number].name} and {run.name} are both member {number}; give each a number of its own"
            )
        numbered[number] = run
    return numbered


def _parts(runs: dict[int, Placed], shares: Sequence[int], seed: int) -> dict[str, list[int]]:
    told = {number: run.part for number, (run, _) in runs.items() if run.part}
    if told and len(told) < len(runs):
        missing = next(run.name for run, _ in runs.values() if not run.part)
        raise DataError(f"{missing} does not say its part, and others do; say it for all, or for none")
    wanted = {part: share for part, share in zip(PARTS, shares, strict=False) if share}
    if not told:
        sets = sorted({classes for _, classes in runs.values()})
        # A task of a test member must not be one that a training member saw; where there is one task, it must be.
        alone = len(sets) == 1
        places = {number: number if alone else sets.index(classes) for number, (_, classes) in runs.items()}
        told = {number: part_of(seed, "imported", place, wanted) for number, place in places.items()}
        if lacking := [part for part in wanted if part not in told.values()]:
            raise ConfigError(
                f"--parts: {len(set(places.values()))} runs or sets of classes leave the {lacking[0]} part empty; "
                "raise its share, as in 1,1,1, or give it 0"
            )
    return {part: found for part in PARTS if (found := [number for number, own in told.items() if own == part])}
