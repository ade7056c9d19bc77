"""Zoos with Ray Tune's layout: one folder per run.

    NN_tune_trainable_*/params.json                    hyper-parameters
    NN_tune_trainable_*/result.json                    one JSON object per line: one epoch's results
    NN_tune_trainable_*/checkpoint_000050/checkpoints  a state dict; ``wsl.zoo.foreign.joining`` finds its epoch

Source: Schürholt et al. 2022, *Model Zoos: A Dataset of Diverse Populations of Neural Network Models*. WeightCLIP's
zoos (2026) have other keys, number the first epoch 0, and give accuracies in percent.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from wsl.errors import DataError
from wsl.files.plain import file_inside
from wsl.files.text import read_text
from wsl.zoo.foreign.joining import NOT_SAID, Saved, join
from wsl.zoo.foreign.leaving_out import NOTHING, LeaveOut
from wsl.zoo.foreign.run import ForeignRun, results_table, whole_number

FOLDERS = "NN_tune_trainable_*"
WEIGHTS = "checkpoints"
TORN = "last line of results cut short, not read"
OWN = "wsl::"  # prefix of keys of our plan that have no usual name
PARAMETERS = {
    "seed": "seed",
    "optim::optimizer": "optimizer",
    "optim::lr": "learning_rate",
    "optim::wd": "weight_decay",
    "optim::momentum": "momentum",
    "optim::scheduler": "schedule",
    "training::batchsize": "batch_size",
    "training::epochs_train": "max_epoch",
}
RELU_ALWAYS = {f"Resnet{depth}" for depth in (18, 34, 50, 101, 152)}  # these classes ignore `model::nlin`
ALSO = {  # WeightCLIP's keys, and further hyper-parameters
    "lr": "learning_rate",
    "weight_decay": "weight_decay",
    "momentum": "momentum",
    "batch_size": "batch_size",
    "num_epochs": "max_epoch",
    "model::nlin": "activation",
    "model::dropout": "dropout",
    "model::init_type": "initialisation",
}


def read_run(zoo: Path, folder: Path, leave_out: LeaveOut = NOTHING, saved: Saved = NOT_SAID) -> ForeignRun:
    """Read everything of a run except its weights.

    Of several results of one epoch, which Ray writes after restoring a trial, the last counts. A truncated last line is
    ignored.

    Args:
        zoo: folder of the runs.
        folder: of this run.
        leave_out: checkpoints to leave out, as ``RUN/checkpoint_000005``.
        saved: epochs of checkpoints as given by the user, see ``wsl.zoo.foreign.joining``.

    Raises:
        DataError: a file is missing, damaged or outside ``zoo``; there are no results or no checkpoints; or they
            cannot be matched.
    """
    own = folder.relative_to(zoo)
    path = file_inside(zoo, own / "params.json")
    params = _json(path, read_text(path), folder.name)
    named = {ours: params[theirs] for theirs, ours in (ALSO | PARAMETERS).items() if theirs in params}
    if "activation" in named and params.get("model::type") in RELU_ALWAYS:
        named["activation"] = "relu"
    named |= {key.removeprefix(OWN): value for key, value in params.items() if key.startswith(OWN)}
    rows, notes = _rows(file_inside(zoo, own / "result.json"), folder)
    epochs = [*rows, *([max(rows) + 1] if TORN in notes else [])]  # a truncated line means that its epoch ended
    if isinstance(params.get("num_epochs"), int) and named["max_epoch"] == params["num_epochs"] and 0 in rows:
        named["max_epoch"] -= 1  # WeightCLIP numbers the first epoch 0
    files, joined, unnamed = _files(zoo, folder, rows, epochs, leave_out, saved)
    about = {key: value for key, value in named.items() if isinstance(value, str | int | float)}
    outputs, names = params.get("model::o_dim"), named.get("snapshots")
    names = names if isinstance(names, dict) and all(map(str.isdecimal, names)) else {}
    return ForeignRun(
        name=folder.name,
        about=about,
        classes=named.get("classes"),
        part=named.get("part"),
        results=results_table((place, epoch, row) for epoch, (place, row) in rows.items()),
        files=files,
        joined=joined,
        names={int(epoch): str(name) for epoch, name in names.items()},
        outputs=outputs if isinstance(outputs, int) else None,
        notes=(*notes, *unnamed),
    )


def _rows(path: Path, folder: Path) -> tuple[dict[int, tuple[str, dict[str, Any]]], list[str]]:
    """Return the last line of each epoch with its place, by epoch, and notes."""
    text = read_text(path)
    lines = [(f"{path}, line {i}", line) for i, line in enumerate(text.split("\n"), 1) if line.strip()]
    notes = []
    if lines and not text.endswith("\n") and not _is_json(lines[-1][1]):
        lines.pop()
        notes.append(TORN)
    if not lines:
        raise DataError(f"{path} holds no results{_failed(folder)}; leave the run out by --leave-out {folder.name}")
    rows = [(place, _json(place, line, folder.name)) for place, line in lines]
    key = "training_iteration" if any("training_iteration" in row for _, row in rows) else "epoch"
    found: dict[int, tuple[str, dict[str, Any]]] = {}
    for place, row in rows:
        epoch = whole_number(place, key, row.get(key))
        if epoch in found:
            notes.append("restored by Ray: of several results of one epoch the last counts")
        found[epoch] = (place, row)
    return dict(sorted(found.items())), list(dict.fromkeys(notes))


def _files(
    zoo: Path,
    folder: Path,
    rows: Mapping[int, tuple[str, dict[str, Any]]],
    ended: Sequence[int],
    leave_out: LeaveOut,
    saved: Saved,
) -> tuple[dict[int, Path], str, list[str]]:
    """Return files of weights by epoch, how they were joined to results, and notes."""
    there = _checkpoints(folder)
    named = {}
    for epoch, (_, row) in rows.items():
        name = PurePosixPath(str(row.get("checkpoint_dir_name") or "")).name
        if number := re.fullmatch(r"checkpoint_(\d+)", name):
            named[int(number[1])] = epoch
    epochs, joined = join(folder.name, list(there), ended, named, saved)
    notes = ["checkpoints that no result names, not read"] if len(epochs) < len(there) else []
    files = {}
    for number, epoch in epochs.items():
        if f"{folder.name}/{there[number].name}" not in leave_out:
            files[epoch] = file_inside(zoo, there[number].relative_to(zoo) / WEIGHTS)
    if not files:
        raise DataError(
            f"{folder}: of its {len(there)} checkpoints none is left that results name; leave the run out by "
            f"--leave-out {folder.name}"
        )
    return dict(sorted(files.items())), joined, notes


def _checkpoints(folder: Path) -> dict[int, Path]:
    """Return folders of checkpoints by number, ascending."""
    found: dict[int, Path] = {}
    for path in sorted(folder.glob("checkpoint_*")):
        if not (number := re.fullmatch(r"checkpoint_(\d+)", path.name)):
            continue
        if int(number[1]) in found:
            raise DataError(
                f"{path} and {found[int(number[1])].name} have one number; leave the run out by --leave-out "
                f"{folder.name}, or move one of the two elsewhere"
            )
        found[int(number[1])] = path
    if not found:
        raise DataError(
            f"{folder} has no checkpoint_*/{WEIGHTS}{_failed(folder)}; add them, or leave the run out by --leave-out "
            f"{folder.name}"
        )
    return dict(sorted(found.items()))


def _failed(folder: Path) -> str:
    return ": the trial failed, see its error.txt" if (folder / "error.txt").exists() else ""


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _json(place: Path | str, text: str, run: str) -> dict[str, Any]:
    remedy = f"correct it, or leave the run out by --leave-out {run}"
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place} is not JSON ({error}); {remedy}") from error
    if not isinstance(content, dict):
        raise DataError(f"{place} is not a JSON object; {remedy}")
    return content
