"""What a body of its own is worth for a task: accuracy gained over the best model whose body serves all tasks."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from wsl.evaluation.intervals import over_sets
from wsl.files.plain import write_csv
from wsl.zoo.few_sets import SETS

COLUMNS = ["classes", "sampler", "epochs", "accuracy", "gain", "low", "high", "tasks", "sets", "unit", "body"]


def write_specialisation(table: pd.DataFrame, out: str | Path, one_body: Sequence[str], unit: str = SETS) -> None:
    """Write how much more accurate each method is than the best method with one body for all tasks.

    The gain of the reference ``trained`` is the specialisation gap: what conditional bodies can be worth at most,
    compared with a conditional head. That best method is chosen on validation images of validation tasks.

    Args:
        table: rows of ``wsl.evaluation.protocol.judge`` with ``classes`` and ``sampler``, see ``accuracy_table``.
        out: CSV with ``classes`` (``seen`` or ``unseen``), ``sampler`` (the method), ``epochs`` of fine-tuning,
            ``accuracy``, ``gain`` with its 95 % interval ``low`` to ``high`` (of differences on the same task),
            ``tasks``, ``sets``, ``unit``, and ``body``, the method that it is compared with. All have all images.
        one_body: names of methods with ``Method.one_body``.
        unit: of intervals, see ``wsl.zoo.few_sets``.
    """
    table = table[(table["images"] == "all") & table["recalibrated"]]
    best, rows = best_body(table, one_body), []
    if best is not None:
        keys = ["classes", "task"]  # where members share tasks, one model serves all of them
        bodies = table[(table["sampler"] == best) & (table["epochs"] == 0)].groupby(keys)["accuracy"].mean()
        held_out = table[table["classes"] != "validation"].join(bodies.rename("body"), on=keys)
        held_out["gain"] = held_out["accuracy"] - held_out["body"]
        for (classes, sampler, epochs), group in held_out.groupby(["classes", "sampler", "epochs"], sort=False):
            accuracy = over_sets(group, "accuracy", "accuracy", unit)["accuracy"]
            about = {"classes": classes, "sampler": sampler, "epochs": epochs, "accuracy": accuracy}
            rows.append({**about, **over_sets(group, "gain", "gain", unit), "body": best})
    write_csv(out, pd.DataFrame(rows, columns=COLUMNS).round(4))


def best_body(table: pd.DataFrame, one_body: Sequence[str]) -> str | None:
    """Return the method with one body that is best on validation images of validation tasks; None: there is none."""
    judged = table[(table["classes"] == "validation") & (table["epochs"] == 0) & table["sampler"].isin(one_body)]
    return None if judged.empty else judged.groupby("sampler", sort=False)["accuracy"].mean().idxmax()
