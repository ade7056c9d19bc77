"""Zoos as Ray Tune lays them out, and those that follow it: a folder a run.

    NN_tune_trainable_*/params.json                    hyper-parameters
    NN_tune_trainable_*/result.json                    a JSON object a line: one epoch's results
    NN_tune_trainable_*/checkpoint_000050/checkpoints  the state dict after that epoch

Source: Schürholt et al. 2022, *Model Zoos: A Dataset of Diverse Populations of Neural Network Models*. WeightCLIP's
zoos (2026) have plainer keys, count epochs from 0, after the first, and give accuracies in percent.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wsl.errors import DataError
from wsl.files import file_inside
from wsl.zoo.foreign.run import ForeignRun, results_table, whole_number

FOLDERS = "NN_tune_trainable_*"
WEIGHTS = "checkpoints"
OWN = "wsl::"  # before keys of our plan that others have no name for
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
ALSO = {  # WeightCLIP's keys, and what else is worth keeping
    "lr": "learning_rate",
    "weight_decay": "weight_decay",
    "momentum": "momentum",
    "batch_size": "batch_size",
    "num_epochs": "max_epoch",
    "model::nlin": "activation",
    "model::dropout": "dropout",
    "model::init_type": "initialisation",
}


def read_run(zoo: Path, folder: Path) -> ForeignRun:
    """Read all of a run but its weights.

    Results and checkpoints are joined by the number of the epoch (``training_iteration``, or ``epoch`` where there is
    none), whatever the order of lines and files.

    Raises:
        DataError: a file is missing, damaged or outside ``zoo``, or an epoch is there twice.
    """
    own = folder.relative_to(zoo)
    path = file_inside(zoo, own / "params.json")
    params = _json(path, path.read_text(encoding="utf-8", errors="replace"))
    named = {ours: params[theirs] for theirs, ours in (ALSO | PARAMETERS).items() if theirs in params}
    named |= {key.removeprefix(OWN): value for key, value in params.items() if key.startswith(OWN)}
    about = {key: value for key, value in named.items() if isinstance(value, str | int | float)}
    return ForeignRun(
        name=folder.name,
        about=about,
        classes=named.get("classes"),
        part=named.get("part"),
        results=results_table(_lines(file_inside(zoo, own / "result.json"))),
        files=_checkpoints(zoo, folder),
    )


def _lines(path: Path) -> Iterator[tuple[str, int, dict[str, Any]]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = {f"{path}, line {i}": line for i, line in enumerate(file, 1) if line.strip()}
    rows = {place: _json(place, line) for place, line in lines.items()}
    key = "training_iteration" if any("training_iteration" in row for row in rows.values()) else "epoch"
    for place, row in rows.items():
        yield place, whole_number(place, key, row.get(key)), row


def _checkpoints(zoo: Path, folder: Path) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in sorted(folder.glob("checkpoint_*")):
        if not (number := re.fullmatch(r"checkpoint_(\d+)", path.name)):
            continue
        epoch = int(number[1])
        if epoch in found:
            raise DataError(f"{path}: epoch {epoch} is there already, in {found[epoch].parent}; delete one of the two")
        found[epoch] = file_inside(zoo, path.relative_to(zoo) / WEIGHTS)
    if not found:
        raise DataError(f"{folder} has no checkpoint_*/{WEIGHTS}; add them, or delete the folder")
    return dict(sorted(found.items()))


def _json(place: Path | str, text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place} is no JSON ({error}); correct it, or delete it") from error
    if not isinstance(content, dict):
        raise DataError(f"{place} is no JSON object; correct it, or delete it")
    return content
