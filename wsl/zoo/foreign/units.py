"""Whether a zoo gives accuracies in percent or as fractions."""

from collections.abc import Sequence

from wsl.errors import DataError
from wsl.zoo.foreign.run import ForeignRun

UNITS = {"fraction": 1.0, "percent": 100.0}


def accuracy_unit(runs: Sequence[ForeignRun], asked: str = "auto") -> float:
    """Return the divisor that turns accuracies into fractions.

    The largest value of each column of each run decides: above 1 means percent, otherwise fractions; columns of zeros
    are ignored.

    Args:
        runs: of one zoo, which has one unit.
        asked: ``percent``, ``fraction``, or ``auto`` to decide by the values.

    Raises:
        DataError: values contradict each other, or one is out of the unit's range.
    """
    seen: dict[str, str] = {}
    for run in runs:
        for column, values in run.accuracies.items():
            if values.min() < 0 or values.max() > 100 or (asked == "fraction" and values.max() > 1):
                bad = values.min() if values.min() < 0 else values.max()
                raise DataError(
                    f"{run.name}: a {column} of {bad:g} is not an accuracy; correct it, or leave the run out by "
                    f"--leave-out {run.name}"
                )
            if values.max() > 0:
                seen.setdefault("percent" if values.max() > 1 else "fraction", f"{run.name}, {column}")
    if asked == "auto" and len(seen) > 1:
        raise DataError(
            f"accuracies look like percent in {seen['percent']}, but like fractions in {seen['fraction']}; say which "
            "they all are by --accuracies percent or --accuracies fraction"
        )
    return UNITS[next(iter(seen), "fraction") if asked == "auto" else asked]
