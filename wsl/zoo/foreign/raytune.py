"""Zoos with Ray Tune's layout: one folder per run.

    NN_tune_trainable_*/params.json                    hyper-parameters
    NN_tune_trainable_*/result.json                    one JSON object per line: one epoch's results
    NN_tune_trainable_*/checkpoint_000050/checkpoints  a state dict; ``wsl.zoo.foreign.joining`` finds its epoch

Source: Schürholt et al. 2022, *Model Zoos: A Dataset of Diverse Populations of Neural Network Models*. WeightCLIP's
zoos (2026) have other keys, number the first epoch 0, and give accuracies in percent. The zoo of vision transformers
(Falk et al. 2025) has other names of folders, and config.json in place of params.json.
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
from wsl.zoo.foreign.joining import NOT_SAID, Numbering, Saved, join
from wsl.zoo.foreign.run import NOTHING, ForeignRun, LeaveOut, results_table, whole_number

FOLDERS = "NN_tune_trainable_*"
WEIGHTS = "checkpoints"
DESCRIPTIONS = ("params.json", "config.json")  # the first that exists has the hyper-parameters
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
ALSO |= {"model::heads": "heads", "model::num_heads": "heads", "model::width": "width", "dataset::name": "dataset"}
ALSO |= {"model::head::seed": "head_seed", "model::head::mlp": "head_mlp", "model::head::hidden_dim": "head_hidden"}
ALSO |= {"model::freeze_encoder": "frozen", "training::mode": "mode"}
ALSO |= {"pretraining::model": "pretrained", "pretraining::seed": "pretraining_seed"}
ALSO |= {"pretraining::mode": "pretraining_mode", "training::label_smoothing": "label_smoothing"}
ALSO |= {f"training::{key}": key for key in ("mixup", "cutmix", "randerase")}
# These classes ignore `model::nlin`.
FIXED = {f"Resnet{depth}": "relu" for depth in (18, 34, 50, 101, 152)} | {"vit_s_16": "gelu"}
OLDER = "experiment_id"  # a key of results that Ray had until 2.4, when checkpoints were numbered by iteration
Rows = Mapping[int, tuple[str, dict[str, Any]]]  # by epoch: the place of a line and its content


def read_run(zoo: Path, folder: Path, leave_out: LeaveOut = NOTHING, saved: Saved = NOT_SAID) -> ForeignRun:
    """Read everything of a run except its weights.

    The run's name is its path in ``zoo``. Of several results of one epoch, which Ray writes after restoring a trial,
    the last counts. A truncated last line is ignored.

    Raises:
        DataError: a file is missing, damaged or outside ``zoo``; there are no results or no checkpoints; or they
            cannot be matched.
    """
    name = run_name(zoo, folder)
    inside = folder.relative_to(zoo)
    described = next((file for file in DESCRIPTIONS if (folder / file).exists()), DESCRIPTIONS[0])
    path = file_inside(zoo, inside / described)
    params = _json(path, read_text(path), name)
    rows, notes = _rows(file_inside(zoo, inside / "result.json"), folder, name)
    about = hyper_parameters(params, 0 in rows)
    checkpoints = _checkpoints(folder, name)
    epochs = [*rows, *([max(rows) + 1] if TORN in notes else [])]  # a truncated line means that its epoch ended
    names = ((epoch, NAMED.fullmatch(str(row.get("checkpoint_dir_name")))) for epoch, (_, row) in rows.items())
    named = {int(match[1]): epoch for epoch, match in names if match}
    numbering = Numbering(
        iterations=any(OLDER in row for _, row in rows.values()),
        counted=described != DESCRIPTIONS[0],
        interval=params.get("training::output_epoch", 1 if described != DESCRIPTIONS[0] else None),
    )
    joined, how = join(name, list(checkpoints), epochs, named, saved, numbering)
    if len(joined) < len(checkpoints):
        notes.append("checkpoints that no result names, not read")
    files = {
        epoch: file_inside(zoo, inside / checkpoints[number].name / WEIGHTS)
        for number, epoch in joined.items()
        if f"{name}/{checkpoints[number].name}" not in leave_out
    }
    if not files:
        raise DataError(f"{folder}: no checkpoint is left that results name; {_leave_out(name)}")
    results = results_table((place, epoch, row) for epoch, (place, row) in rows.items())
    unmeasured = [key for key in results if key.startswith("test_") and results[key].isna().all()]
    outputs, names = params.get("model::o_dim"), about.get("snapshots")
    names = names if isinstance(names, dict) and all(map(str.isdecimal, names)) else {}
    return ForeignRun(
        name=name,
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


def run_name(zoo: Path, folder: Path) -> str:
    """Return the name of the run in a folder: its path in the folder of its zoo."""
    return folder.resolve().name if folder == zoo else folder.relative_to(zoo).as_posix()


def hyper_parameters(params: Mapping[str, Any], from_zero: bool = False) -> dict[str, Any]:
    """Return hyper-parameters by our names, and further ones by theirs.

    Args:
        params: by their names.
        from_zero: whether the first epoch is 0.
    """
    about = {ours: params[theirs] for theirs, ours in (ALSO | PARAMETERS).items() if theirs in params}
    about = {key: int(value) if isinstance(value, bool) else value for key, value in about.items()}
    fixed = FIXED.get(str(params.get("model::type")))
    if fixed and about.get("activation", fixed) != fixed:
        about |= {"activation": fixed, "model::nlin": about["activation"]}
    further = params.keys() - {*ALSO, *PARAMETERS, "model::o_dim"}
    about |= {key: params[key] for key in params if key in further and key.startswith(KEPT)}
    if isinstance(params.get("num_epochs"), int) and about["max_epoch"] == params["num_epochs"] and from_zero:
        about["max_epoch"] -= 1  # WeightCLIP numbers the first epoch 0
    return own_values(params, about)


def _rows(path: Path, folder: Path, name: str) -> tuple[Rows, list[str]]:
    """Return the last line of each epoch, sorted by epoch, and notes."""
    text = read_text(path)
    lines = [(f"{path}, line {i}", line) for i, line in enumerate(text.split("\n"), 1) if line.strip()]
    lines = [(place, line) for place, line in lines if PLACEHOLDER not in line]
    notes = []
    if lines and not text.endswith("\n") and not _is_json(lines[-1][1]):
        lines.pop()
        notes.append(TORN)
    if not lines:
        raise DataError(f"{path} holds no results{_failed(folder)}; {_leave_out(name)}")
    contents = [(place, _json(place, line, name)) for place, line in lines]
    key = "training_iteration" if any("training_iteration" in row for _, row in contents) else "epoch"
    rows = {whole_number(place, key, row.get(key)): (place, row) for place, row in contents}
    if len(rows) < len(contents):
        notes.append("restored by Ray: of several results of one epoch the last counts")
    return dict(sorted(rows.items())), notes


def _checkpoints(folder: Path, run: str) -> dict[int, Path]:
    """Return folders of checkpoints by number, ascending."""
    checkpoints: dict[int, Path] = {}
    for path in sorted(folder.glob("checkpoint_*")):
        if not (name := NAMED.fullmatch(path.name)):
            continue
        if path.is_file():
            raise DataError(
                f"{path} is a file, not a folder with {WEIGHTS}. wsl-modelzoo 0.1.1 saves a listing in place of each "
                "checkpoint of a pre-trained model: rename the file, and download the weights to a folder with its "
                "name, see the guide on zoos that others trained"
            )
        other = checkpoints.setdefault(int(name[1]), path)
        if other != path:
            raise DataError(f"{path} and {other.name} have one number; {_leave_out(run)}, or move one elsewhere")
    if not checkpoints:
        raise DataError(f"{folder} has no checkpoint_*/{WEIGHTS}{_failed(folder)}; add them, or {_leave_out(run)}")
    return dict(sorted(checkpoints.items()))


def _leave_out(run: str) -> str:
    return f"leave the run out by --leave-out {run}"


def _failed(folder: Path) -> str:
    return ": the trial failed, see its error.txt" if (folder / "error.txt").exists() else ""


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _json(place: Path | str, text: str, run: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place} is not JSON ({error}); correct it, or {_leave_out(run)}") from error
    if not isinstance(content, dict):
        raise DataError(f"{place} is not a JSON object; correct it, or {_leave_out(run)}")
    return content
