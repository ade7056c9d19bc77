"""Whether batches that cohorts share change a statistic of a zoo: two zoos that differ only in ``zoo.batches``.

Final validation losses and accuracies, training losses, and norms of weights of the members are compared by the
two-sample Kolmogorov-Smirnov test, and their means and spreads are shown. ``cohort share`` is the share of the variance
that cohorts explain (intraclass correlation, from a one-way analysis of variance; 0: members of one cohort are as
different as others). Large p-values do not prove equality: the columns of means and spreads bound the difference.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from scipy.stats import ks_2samp
from side_by_side import report
from zoos import draw_pictures, member_plan, pack

from wsl.zoo.cohort import train_cohort
from wsl.zoo.member import read_members
from wsl.zoo.settings import MemberTraining

SIZE, COHORT = 28, 10
RECIPE = {"optimizer": "adam", "learning_rate": 3e-3, "weight_decay": 0.0, "batch_size": 32}
VALUES = ("validation_loss", "validation_accuracy", "train_loss")


def zoo(folder: Path, kind: str, count: int, epochs: int) -> dict[str, np.ndarray]:
    """Train a zoo and return values by name, (cohorts, members per cohort)."""
    rows = []
    for cohort in range(count // COHORT):
        first = cohort * COHORT + (0 if kind == "own" else count)  # other members than those of the other zoo
        recipe = {**RECIPE, "epochs": epochs, "batches": kind}
        plans = [member_plan(folder, seed, recipe) for seed in range(first, first + COHORT)]
        if kind == "cohort":
            plans = [{**plan, "batch_seed": 10**6 + cohort} for plan in plans]
        out = folder / f"{kind}-{first}.h5"
        settings = MemberTraining(architecture={"name": "cnn-small"}, augment=True)
        train_cohort([folder / f"{name}.h5" for name in plans[0]["classes"]], out, plans, settings)
        for member in read_members(out):
            values = {name: float(member.history[name].iloc[-1]) for name in VALUES}
            rows.append({**values, "norm_of_weights": float(np.linalg.norm(member.weights[-1]))})
    return {name: np.reshape([row[name] for row in rows], (-1, COHORT)) for name in rows[0]}


def cohort_share(values: np.ndarray) -> float:
    """Return the intraclass correlation of values (cohorts, members)."""
    count = values.shape[1]
    between = count * values.mean(1).var(ddof=1)
    within = values.var(1, ddof=1).mean()
    return float((between - within) / (between + (count - 1) * within))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=300, help="of each zoo")
    parser.add_argument("--epochs", type=int, default=6)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        draw_pictures(folder, SIZE)
        pack(folder, SIZE)
        zoos = {kind: zoo(folder, kind, given.members, given.epochs) for kind in ("own", "cohort")}
    rows = []
    for name in zoos["own"]:
        own, shared = (zoos[kind][name] for kind in ("own", "cohort"))
        test = ks_2samp(own.ravel(), shared.ravel())
        rows.append(
            {"value": name, "mean, own": own.mean(), "mean, cohort": shared.mean()}
            | {"spread, own": own.std(), "spread, cohort": shared.std()}
            | {"cohort share, own": cohort_share(own), "cohort share, cohort": cohort_share(shared)}
            | {"KS": float(test.statistic), "p": float(test.pvalue)}
        )
    report("batches", rows, {"members": given.members, "epochs": given.epochs, "recipe": RECIPE})
