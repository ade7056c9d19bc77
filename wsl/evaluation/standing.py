"""Whether a run's sampler is better than chance on the run's own held-out tasks."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

NEEDED = {"run", "classes", "sampler", "images", "epochs", "accuracy", "low", "high"}


def standing(run: str | Path, sampler: str, chance: float, names_alone: bool = False) -> list[dict[str, Any]]:
    """Return the accuracy of the sampler's models on the held-out tasks of its run, from ``tables/accuracy.csv``.

    Args:
        run: folder of a finished run.
        sampler: by name.
        chance: accuracy of guessing.
        names_alone: use models made from names, where the run has measured them, instead of those made from all
            training images.

    Returns:
        One entry per kind of classes, ``seen`` or ``unseen``: ``classes``, ``accuracy``, ``low`` and ``high`` (95 %,
        None where one task gives no interval), ``chance``, and ``above_chance``: whether the interval lies above it.
        Empty where the run has no such table.
    """
    path = Path(run, "tables", "accuracy.csv")
    if not path.is_file():
        return []
    table = pd.read_csv(path, dtype={"images": str})
    if not set(table.columns) >= NEEDED or table.empty:
        return []
    own = (table["run"] == table["run"].iloc[0]) & (table["sampler"] == sampler) & (table["epochs"] == 0)
    table = table[own & table["classes"].isin(["seen", "unseen"])]
    images = "0" if names_alone and (table["images"] == "0").any() else "all"
    found = []
    for row in table[table["images"] == images].to_dict("records"):
        low, high = (float(row[key]) if np.isfinite(row[key]) else None for key in ("low", "high"))
        scores = {"accuracy": float(row["accuracy"]), "low": low, "high": high}
        above = low is not None and low > chance
        found.append({"classes": row["classes"], **scores, "chance": chance, "above_chance": above})
    return found
