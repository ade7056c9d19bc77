"""Zoos of other programs on the Hugging Face Hub: fetch the runs that an import asks for."""

import json
from contextlib import suppress
from pathlib import Path

from wsl.errors import DataError
from wsl.files.text import read_text
from wsl.hub.fetching import local_copy
from wsl.zoo.foreign.finding import ray_runs
from wsl.zoo.foreign.options import ImportOptions
from wsl.zoo.foreign.raytune import DESCRIPTIONS, hyper_parameters, run_name
from wsl.zoo.foreign.run import LeaveOut
from wsl.zoo.foreign.selection import Only


def fetch_zoo(source: str, options: ImportOptions) -> tuple[Path, ImportOptions]:
    """Fetch a zoo, and return its folder and the options of its import.

    With ``--only`` and ``--leave-out``, the hyper-parameters of all runs in Ray Tune's layout are fetched first, and
    then the runs that are wanted. The others are named in ``leave_out`` of the returned options.
    """
    if not options.only and not options.leave_out:
        return local_copy(source), options
    try:
        folder = local_copy(source, only=[*(f"*{name}" for name in DESCRIPTIONS), "*.csv"])
        zoo, runs = ray_runs(folder)
    except DataError:  # a table, or a folder that the import refuses
        return local_copy(source), options
    names = {run_name(zoo, run): run for run in runs}
    unwanted, only = LeaveOut(options.leave_out), Only(options.only)
    wanted = [name for name, run in names.items() if name not in unwanted and only.holds(_about(run))]
    if not wanted or runs == [folder]:
        return local_copy(source), options  # the import names what there is
    place = "" if zoo == folder else f"{zoo.relative_to(folder).as_posix()}/"
    local_copy(source, only=[f"{place}{name}/*" for name in wanted])
    others = [name for name in names if name not in wanted and name not in unwanted]
    return folder, options.model_copy(update={"leave_out": [*options.leave_out, *others]})


def _about(run: Path) -> dict[str, object]:
    """Return the hyper-parameters of a run as an import names them, as far as they can be read."""
    for name in DESCRIPTIONS:
        if (run / name).is_file():
            with suppress(ValueError, DataError, RecursionError, KeyError):
                return hyper_parameters(json.loads(read_text(run / name)))
    return {}
