"""The accuracies at the top of the report: the chosen sampler and the strongest baseline, and all methods by rank."""

from typing import Any

from wsl.figures.methods import KINDS, method, strongest_baseline


def kinds_of(numbers: dict[str, Any]) -> list[str]:
    """Return the kinds of held-out tasks in a summary: ``seen``, ``unseen`` or both."""
    return [kind for kind in KINDS if kind in numbers["accuracy"]]


def tiles(numbers: dict[str, Any], sets: dict[str, int]) -> list[dict[str, Any]]:
    """Return one tile per kind of held-out tasks: the chosen sampler and the strongest baseline, the better one first.

    Args:
        numbers: the summary, see ``wsl.evaluation.tables.write_summary``.
        sets: number of independent sets of classes by kind, for a summary without these numbers.
    """
    content = []
    for kind in kinds_of(numbers):
        accuracies = numbers["accuracy"][kind]
        roles = {numbers["chosen_sampler"]: "chosen sampler", strongest_baseline(accuracies): "strongest baseline"}
        methods = [
            {"label": method(name).label, "role": role, "accuracy": accuracies[name]}
            for name, role in roles.items()
            if name is not None
        ]
        content.append(
            {
                "title": KINDS[kind],
                "sets": numbers.get("sets", sets).get(kind),
                "methods": sorted(methods, key=lambda entry: -entry["accuracy"]),
                "trained": accuracies.get("trained"),
            }
        )
    return content


def ranking(numbers: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all methods, the most accurate on seen classes first: label, colour, kind, one cell per kind of tasks."""
    kinds = kinds_of(numbers)
    names = dict.fromkeys(name for kind in kinds for name in numbers["accuracy"][kind])
    intervals = numbers.get("accuracy_intervals", {})
    return [
        {
            "label": method(name).label,
            "colour": method(name).colour,
            "kind": method(name).kind,
            "chosen": name == numbers["chosen_sampler"],
            "cells": [_cell(numbers["accuracy"][kind].get(name), intervals.get(kind, {}).get(name)) for kind in kinds],
        }
        for name in sorted(names, key=lambda name: [-numbers["accuracy"][kind].get(name, -1) for kind in kinds])
    ]


def _cell(accuracy: float | None, interval: list[float | None] | None) -> str:
    if accuracy is None:
        return ""
    known = interval is not None and None not in interval
    return f"{accuracy:.1%}" + (f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})" if known else "")
