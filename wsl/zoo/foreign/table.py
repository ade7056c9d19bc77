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
from pathlib import Path
from typing import Any

import pandas as pd

from wsl.errors import DataError
from wsl.files.plain import file_inside
from wsl.files.text import read_text
from wsl.images.reading import task_classes
from wsl.zoo.foreign.leaving_out import NOTHING, LeaveOut
from wsl.zoo.foreign.run import METRICS, ForeignRun, results_table, whole_number

NEEDED = ("file", "epoch")
TEXT = {"file", "member", "classes", "task", "part"}  # a comma in them is not a decimal mark
SUFFIXES = (".pt", ".pth", ".safetensors")
JOINED = "by the rows of {}"


def read_table(path: Path, leave_out: LeaveOut = NOTHING) -> dict[str, pd.DataFrame]:
    """Return the rows of each member, as text, by its name; the index is the line of the file.

    Columns are separated by commas, semicolons or tabs. Where they are not separated by commas, numbers may have
    decimal commas.

    Args:
        path: the CSV.
        leave_out: members and files to leave out.

    Raises:
        DataError: the table is damaged, lacks a column, or names a file twice.
    """
    table = _rows(path)
    unwanted = [row["file"] in leave_out or row.get("member", "") in leave_out for _, row in table.iterrows()]
    table = table[[not one for one in unwanted]]
    if table.empty:
        raise DataError(f"{path}: --leave-out leaves nothing of it; name less")
    twice = table.index[table["file"].map(os.path.normpath).duplicated()]
    if len(twice):
        raise DataError(f"{path}, line {twice[0]}: {table['file'][twice[0]]} is named twice; take one of the lines out")
    return dict(tuple(table.groupby("member" if "member" in table else "file", sort=True)))


def _rows(path: Path) -> pd.DataFrame:
    """Return all rows of a CSV, as text; the index is the line of the file."""
    text = read_text(path)
    first = next((line for line in text.split("\n") if line.strip()), "")
    separator = max(",;\t", key=lambda one: len(set(NEEDED) & {name.strip(' "') for name in first.split(one)}))
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
    (_, columns), *rest = rows.items()
    unnamed = {place for place, name in enumerate(columns) if not name or name.startswith("Unnamed: ")}
    labels = unnamed & {0}  # of rows, which pandas writes unasked
    named = [place for place in range(len(columns)) if place not in unnamed]
    for line, row in rest:
        if any(cell for place, cell in enumerate(row) if place not in named and place not in labels):
            raise DataError(
                f"{path}, line {line}: it has {len(row)} values, and the header {len(columns)} names; name every "
                "column, and quote values that hold a separator"
            )
    wanted = [columns[place] for place in named]
    if len(set(wanted)) < len(wanted):
        name = next(name for name in wanted if wanted.count(name) > 1)
        raise DataError(f"{path}: two columns are called {name}; rename one")
    if lacking := [column for column in NEEDED if column not in wanted]:
        raise DataError(f"{path} has no column {' or '.join(lacking)}; add it")
    values = {line: {columns[place]: row[place] if place < len(row) else "" for place in named} for line, row in rest}
    table = pd.DataFrame(list(values.values()), index=list(values), columns=wanted, dtype=str)
    if separator != ",":
        for column in table.columns.difference(list(TEXT)):
            table[column] = table[column].str.replace(r"^([-+]?\d*),(\d+([eE][-+]?\d+)?)$", r"\1.\2", regex=True)
    return table


def read_rows(path: Path, name: str, rows: pd.DataFrame) -> ForeignRun:
    """Read a run from its rows of a table.

    Args:
        path: the table's.
        name: of the run.
        rows: as ``read_table`` returns them.

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
    names = task_classes(classes) if classes else None
    return ForeignRun(name, about, names, part or None, results, files, JOINED.format(path.name))


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float) else text
