"""Zoos of loose state dicts with one CSV that says what each is.

A row a file. ``file`` (a path in the zoo's folder) and ``epoch`` must be there, and results by the names of
``wsl.zoo.foreign.run.METRICS``. ``member`` gathers the snapshots of one training run; without it each file is a run of
its own. ``classes``, or ``task``, holds names joined by ``/``, in the order of the head's rows; ``part`` says where a
run belongs. Every other column is a hyper-parameter.
"""

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd

from wsl.errors import DataError
from wsl.files import file_inside
from wsl.images.reading import task_classes
from wsl.zoo.foreign.run import METRICS, ForeignRun, results_table, whole_number

NEEDED = ("file", "epoch")
SUFFIXES = (".pt", ".pth", ".safetensors")


def read_table(path: Path) -> dict[str, pd.DataFrame]:
    """Return the rows of each member, as text, by its name; the index is the line of the file.

    Raises:
        DataError: the table is damaged, lacks a column, or names a file twice.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as CSV ({error}); correct it") from error
    table = table.loc[:, ~table.columns.str.startswith("Unnamed: ")]  # labels of rows, which pandas writes unasked
    table.index += 2  # the header is line 1
    lacking = [column for column in NEEDED if column not in table]
    if lacking:
        raise DataError(f"{path} has no column {' or '.join(lacking)}; add it")
    twice = table.index[table["file"].map(os.path.normpath).duplicated()]
    if len(twice):
        raise DataError(f"{path}, line {twice[0]}: {table['file'][twice[0]]} is named twice; delete one of the lines")
    return dict(tuple(table.groupby("member" if "member" in table else "file", sort=True)))


def read_rows(path: Path, name: str, rows: pd.DataFrame) -> ForeignRun:
    """Read a run from its rows of the table at ``path``.

    Raises:
        DataError: a file is missing or outside the table's folder, an epoch is there twice, or the rows of a member
            disagree on what it is.
    """
    listed = rows.to_dict("index")
    places = {line: f"{path}, line {line}" for line in listed}
    epochs = {line: whole_number(places[line], "epoch", row["epoch"]) for line, row in listed.items()}
    results = results_table((places[line], epochs[line], row) for line, row in listed.items())
    files = {}
    for line, row in listed.items():
        files[epochs[line]] = file_inside(path.parent, row["file"])
        if files[epochs[line]].suffix not in SUFFIXES:
            raise DataError(f"{places[line]}: {row['file']} is none of {', '.join(SUFFIXES)}; rename it")
    about = {}
    for column in rows.columns.difference([*NEEDED, *METRICS, *METRICS.values()]):
        values = set(rows[column])
        if len(values) > 1:
            raise DataError(f"{path}: member {name} has several values of {column} ({sorted(values)}); give it one")
        about[column] = values.pop()
    classes, part = about.get("classes") or about.get("task"), about.get("part")
    about = {column: _value(text) for column, text in about.items() if text}
    if not isinstance(about.get("member"), int):
        about.pop("member", None)
    return ForeignRun(name, about, task_classes(classes) if classes else None, part or None, results, files)


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float) else text
