"""Per-named-parameter PCA: Algorithm 3.1 of the thesis, one named parameter at a time."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsl.files import new_hdf5, open_hdf5
from wsl.weights.orders import class_orders, reorder_head
from wsl.weights.solvers import (
    Components,
    Read,
    gram_components,
    gram_matrix,
    scatter_components,
    scatter_matrix,
    sklearn_components,
)
from wsl.zoo.index import Zoo, open_zoo, read_weights

log = logging.getLogger(__name__)
MODES = ("mean", "centred", "pca")


@dataclass
class ParameterPCA:
    """How one named parameter of d numbers is compressed.

    Attributes:
        name: of the parameter.
        mode: ``mean`` (no coefficient), ``centred`` (d coefficients) or ``pca`` (k coefficients).
        mean: over training snapshots (d,).
        minimum: smallest of the training snapshots' values.
        components: orthonormal rows (k, d); empty unless the mode is ``pca``.
        variance: along each component (k,).
        total_variance: summed over the d numbers.
    """

    name: str
    mode: str
    mean: np.ndarray
    minimum: float
    components: np.ndarray
    variance: np.ndarray
    total_variance: float

    @property
    def n_coefficients(self) -> int:
        return {"mean": 0, "centred": len(self.mean), "pca": len(self.components)}[self.mode]

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return coefficients (n, n_coefficients) of parameter values (n, d)."""
        if self.mode == "mean":
            return np.empty((len(values), 0), dtype=np.float32)
        centred = values - self.mean
        return centred if self.mode == "centred" else centred @ self.components.T

    def decode(self, coefficients: np.ndarray) -> np.ndarray:
        """Return parameter values (n, d): V c + mu (section 3.2.1); variances at least the training minimum."""
        if self.mode == "mean":
            return np.broadcast_to(self.mean, (len(coefficients), len(self.mean)))
        values = self.mean + (coefficients if self.mode == "centred" else coefficients @ self.components)
        # A linear map knows no bounds, and a negative running variance makes every output of the network NaN.
        return np.maximum(values, self.minimum) if self.name.endswith("running_var") else values


def select_mode(variance: float, dimension: int, variance_threshold: float, dimension_limit: int) -> str:
    """Return the mode of Algorithm 3.1 for a parameter's mean variance and dimension."""
    if variance < variance_threshold:
        return "mean"
    return "centred" if dimension <= dimension_limit else "pca"


def fit_pca(
    name: str,
    read: Read,
    rows: int,
    columns: int,
    variance_threshold: float,
    dimension_limit: int,
    components: int,
    explained_variance: float = 1.0,
    solver: str = "gram",
    seed: int = 0,
    device: str = "cpu",
) -> ParameterPCA:
    """Fit one parameter.

    Args:
        name: of the parameter.
        read: returns the asked columns of the training snapshots (rows, columns), float32.
        rows: number of snapshots, n.
        columns: numbers in the parameter, d.
        variance_threshold: VARIANCE_THRESHOLD on the variance averaged over the d numbers.
        dimension_limit: DIMENSION_LIMIT.
        components: most components; never more than n - 1 or d.
        explained_variance: keep no more components than explain this share.
        solver: see ``wsl.weights.solvers``.
        seed: for the randomised solver.
        device: ``cuda`` multiplies the large matrices of ``gram`` there.
    """
    # Whichever is smaller; both have the same trace and the same non-zero eigenvalues.
    wide = columns >= rows
    if wide:
        products, mean, minimum = gram_matrix(read, rows, columns, device)
    else:
        products, mean, minimum = scatter_matrix(read, rows, columns)
    squares = float(np.trace(products))
    total = squares / max(rows - 1, 1)
    mode = select_mode(squares / (rows * columns), columns, variance_threshold, dimension_limit)
    found = Components(np.empty((0, columns), dtype=np.float32), np.empty(0))
    if mode == "pca":
        k = min(components, rows - 1, columns)
        if solver == "gram" and wide:
            found = gram_components(products, mean, read, k, device)
        elif solver == "gram":
            found = scatter_components(products, rows, k)
        else:
            found = sklearn_components(solver, read, rows, columns, k, seed)
        if explained_variance < 1:
            share = np.cumsum(found.variance) / total
            enough = int(np.searchsorted(share, explained_variance)) + 1
            found = Components(found.components[:enough], found.variance[:enough])
    return ParameterPCA(name, mode, mean.astype(np.float32), minimum, found.components, found.variance, total)


def fit_parameters(
    index: str | Path,
    out: Sequence[str | Path],
    names: Sequence[str],
    seed: int,
    orders: int = 1,
    device: str = "cpu",
    **settings: float | int | str,
) -> None:
    """Fit named parameters of the training snapshots behind ``index`` and write a file each.

    With ``orders`` above 1 the head's parameters are fitted over so many class orders of every snapshot.
    """
    with open_zoo(index) as zoo:
        for name, path in zip(names, out, strict=True):
            fitted = _fit_one(zoo, name, orders, seed, device=device, **settings)
            write_parameter(path, fitted)
            log.info(
                "%s: mode %s, %d coefficients for %d numbers, %.1f %% of the variance",
                name,
                fitted.mode,
                fitted.n_coefficients,
                len(fitted.mean),
                100 * fitted.variance.sum() / fitted.total_variance if fitted.total_variance else 0,
            )


def _fit_one(zoo: Zoo, name: str, orders: int, seed: int, **settings: float | int | str) -> ParameterPCA:
    entry, rows = zoo.layout[name], len(zoo.weights)
    if name in zoo.layout.head and orders > 1:
        own = read_weights(zoo, columns=entry.columns)
        used = class_orders(entry.shape[0], orders, seed)
        reordered = np.concatenate([reorder_head(own, order) for order in used])
        return fit_pca(name, lambda part: reordered[:, part], len(reordered), entry.size, seed=seed, **settings)

    def read(part: slice) -> np.ndarray:
        return read_weights(zoo, columns=slice(entry.offset + part.start, entry.offset + part.stop))

    return fit_pca(name, read, rows, entry.size, seed=seed, **settings)


def write_parameter(path: str | Path, fitted: ParameterPCA) -> None:
    """Write a fitted parameter, whole or not at all."""
    with new_hdf5(path) as file:
        file.attrs["name"], file.attrs["mode"] = fitted.name, fitted.mode
        file.attrs["total_variance"], file.attrs["minimum"] = fitted.total_variance, fitted.minimum
        for key in ("mean", "components", "variance"):
            file.create_dataset(key, data=getattr(fitted, key))


def read_parameter(path: str | Path) -> ParameterPCA:
    """Read a fitted parameter."""
    with open_hdf5(path) as file:
        arrays = {key: file[key][...] for key in ("mean", "components", "variance")}
        numbers = {key: float(file.attrs[key]) for key in ("minimum", "total_variance")}
        return ParameterPCA(name=file.attrs["name"], mode=file.attrs["mode"], **arrays, **numbers)
