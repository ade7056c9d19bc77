"""Find the runs of a zoo below a folder of any level: one run, a zoo, the zoos of a data set, or a whole download."""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from wsl.errors import DataError
from wsl.files.plain import file_inside
from wsl.files.text import read_text
from wsl.zoo.foreign import raytune, table
from wsl.zoo.foreign.joining import NOT_SAID, Saved
from wsl.zoo.foreign.run import NOTHING, ForeignRun, LeaveOut

DEPTH = 5  # levels of folders below the named one
SHOWN = 30  # zoos in a message
RESULTS = ("params.json", "result.json")

Readers = dict[str, Callable[[], ForeignRun]]  # functions that read runs, by the name of the run, in order


def find_runs(folder: Path, leave_out: LeaveOut = NOTHING, saved: Saved = NOT_SAID) -> Readers:
    """Return the runs of the only zoo in a folder or below it; a folder that is one run is a zoo of this run.

    Raises:
        DataError: the folder holds no zoo, or several zoos are below it; the message lists them.
    """
    tables = sorted(folder.glob("*.csv"))
    if len(tables) == 1 and not _runs_in(folder) and not is_run(folder):
        return _in_table(folder, tables[0], leave_out, saved)
    zoo, runs = ray_runs(folder)
    return {raytune.run_name(zoo, run): partial(raytune.read_run, zoo, run, leave_out, saved) for run in runs}


def ray_runs(folder: Path) -> tuple[Path, list[Path]]:
    """Return the only zoo in Ray Tune's layout in a folder or below it, and the folders of its runs.

    Raises:
        DataError: see ``find_runs``.
    """
    if direct := _runs_in(folder) or ([folder] if is_run(folder) else []):
        return folder, direct
    return _only_zoo(folder, _zoos_below(folder), len([*folder.glob("*.csv")]))


def is_run(path: Path) -> bool:
    """Return whether a folder is a run in Ray Tune's layout, complete or not."""
    if not path.is_dir():
        return False
    if path.match(raytune.FOLDERS) or any((path / name).is_file() for name in RESULTS):
        return True
    return (path / "config.json").is_file() and any(raytune.NAMED.fullmatch(one.name) for one in path.iterdir())


def _runs_in(folder: Path) -> list[Path]:
    rays = [path for path in sorted(folder.glob(raytune.FOLDERS)) if path.is_dir()]
    return rays or [path for path in sorted(folder.iterdir()) if is_run(path)]


def _in_table(folder: Path, path: Path, leave_out: LeaveOut, saved: Saved) -> Readers:
    if saved.words:
        raise DataError(f"{saved.words}: a CSV gives the epoch of each file; leave the option out")
    members = table.read_table(file_inside(folder, path.name), leave_out)
    return {name: partial(table.read_rows, path, name, rows) for name, rows in members.items()}


def _zoos_below(folder: Path) -> dict[Path, list[Path]]:
    """Return runs at all levels below a folder, by the folder of their zoo.

    Fine-tuned networks of the zoo of vision transformers have one folder per pre-trained network; these are one zoo.
    """
    zoos: dict[Path, list[Path]] = {}

    def search(place: Path, depth: int) -> None:
        for path in sorted(place.iterdir()):
            if not path.is_dir() or path.name.startswith("."):
                continue
            if is_run(path):
                together = place != folder and _is_fine_tuned(path)
                zoos.setdefault(place.parent if together else place, []).append(path)
            elif depth:
                search(path, depth - 1)

    search(folder, DEPTH)
    return zoos


def _is_fine_tuned(run: Path) -> bool:
    if (run / RESULTS[0]).is_file():
        return False
    return "_ft_" in run.name or any(key.startswith("pretraining::") for key in _description(run))


def _only_zoo(folder: Path, zoos: dict[Path, list[Path]], tables: int) -> tuple[Path, list[Path]]:
    if len(zoos) == 1:
        return next(iter(zoos.items()))
    if not zoos:
        raise DataError(
            f"{folder} holds neither runs ({raytune.FOLDERS}, or other folders with result.json), also not in folders "
            f"below it, nor one CSV ({tables} are there) that describes its state dicts; name the folder of the zoo, "
            "and unpack archives first"
        )
    listed = [f"\n  {path}: {len(runs)} run{'s' * (len(runs) > 1)}{_in_words(runs[0])}" for path, runs in zoos.items()]
    more = f"\n  and {len(zoos) - SHOWN} others" if len(zoos) > SHOWN else ""
    raise DataError(f"{folder} holds {len(zoos)} zoos; name the folder of one of them:{''.join(listed[:SHOWN])}{more}")


def _in_words(run: Path) -> str:
    about = _description(run)
    known = [about.get("model::type"), about.get("dataset::name")]
    known += [f"{about['model::o_dim']} classes"] if "model::o_dim" in about else []
    return "".join(f", {fact}" for fact in known if fact)


def _description(run: Path) -> dict[str, Any]:
    """Return the hyper-parameters of a run as far as they can be read."""
    for name in raytune.DESCRIPTIONS:
        if (run / name).is_file():
            with suppress(ValueError, DataError, RecursionError):
                about = json.loads(read_text(run / name))
                return about if isinstance(about, dict) else {}
    return {}
