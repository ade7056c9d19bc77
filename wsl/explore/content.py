"""The data of the page: columns of members and snapshots, neighbours, learning curves and accuracies."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from wsl.explore.points import Space, nearest, own_ranks, place
from wsl.figures.methods import KINDS, kinds_in, method, strongest_baseline
from wsl.images.reading import task_classes
from wsl.zoo.few_sets import SETS
from wsl.zoo.overview import METRICS

MOST_EPOCHS = 40_000  # of all learning curves together
HIDDEN = ("member", "task", "digest")  # columns of members that have a place of their own, or say nothing


def members_of(table: pd.DataFrame, superclasses: Mapping[str, str]) -> dict[str, Any]:
    """Return the members with their hyper-parameters, from the table of members: rows and columns of the page.

    ``task`` is the position of each member's task in ``tasks``, which are positions in ``classes``.
    """
    task_of, distinct = pd.factorize(table["task"].astype(str))
    tasks = [task_classes(task) for task in distinct]
    classes = sorted({name for task in tasks for name in task})
    positions = {name: position for position, name in enumerate(classes)}
    columns = {
        name: column(values) for name, values in table.items() if name not in HIDDEN and not str(name).endswith(METRICS)
    }
    if superclasses:
        first = [tasks[position][0] for position in task_of]
        columns["kind of the first class"] = column(pd.Series([superclasses.get(name, name) for name in first]))
    return {
        "names": [int(member) for member in table["member"]],
        "classes": classes,
        "task": task_of.tolist(),
        "tasks": [[positions[name] for name in task] for task in tasks],
        "columns": columns,
    }


def column(values: pd.Series) -> dict[str, Any]:
    """Return a column: ``number`` with its values, or ``text`` with distinct values and the position of each row's."""
    if values.dtype == bool or not pd.api.types.is_numeric_dtype(values):
        words = values.map({True: "yes", False: "no"}) if values.dtype == bool else values
        codes, distinct = pd.factorize(words.fillna("none").astype(str), sort=True)
        return {"text": list(map(str, distinct)), "values": codes.tolist()}
    return {"values": numbers(values)}


def numbers(values: Sequence[float] | np.ndarray | pd.Series, digits: int = 4) -> list[float | int | None]:
    """Return numbers with few significant digits, None for those that are not finite; integers stay integers."""
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        return array.tolist()
    short = (float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in array.tolist())
    return [value if value is None or value != int(value) else int(value) for value in short]


def snapshots_of(space: Space, members: Sequence[int], seed: int) -> dict[str, Any]:
    """Return the snapshots on the map: coordinates, columns and neighbours.

    Only trained snapshots are neighbours, since untrained members with a common start have equal weights.

    Args:
        space: the snapshots.
        members: all members of the page, in order.
        seed: of t-SNE.
    """
    table = space.snapshots
    trained = (table["epoch"] > 0).to_numpy()
    columns = {name: column(table[name]) for name in ("snapshot", "epoch", *METRICS) if name in table}
    if space.pairs is None:
        found = {"weights to weights": nearest(space.weights, space.weights, trained, same=True)}
    else:
        columns |= {name: column(values) for name, values in own_ranks(space, trained).items()}
        found = {
            "weights to pairs": nearest(space.weights, space.pairs, trained),
            "pairs to weights": nearest(space.pairs, space.weights, trained),
        }
    positions = {member: position for position, member in enumerate(members)}
    return {
        "members": [positions[member] for member in table["member"]],
        "columns": columns,
        "places": {kind: numbers(values.ravel()) for kind, values in place(space, seed).items()},
        "neighbours": {
            direction: {"count": rows.shape[1], "rows": rows.ravel().tolist(), "cosines": numbers(values.ravel())}
            for direction, (rows, values) in found.items()
        },
    }


def curves_of(history: pd.DataFrame, members: Sequence[int], most: int = MOST_EPOCHS) -> dict[str, Any]:
    """Return the learning curves of members, one after the other; ``starts`` are the positions of their first epochs.

    Long curves keep their first and last epoch and evenly spaced ones between, so that there are about ``most``.
    """
    by_member = {member: rows for member, rows in history.groupby("member")}
    each = max(2, most // max(len(members), 1))
    kept, starts = [history.iloc[:0]], [0]
    for member in members:
        rows = by_member.get(member, history.iloc[:0])
        if len(rows) > each:
            rows = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, each).round().astype(int))]
        kept.append(rows)
        starts.append(starts[-1] + len(rows))
    table = pd.concat(kept)
    return {"starts": starts, **{name: numbers(table[name]) for name in ("epoch", *METRICS) if name in table}}


def methods_of(accuracy: pd.DataFrame) -> dict[str, Any]:
    """Return the accuracies of all methods on held-out tasks, from the table of accuracies of a run.

    Returns:
        ``methods`` with their look, and ``cells``: one per kind of classes, number of images, number of epochs and
        method, with the 95 % interval and whether it is the ``strongest`` baseline of its column; and the ``unit`` of
        intervals.
    """
    table = accuracy[accuracy["run"] == accuracy["run"].iloc[0]]  # rows of other runs follow its own
    table = table[table["classes"].isin(kinds_in(set(table["classes"])))]
    cells = []
    for (kind, images, epochs), rows in table.groupby(["classes", "images", "epochs"], sort=False):
        best = strongest_baseline(dict(zip(rows["sampler"], rows["accuracy"], strict=True)))
        cells += [
            {
                "classes": KINDS[kind],
                "images": str(images),
                "epochs": int(epochs),
                "method": row.sampler,
                "numbers": numbers([row.accuracy, row.low, row.high]),
                "strongest": row.sampler == best,
            }
            for row in rows.itertuples()
        ]
    chosen = set(table.loc[table["chosen"], "sampler"])
    looks = {name: method(name) for name in dict.fromkeys(table["sampler"])}
    return {
        "methods": {
            name: {"label": look.label, "kind": look.kind, "colour": look.colour, "chosen": name in chosen}
            for name, look in looks.items()
        },
        "cells": cells,
        "unit": table["unit"].iloc[0] if "unit" in table and len(table) else SETS,
    }
