"""Import another program's zoo: members and one index per part in one folder."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from wsl.errors import ConfigError, DataError
from wsl.files.atomic import new_folder
from wsl.randomness import assigned_part
from wsl.zoo.foreign.account import OTHER, Imported, write_account
from wsl.zoo.foreign.conversion import Conversion, OtherNetworkError
from wsl.zoo.foreign.finding import find_runs
from wsl.zoo.foreign.joining import Saved
from wsl.zoo.foreign.options import ImportOptions
from wsl.zoo.foreign.run import PARTS, REMEDY, ForeignRun, LeaveOut, check_classes
from wsl.zoo.foreign.selection import Only, given_settings, shared_settings, ways_to_others
from wsl.zoo.index import write_index
from wsl.zoo.layout import Layout
from wsl.zoo.member import Member, write_members
from wsl.zoo.recognition import architecture_of

log = logging.getLogger(__name__)
FILES, MOST, BYTES = 100, 100, 2**26  # intended number of files; largest number of members and bytes in a file
SHOWN = 5  # left-out runs on the terminal; import.json lists all
SHARED = ("dropout", "initialisation")  # settings of the networks if they are equal in all runs
UNITS = {"fraction": 1.0, "percent": 100.0}


class Files:
    """The files of members, which are written as members come; members of a large zoo share files.

    Args:
        folder: where to.
        members: number of members, at most.
    """

    def __init__(self, folder: Path, members: int):
        self._folder, self._most = folder, min(-(-members // FILES), MOST)
        self._waiting: list[Member] = []
        self._paths: dict[int, Path] = {}

    def add(self, member: Member) -> None:
        """Add a member; tables of one file have equal columns."""
        if self._waiting and list(self._waiting[0].history) != list(member.history):
            self.write()
        self._waiting.append(member)
        if len(self._waiting) >= self._most or sum(one.weights.nbytes for one in self._waiting) >= BYTES:
            self.write()

    def write(self) -> None:
        """Write the members that wait."""
        if numbers := [member.number for member in self._waiting]:
            ends = dict.fromkeys((min(numbers), max(numbers)))
            path = self._folder / f"{'-'.join(f'{number:05d}' for number in ends)}.h5"
            write_members(path, self._waiting)
            self._paths |= dict.fromkeys(numbers, path)
            self._waiting = []

    def of(self, numbers: Sequence[int]) -> list[Path]:
        """Return the files of members, each once."""
        return list(dict.fromkeys(self._paths[number] for number in numbers))


def import_zoo(zoo: str | Path, out: str | Path, options: ImportOptions | None = None) -> Imported:
    """Write a zoo's members into ``out``, with the indices ``train.h5``, ``validation.h5`` and ``test.h5``.

    Runs that cannot be read are left out and listed, also in ``import.json``. Of runs that end with the same weights,
    the first by name is kept. Members are numbered by the order of their names, unless all have their own numbers.

    Args:
        zoo: folder with Ray Tune's layout (``raytune``), of one zoo or above it, or of one run; or a folder with a CSV
            and state dicts (``table``).
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
    unwanted, only, given = LeaveOut(options.leave_out), Only(options.only), given_settings(options.known)
    others: list[ForeignRun] = []
    saved = Saved(options.every, None if options.saved_epochs is None else tuple(options.saved_epochs))

    def readable(name: str, call: Callable, *args: Any) -> Any:
        """Return the result of a call; None: the run is skipped."""
        try:
            return call(*args)
        except DataError as error:
            if isinstance(error, OtherNetworkError):
                others.append(args[-1])
            if options.strict:
                raise
            result.skipped[name] = str(error)
            if len(result.skipped) <= SHOWN:
                log.warning("left out %s", _reason(name, error))

    readers = find_runs(zoo, unwanted, saved)
    result.left_out = [name for name in readers if name in unwanted]
    all_runs = [None if name in unwanted else readable(name, read) for name, read in readers.items()]
    unwanted.check(zoo)
    only.check([run for run in all_runs if run])
    result.left_out += [run.name for run in all_runs if run and not only(run)]
    runs = _numbered([run if run and only(run) else None for run in all_runs])
    result.accuracies_divided_by = accuracy_unit(list(runs.values()), options.accuracies)
    convert = Conversion(
        options, result.accuracies_divided_by, {**shared_settings(list(runs.values()), SHARED), **given}
    )
    with new_folder(out) as folder:
        files, tasks = Files(folder / "members", len(runs)), {}
        for number, run in runs.items():
            if member := readable(run.name, convert, number, run):
                files.add(member)
                tasks[number] = tuple(sorted(member.plan["classes"]))
                result.last_epochs[int(member.snapshots["epoch"].iloc[-1])] += 1
                result.joined[run.joined] += 1
                result.notes.update(run.notes)
        files.write()
        if not tasks:
            reasons = [f"the first, {_reason(*skip)}" for skip in result.skipped.items()]
            reason = reasons[0] if reasons else "all are left out as asked"
            raise DataError(f"{zoo}: none of {len(readers)} runs can be read; {reason}")
        if len(result.skipped) > SHOWN:
            log.warning("left out %d more, see import.json", len(result.skipped) - SHOWN)
        result.others = ways_to_others([runs[number] for number in tasks], others)
        if len(readers) == 1 and options.shares == ImportOptions().shares:
            options = options.model_copy(update={"shares": (1, 0, 0)})
        for part, numbers in _parts(runs, tasks, options, result.skipped).items():
            write_index(files.of(numbers), folder / f"{part}.h5", numbers)
            result.parts[part] = len(numbers)
        result.recognised = _recognised(convert.layout)
        result.taken, result.ignored = convert.taken, convert.ignored
        write_account(folder, result)
    return result


def accuracy_unit(runs: Sequence[ForeignRun], unit: str = "auto") -> float:
    """Return the divisor that turns the accuracies of a zoo into fractions.

    If ``unit`` is not ``percent`` or ``fraction`` but ``auto``, the largest value of each column of each run decides:
    above 1 means percent, otherwise fractions; columns of zeros are ignored.

    Raises:
        DataError: values contradict each other, or one is out of the unit's range.
    """
    examples: dict[str, str] = {}  # by unit
    for run in runs:
        for column, values in run.accuracies.items():
            low, high = values.min(), values.max()
            if low < 0 or high > 100 or (unit == "fraction" and high > 1):
                value = low if low < 0 else high
                raise DataError(f"{run.name}: a {column} of {value:g} is not an accuracy; {REMEDY} {run.name}")
            if high > 0:
                examples.setdefault("percent" if high > 1 else "fraction", f"{run.name}, {column}")
    if unit == "auto" and len(examples) > 1:
        raise DataError(
            f"accuracies look like percent in {examples['percent']}, but like fractions in {examples['fraction']}; "
            "give the unit by --accuracies percent or --accuracies fraction"
        )
    return UNITS[next(iter(examples), "fraction") if unit == "auto" else unit]


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


def _numbered(runs: list[ForeignRun | None]) -> dict[int, ForeignRun]:
    """Return the readable runs by their own numbers if all have one, otherwise by their positions among all runs."""
    placed = {place: run for place, run in enumerate(runs) if run}
    numbers = [run.about.pop("member", None) for run in placed.values()]
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        return placed
    numbered: dict[int, ForeignRun] = {}
    for number, run in zip(numbers, placed.values(), strict=True):
        other = numbered.setdefault(number, run)
        if other is not run:
            raise DataError(f"{other.name} and {run.name} are both member {number}; give each its own number")
    return numbered


def _parts(
    runs: dict[int, ForeignRun], tasks: dict[int, tuple[str, ...]], options: ImportOptions, skipped: dict[str, str]
) -> dict[str, list[int]]:
    """Return the numbers of the members with ``tasks``, which are sorted class names, by part."""
    parts = {number: runs[number].part for number in tasks if runs[number].part}
    if parts and len(parts) < len(tasks):
        missing = next(runs[number].name for number in tasks if number not in parts)
        raise DataError(f"{missing} has no part, but others have one; give it for all, or for none")
    if not parts:
        shares = {part: share for part, share in zip(PARTS, options.shares, strict=False) if share}
        sets = sorted(set(tasks.values()))
        # Test members must not share a task with training members, unless there is only one task.
        places = {number: number if len(sets) == 1 else sets.index(task) for number, task in tasks.items()}
        parts = {number: assigned_part(options.seed, "imported", place, shares) for number, place in places.items()}
        if lacking := [part for part in shares if part not in parts.values()]:
            out = next((f"; {len(skipped)} runs were left out: {_reason(*skip)}" for skip in skipped.items()), "")
            raise ConfigError(
                f"--parts: {len(set(places.values()))} runs or sets of classes leave the {lacking[0]} part empty; "
                f"raise its share, as in 1,1,1, or give it 0{out}"
            )
    members = {part: [number for number in parts if parts[number] == part] for part in PARTS}
    return {part: numbers for part, numbers in members.items() if numbers}
