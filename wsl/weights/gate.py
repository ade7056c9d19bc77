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
    chosen = choose_components(parameters, budget, sensitivity)
    for parameter, path in zip(parameters, out, strict=True):
        write_parameter(path, keep_components(parameter, chosen[parameter.name]))
    log.info("%d of %d coefficients kept", budget, sum(parameter.n_coefficients for parameter in parameters))


def choose_components(
    parameters: Sequence[ParameterPCA], budget: int, sensitivity: str | Path | None = None
) -> dict[str, np.ndarray]:
    """Return the places of the coefficients of each parameter that are kept, in order; see ``gate_components``."""
    centred = {one.name: np.arange(one.n_coefficients) for one in parameters if one.mode != "pca"}
    rest = budget - sum(map(len, centred.values()))
    if rest <= 0:
        raise DataError(
            f"weights.budget: {budget} coefficients, but {budget - rest} numbers are only centred; raise it"
        )
    worths = {one.name: one.variance for one in parameters if one.mode == "pca"}
    if sensitivity is not None:
        for name, own in pd.read_csv(sensitivity).groupby("parameter"):
            worths[name] = own.sort_values("component")["effect"].to_numpy()[: len(worths[name])]
    return {**centred, **best_components(worths, rest)}


def best_components(worths: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """Return the places, in order, of each parameter's components among the ``count`` of largest worth of all."""
    names = np.repeat(list(worths), [len(own) for own in worths.values()])
    places = np.concatenate([np.arange(len(own)) for own in worths.values()])
    # Stable, so that equal worths leave the same choice everywhere.
    best = np.argsort(-np.concatenate(list(worths.values())), kind="stable")[:count]
    return {name: np.sort(places[best][names[best] == name]) for name in worths}


def keep_components(parameter: ParameterPCA, places: np.ndarray) -> ParameterPCA:
    """Return a parameter's PCA with the components at ``places`` alone; as it is where it has none to choose from."""
    if parameter.mode != "pca":
        return parameter
    return replace(parameter, components=parameter.components[places], variance=parameter.variance[places])
