"""Spend a budget of components where it is worth most, in place of as many for each named parameter."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from wsl.errors import DataError
from wsl.weights.pca import ParameterPCA, read_parameter, write_parameter

log = logging.getLogger(__name__)


def gate_components(
    fitted: Sequence[str | Path], out: Sequence[str | Path], budget: int, sensitivity: str | Path | None = None
) -> None:
    """Write the PCA of every parameter again, with the components that a budget is best spent on.

    Args:
        fitted: PCA files; out: as many files to write, in their order.
        budget: coefficients a model; those of parameters that are only centred count, and are always kept.
        sensitivity: CSV, see ``wsl.weights.sensitivity``: components of the largest effects on outputs are kept; None:
            those of the largest variances.

    Raises:
        DataError: the budget does not hold what is only centred.
    """
    parameters = [read_parameter(path) for path in fitted]
    centred = sum(parameter.n_coefficients for parameter in parameters if parameter.mode != "pca")
    if budget <= centred:
        raise DataError(f"weights.budget: {budget} coefficients, but {centred} numbers are only centred; raise it")
    worths = {parameter.name: parameter.variance for parameter in parameters if parameter.mode == "pca"}
    if sensitivity is not None:
        for name, own in pd.read_csv(sensitivity).groupby("parameter"):
            worths[name] = own.sort_values("component")["effect"].to_numpy()
    chosen = best_components(worths, budget - centred)
    for parameter, path in zip(parameters, out, strict=True):
        write_parameter(path, keep_components(parameter, chosen.get(parameter.name)))
    kept = sum(len(places) for places in chosen.values())
    log.info("%d of %d components kept", kept, sum(map(len, worths.values())))


def best_components(worths: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """Return the places, in order, of each parameter's components among the ``count`` of largest worth of all."""
    names = np.repeat(list(worths), [len(own) for own in worths.values()])
    places = np.concatenate([np.arange(len(own)) for own in worths.values()])
    # Stable, so that equal worths leave the same choice everywhere.
    best = np.argsort(-np.concatenate(list(worths.values())), kind="stable")[:count]
    return {name: np.sort(places[best][names[best] == name]) for name in worths}


def keep_components(parameter: ParameterPCA, places: np.ndarray | None) -> ParameterPCA:
    """Return a parameter's PCA with the components at ``places`` alone; None: as it is."""
    if places is None:
        return parameter
    return replace(parameter, components=parameter.components[places], variance=parameter.variance[places])
