"""Whether a zoo gives accuracies in percent or as fractions."""

from collections.abc import Sequence

from wsl.errors import DataError
from wsl.zoo.foreign.run import ForeignRun

UNITS = {"fraction": 1.0, "percent": 100.0}


def accuracy_unit(runs: Sequence[ForeignRun], asked: str = "auto") -> float:
    """Return what accuracies are to be divided by.

    Each column of each run speaks by its largest value: above 1 it is percent, else a fraction; one of zeros says
    nothing.

    Args:
        runs: of one zoo, which has one unit.
        asked: ``percent``, ``fraction``, or ``auto``: as the values say.

    Raises:
        DataError: some values say percent and others fraction, or one is beyond the unit's range.
    """
    said: dict[str, str] = {}
    for run in runs:
        for column, values in run.accuracies.items():
            if values.min() < 0 or values.max() > 100 or (asked == "fraction" and values.max() > 1):
                bad = values.min() if values.min() < 0 else values.max()
                raise DataError(
                    f"{run.name}: a {column} of {bad:g} is not an accuracy; correct it, or leave the run out by "
                    f"--leave-out {run.name}"
                )
            if values.max() > 0:
                said.setdefault("percent" if values.max() > 1 else "fraction", f"{run.name}, {column}")
    if asked == "auto" and len(said) > 1:
        raise DataError(
            f"accuracies look like percent in {said['percent']}, but like fractions in {said['fraction']}; say which "
            "they all are by --accuracies percent or --accuracies fraction"
        )
    return UNITS[next(iter(said), "fraction") if asked == "auto" else asked]
