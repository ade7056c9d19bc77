"""Import another program's zoo: members and one index per part in one folder."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from wsl.errors import ConfigError, DataError
from wsl.files.atomic import new_folder
from wsl.files.plain import file_inside
from wsl.randomness import assigned_part
from wsl.zoo.foreign import raytune, table
from wsl.zoo.foreign.account import OTHER, Imported, write_account
from wsl.zoo.foreign.conversion import Conversion
from wsl.zoo.foreign.joining import NOT_SAID, Saved
from wsl.zoo.foreign.leaving_out import NOTHING, LeaveOut
from wsl.zoo.foreign.options import ImportOptions
from wsl.zoo.foreign.run import PARTS, ForeignRun, check_classes
from wsl.zoo.foreign.units import accuracy_unit
from wsl.zoo.index import write_index
from wsl.zoo.layout import Layout
from wsl.zoo.member import write_member
from wsl.zoo.recognition import architecture_of

log = logging.getLogger(__name__)
Readers = dict[str, Callable[[], ForeignRun]]
SHOWN = 5  # left-out runs on the terminal; import.json lists all
Placed = tuple[ForeignRun, tuple[str, ...]]  # a run and its set of classes


def import_zoo(zoo: str | Path, out: str | Path, options: ImportOptions | None = None) -> Imported:
    """Write a zoo's members into ``out``, with the indices ``train.h5``, ``validation.h5`` and ``test.h5``.

    Runs that cannot be read are left out and listed, also in ``import.json``. Of runs that end with the same weights,
    the first by name is kept. Members are numbered by the order of their names, unless all have their own numbers.

    Args:
        zoo: folder with Ray Tune's layout (``raytune``), or one with a CSV and state dicts (``table``).
        out: folder to make; it must not exist. It appears only when it is complete.
        options: how to import; None: the defaults.

    Raises:
        DataError: the folder is of neither kind, no run can be read, runs contradict each other, or an option does not
            fit the zoo.
        ConfigError: a part would be empty.
    """
    options = options or ImportOptions()
    zoo, result = Path(zoo), Imported(str(zoo), options.model_dump(mode="json"))
    if isinstance(options.classes, list):
        check_classes("--classes", options.classes)
    unwanted = LeaveOut(options.leave_out)
    saved = Saved(options.every, None if options.saved_epochs is None else tuple(options.saved_epochs))

    def kept(name: str, call: Callable, *given):
        try:
            return call(*given)
        except DataError as error:
            if options.strict:
                raise
            result.skipped[name] = str(error)
            if len(result.skipped) <= SHOWN:
                log.warning("left out %s", _reason(name, error))

    readers = find_runs(zoo, unwanted, saved)
    result.left_out = [name for name in readers if name in unwanted]
    runs = {name: None if name in unwanted else kept(name, read) for name, read in readers.items()}
    unwanted.check(zoo)
    read = _numbered(runs)
    result.accuracies_divided_by = accuracy_unit(list(read.values()), options.accuracies)
    convert = Conversion(options, result.accuracies_divided_by)
    with new_folder(out) as folder:
        written = {}
        for number, run in read.items():
            if member := kept(run.name, convert, number, run):
                write_member(folder / "members" / f"{number:05d}.h5", member)
                written[number] = (run, tuple(sorted(member.plan["classes"])))
                result.last_epochs[int(member.snapshots["epoch"].iloc[-1])] += 1
                result.joined[run.joined] += 1
                result.notes.update(run.notes)
        if not written:
            first = next((f"the first, {_reason(*one)}" for one in result.skipped.items()), "all are left out as asked")
            raise DataError(f"{zoo}: none of {len(readers)} runs can be read; {first}")
        if len(result.skipped) > SHOWN:
            log.warning("left out %d more, see import.json", len(result.skipped) - SHOWN)
        for part, numbers in _parts(written, options, result.skipped).items():
            write_index([folder / "members" / f"{number:05d}.h5" for number in numbers], folder / f"{part}.h5")
            result.parts[part] = len(numbers)
        result.recognised = _recognised(convert.layout)
        result.taken, result.ignored = convert.taken, convert.ignored
        write_account(folder, result)
    return result


def find_runs(zoo: Path, leave_out: LeaveOut = NOTHING, saved: Saved = NOT_SAID) -> Readers:
    """Return a function that reads each run of a zoo, by its name, in order.

    Args:
        zoo: its folder.
        leave_out: checkpoints and files to leave out.
        saved: epochs of checkpoints as given by the user.

    Raises:
        DataError: the folder holds no zoo.
    """
    folders = sorted(path for path in zoo.glob(raytune.FOLDERS) if path.is_dir())
    if folders:
        return {path.name: partial(raytune.read_run, zoo, path, leave_out, saved) for path in folders}
    tables = sorted(zoo.glob("*.csv"))
    if len(tables) != 1:
        raise DataError(
            f"{zoo} holds neither folders {raytune.FOLDERS} nor one CSV ({len(tables)} are there) that says what its "
            "state dicts are; name the folder right above the runs, and unpack archives first"
        )
    if saved.words:
        raise DataError(f"{saved.words}: a CSV says of which epoch each file is; leave the option out")
    members = table.read_table(file_inside(zoo, tables[0].name), leave_out)
    return {name: partial(table.read_rows, tables[0], name, rows) for name, rows in members.items()}


def _reason(name: str, why: object) -> str:
    """Return why a run was left out, including its name once."""
    return str(why) if str(why).startswith(name) else f"{name}: {why}"


def _recognised(layout: Layout) -> dict[str, Any]:
    return {
        **(architecture_of(layout).columns() if layout.architecture else {"architecture": OTHER}),
        "classes": layout.classes,
        "head": layout.head[0].removesuffix(".weight"),
        "activation": layout.activation,
        "parameters": layout.size,
    }


def _numbered(runs: dict[str, ForeignRun | None]) -> dict[int, ForeignRun]:
    """Return the readable runs by their own numbers if all have one, otherwise by their positions among all runs."""
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


def _parts(runs: dict[int, Placed], options: ImportOptions, skipped: dict[str, str]) -> dict[str, list[int]]:
    told = {number: run.part for number, (run, _) in runs.items() if run.part}
    if told and len(told) < len(runs):
        missing = next(run.name for run, _ in runs.values() if not run.part)
        raise DataError(f"{missing} does not say its part, and others do; say it for all, or for none")
    wanted = {part: share for part, share in zip(PARTS, options.shares, strict=False) if share}
    if not told:
        sets = sorted({classes for _, classes in runs.values()})
        # Test members must not share a task with training members, unless there is only one task.
        alone = len(sets) == 1
        places = {number: number if alone else sets.index(classes) for number, (_, classes) in runs.items()}
        told = {number: assigned_part(options.seed, "imported", place, wanted) for number, place in places.items()}
        if lacking := [part for part in wanted if part not in told.values()]:
            out = next((f"; {len(skipped)} runs were left out: {_reason(*one)}" for one in skipped.items()), "")
            raise ConfigError(
                f"--parts: {len(set(places.values()))} runs or sets of classes leave the {lacking[0]} part empty; "
                f"raise its share, as in 1,1,1, or give it 0{out}"
            )
    return {part: found for part in PARTS if (found := [number for number, own in told.items() if own == part])}
