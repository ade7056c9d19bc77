"""Selection of principal components: by a budget for all parameters together, or the first of each (the bench)."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from wsl.errors import DataError
from wsl.files.hdf5 import new_hdf5, put_table
from wsl.weights.coefficients import load_linear, owners, read_coefficients
from wsl.weights.pca import ParameterPCA
from wsl.zoo.index import open_zoo

log = logging.getLogger(__name__)


def gate_components(
    fitted: Sequence[str | Path], out: Sequence[str | Path], budget: int, sensitivity: str | Path | None = None
) -> None:
    """Write the PCA of every parameter with only the components that a budget selects.

    Args:
        fitted: PCA files.
        out: PCA files to write, in the same order.
        budget: coefficients per model, with those of parameters that are only centred, which are always kept.
        sensitivity: CSV of effects on outputs, by which components are ranked; None: by variance.

    Raises:
        DataError: the budget is smaller than the number of coefficients that are always kept.
    """
    parameters = [ParameterPCA.read(path) for path in fitted]
    chosen = choose_components(parameters, budget, sensitivity)
    for parameter, path in zip(parameters, out, strict=True):
        keep_components(parameter, chosen[parameter.name]).write(path)
    log.info("%d of %d coefficients kept", budget, sum(parameter.n_coefficients for parameter in parameters))


def choose_components(
    parameters: Sequence[ParameterPCA], budget: int, sensitivity: str | Path | None = None
) -> dict[str, np.ndarray]:
    """Return the places, in order, of each parameter's coefficients that are kept; see ``gate_components``."""
    chosen = {pca.name: np.arange(pca.n_coefficients) for pca in parameters if pca.mode != "pca"}
    centred = sum(map(len, chosen.values()))
    if centred >= budget:
        raise DataError(f"weights.budget: {budget} coefficients, but {centred} numbers are only centred; raise it")
    worths = {pca.name: pca.variance for pca in parameters if pca.mode == "pca"}
    if sensitivity is not None:
        for name, rows in pd.read_csv(sensitivity).groupby("parameter"):
            worths[name] = rows.sort_values("component")["effect"].to_numpy()[: len(worths[name])]
    return chosen | best_components(worths, budget - centred)


def best_components(worths: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """Return the places, in order, of each parameter's components among the ``count`` of largest worth overall."""
    names = np.repeat(list(worths), [len(values) for values in worths.values()])
    places = np.concatenate([np.arange(len(values)) for values in worths.values()])
    # Stable, so that ties are broken in the same way on all machines.
    best = np.argsort(-np.concatenate(list(worths.values())), kind="stable")[:count]
    return {name: np.sort(places[best][names[best] == name]) for name in worths}


def keep_components(parameter: ParameterPCA, places: np.ndarray) -> ParameterPCA:
    """Return a PCA with only the components at ``places``; those of other modes are returned unchanged."""
    if parameter.mode != "pca":
        return parameter
    return replace(parameter, components=parameter.components[places], variance=parameter.variance[places])


def narrow(
    fitted: Sequence[str | Path],
    coefficients: Sequence[str | Path],
    train_index: str | Path,
    components: int,
    budget: int | None,
    sensitivity: str | Path | None,
    folder: Path,
) -> tuple[list[Path], list[Path]]:
    """Write PCA and coefficient files (training, validation) with fewer components to a folder; return their paths.

    ``components`` is the maximum number per parameter. ``budget`` and ``sensitivity`` are those of ``gate_components``;
    no budget: None.
    """
    with open_zoo(train_index) as zoo:
        wide = load_linear(fitted, zoo.layout).parameters
    chosen = {pca.name: np.arange(pca.n_coefficients)[: components if pca.mode == "pca" else None] for pca in wide}
    if budget is not None:
        candidates = [keep_components(pca, chosen[pca.name]) for pca in wide]
        chosen = choose_components(candidates, budget, sensitivity)
    files = [folder / f"{pca.name}.h5" for pca in wide]
    for pca, path in zip(wide, files, strict=True):
        keep_components(pca, chosen[pca.name]).write(path)
    columns = np.concatenate([np.isin(np.arange(pca.n_coefficients), chosen[pca.name]) for pca in wide])
    values = [folder / f"{name}.h5" for name in ("train", "validation")]
    for source, path in zip(coefficients, values, strict=True):
        rows, snapshots = read_coefficients(source)
        with new_hdf5(path) as file:
            file.create_dataset("coefficients", data=rows[:, columns])
            file.create_dataset("parameter", data=owners(source, "per-parameter")[columns])
            put_table(file, "snapshots", snapshots)
    return files, values
