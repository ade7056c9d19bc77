"""Zoos with Ray Tune's layout: one folder per run.

    NN_tune_trainable_*/params.json                    hyper-parameters
    NN_tune_trainable_*/result.json                    one JSON object per line: one epoch's results
    NN_tune_trainable_*/checkpoint_000050/checkpoints  a state dict; ``wsl.zoo.foreign.joining`` finds its epoch

Source: Schürholt et al. 2022, *Model Zoos: A Dataset of Diverse Populations of Neural Network Models*. WeightCLIP's
zoos (2026) have other keys, number the first epoch 0, and give accuracies in percent.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsl.errors import DataError
from wsl.files.plain import file_inside
from wsl.files.text import read_text
from wsl.zoo.foreign.exported import LAYOUT, PLACEHOLDER, own_values
from wsl.zoo.foreign.joining import NOT_SAID, Saved, join
from wsl.zoo.foreign.run import NOTHING, ForeignRun, LeaveOut, results_table, whole_number

FOLDERS = "NN_tune_trainable_*"
WEIGHTS = "checkpoints"
NAMED = re.compile(r"(?:.*/)?checkpoint_(\d+)/*")
TORN = "last line of results cut short, not read"
KEPT = ("model::", "optim::", "training::", "scheduler::")  # prefixes of hyper-parameters that keep their names
PARAMETERS = {"seed": "seed", "optim::optimizer": "optimizer", "optim::lr": "learning_rate"}
PARAMETERS |= {"optim::wd": "weight_decay", "optim::momentum": "momentum", "optim::scheduler": "schedule"}
PARAMETERS |= {"training::batchsize": "batch_size", "training::epochs_train": "max_epoch"}
# WeightCLIP's keys, and further hyper-parameters.
ALSO = {"lr": "learning_rate", "weight_decay": "weight_decay", "momentum": "momentum", "batch_size": "batch_size"}
ALSO |= {"num_epochs": "max_epoch", "model::nlin": "activation"}
ALSO |= {"model::dropout": "dropout", "model::init_type": "initialisation", "model::type": "model_type"}
RELU_ALWAYS = {f"Resnet{depth}" for depth in (18, 34, 50, 101, 152)}  # these classes ignore `model::nlin`
Rows = Mapping[int, tuple[str, dict[str, Any]]]  # by epoch: the place of a line and its content


def read_run(zoo: Path, folder: Path, leave_out: LeaveOut = NOTHING, saved: Saved = NOT_SAID) -> ForeignRun:
    """Read everything of a run except its weights.

    Of several results of one epoch, which Ray writes after restoring a trial, the last counts. A truncated last line is
    ignored.

    Raises:
        DataError: a file is missing, damaged or outside ``zoo``; there are no results or no checkpoints; or they
            cannot be matched.
    """
    inside = folder.relative_to(zoo)
    path = file_inside(zoo, inside / "params.json")
    params = _json(path, read_text(path), folder)
    about = {ours: params[theirs] for theirs, ours in (ALSO | PARAMETERS).items() if theirs in params}
    if "activation" in about and params.get("model::type") in RELU_ALWAYS:
        came = {} if about["activation"] == "relu" else {"model::nlin": about["activation"]}
        about |= {"activation": "relu", **came}
    further = params.keys() - {*ALSO, *PARAMETERS, "model::o_dim"}
    about |= {key: params[key] for key in params if key in further and key.startswith(KEPT)}
    about = own_values(params, about)
    rows, notes = _rows(file_inside(zoo, inside / "result.json"), folder)
    if isinstance(params.get("num_epochs"), int) and about["max_epoch"] == params["num_epochs"] and 0 in rows:
        about["max_epoch"] -= 1  # WeightCLIP numbers the first epoch 0
    checkpoints = _checkpoints(folder)
    epochs = [*rows, *([max(rows) + 1] if TORN in notes else [])]  # a truncated line means that its epoch ended
    names = ((epoch, NAMED.fullmatch(str(row.get("checkpoint_dir_name")))) for epoch, (_, row) in rows.items())
    named = {int(name[1]): epoch for epoch, name in names if name}
    joined, how = join(folder.name, list(checkpoints), epochs, named, saved)
    if len(joined) < len(checkpoints):
        notes.append("checkpoints that no result names, not read")
    files = {
        epoch: file_inside(zoo, inside / checkpoints[number].name / WEIGHTS)
        for number, epoch in joined.items()
        if f"{folder.name}/{checkpoints[number].name}" not in leave_out
    }
    if not files:
        raise DataError(f"{folder}: no checkpoint is left that results name; {_leave_out(folder)}")
    results = results_table((place, epoch, row) for epoch, (place, row) in rows.items())
    unmeasured = [key for key in results if key.startswith("test_") and results[key].isna().all()]
    outputs, names = params.get("model::o_dim"), about.get("snapshots")
    names = names if isinstance(names, dict) and all(map(str.isdecimal, names)) else {}
    return ForeignRun(
        name=folder.name,
        about={key: value for key, value in about.items() if isinstance(value, str | int | float)},
        classes=about.get("classes"),
        part=about.get("part"),
        results=results.drop(columns=unmeasured),
        files=dict(sorted(files.items())),
        joined=how,
        names={int(epoch): str(name) for epoch, name in names.items()},
        outputs=outputs if isinstance(outputs, int) else None,
        layout=params.get(LAYOUT),
        notes=tuple(notes),
    )


def _rows(path: Path, folder: Path) -> tuple[Rows, list[str]]:
    """Return the last line of each epoch, sorted by epoch, and notes."""
    text = read_text(path)
    lines = [(f"{path}, line {i}", line) for i, line in enumerate(text.split("\n"), 1) if line.strip()]
    lines = [(place, line) for place, line in lines if PLACEHOLDER not in line]
    notes = []
    if lines and not text.endswith("\n") and not _is_json(lines[-1][1]):
        lines.pop()
        notes.append(TORN)
    if not lines:
        raise DataError(f"{path} holds no results{_failed(folder)}; {_leave_out(folder)}")
    contents = [(place, _json(place, line, folder)) for place, line in lines]
    key = "training_iteration" if any("training_iteration" in row for _, row in contents) else "epoch"
    rows = {whole_number(place, key, row.get(key)): (place, row) for place, row in contents}
    if len(rows) < len(contents):
        notes.append("restored by Ray: of several results of one epoch the last counts")
    return dict(sorted(rows.items())), notes


def _checkpoints(folder: Path) -> dict[int, Path]:
    """Return folders of checkpoints by number, ascending."""
    checkpoints: dict[int, Path] = {}
    for path in sorted(folder.glob("checkpoint_*")):
        if not (name := NAMED.fullmatch(path.name)):
            continue
        other = checkpoints.setdefault(int(name[1]), path)
        if other != path:
            raise DataError(f"{path} and {other.name} have one number; {_leave_out(folder)}, or move one elsewhere")
    if not checkpoints:
        raise DataError(f"{folder} has no checkpoint_*/{WEIGHTS}{_failed(folder)}; add them, or {_leave_out(folder)}")
    return dict(sorted(checkpoints.items()))


def _leave_out(folder: Path) -> str:
    return f"leave the run out by --leave-out {folder.name}"


def _failed(folder: Path) -> str:
    return ": the trial failed, see its error.txt" if (folder / "error.txt").exists() else ""


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _json(place: Path | str, text: str, folder: Path) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place} is not JSON ({error}); correct it, or {_leave_out(folder)}") from error
    if not isinstance(content, dict):
        raise DataError(f"{place} is not a JSON object; correct it, or {_leave_out(folder)}")
    return content
