"""Zoos of state dicts with one CSV that describes each file.

One row per file. ``file`` (a path in the zoo's folder), ``epoch``, and results named as in
``wsl.zoo.foreign.run.METRICS`` are required. ``member`` groups the snapshots of one training run; without it each file
is a separate run. ``classes``, or ``task``, holds names joined by ``/``, in the order of the head's rows; ``part`` is
the part of the run; ``activation`` is the network's. Every other column is a hyper-parameter.
"""

import csv
import io
import json
import os
from contextlib import suppress
from pathlib import Path

import pandas as pd

from wsl.errors import DataError
from wsl.files.plain import file_inside
from wsl.files.text import read_text
from wsl.images.reading import task_classes
from wsl.zoo.foreign.run import METRICS, NOTHING, ForeignRun, LeaveOut, results_table, whole_number

NEEDED = ("file", "epoch")
TEXT = {"file", "member", "classes", "task", "part"}  # a comma in them is not a decimal mark


def read_table(path: Path, leave_out: LeaveOut = NOTHING) -> dict[str, pd.DataFrame]:
    """Return the rows of each member in a CSV, as text, by its name; the index is the line of the file.

    Columns are separated by commas, semicolons or tabs. If they are not separated by commas, numbers may have decimal
    commas.

    Raises:
        DataError: the table is damaged, lacks a column, or names a file twice.
    """
    table = _rows(path)
    unwanted = [row["file"] in leave_out or row.get("member", "") in leave_out for _, row in table.iterrows()]
    table = table[[not left_out for left_out in unwanted]]
    if table.empty:
        raise DataError(f"{path}: --leave-out leaves nothing of it; name less")
    twice = table["file"][table["file"].map(os.path.normpath).duplicated()]
    if len(twice):
        raise DataError(f"{path}, line {twice.index[0]}: {twice.iloc[0]} is named twice; take one of the lines out")
    return dict(tuple(table.groupby("member" if "member" in table else "file", sort=True)))


def _rows(path: Path) -> pd.DataFrame:
    text = read_text(path)
    first = next((line for line in text.split("\n") if line.strip()), "")
    separator = max(",;\t", key=lambda mark: len(set(NEEDED) & {name.strip(' "') for name in first.split(mark)}))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: dict[int, list[str]] = {}
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows[reader.line_num] = [cell.strip() for cell in row]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: it cannot be read as CSV ({error}); correct it") from error
    if len(rows) < 2:
        raise DataError(f"{path} cannot be read as CSV: it has no rows below its header; give a row per file")
    (_, columns), *lines = rows.items()
    named = {place: name for place, name in enumerate(columns) if name and not name.startswith("Unnamed: ")}
    for line, row in lines:
        if any(row[place] for place in range(1, len(row)) if place not in named):  # pandas may write labels at place 0
            raise DataError(
                f"{path}, line {line}: it has {len(row)} values, and the header {len(columns)} names; name every "
                "column, and quote values that hold a separator"
            )
    names = list(named.values())
    if repeated := [name for name in names if names.count(name) > 1]:
        raise DataError(f"{path}: two columns are called {repeated[0]}; rename one")
    if lacking := [column for column in NEEDED if column not in names]:
        raise DataError(f"{path} has no column {' or '.join(lacking)}; add it")
    values = [[row[place] if place < len(row) else "" for place in named] for _, row in lines]
    table = pd.DataFrame(values, index=[line for line, _ in lines], columns=names, dtype=str)
    if separator != ",":
        for column in table.columns.difference(list(TEXT)):
            table[column] = table[column].str.replace(r"^([-+]?\d*),(\d+([eE][-+]?\d+)?)$", r"\1.\2", regex=True)
    return table


def read_rows(path: Path, name: str, rows: pd.DataFrame) -> ForeignRun:
    """Return a run from its rows of a table, see ``read_table``.

    Raises:
        DataError: a file is missing or outside the table's folder, an epoch is there twice, or the rows of a member
            disagree on what it is.
    """
    placed = [(f"{path}, line {line}", row) for line, row in rows.to_dict("index").items()]
    epochs = [(place, whole_number(place, "epoch", row["epoch"]), row) for place, row in placed]
    results = results_table(epochs)
    files = {}
    for _, epoch, row in epochs:
        files[epoch] = file_inside(path.parent, row["file"])
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
    names = task_classes(classes) if classes else None
    return ForeignRun(name, about, names, part or None, results, files, f"by the rows of {path.name}")


def _value(text: str) -> str | float:
    with suppress(ValueError):
        if isinstance(value := json.loads(text), int | float):
            return value
    return text
