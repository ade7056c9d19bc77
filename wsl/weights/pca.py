"""PCA of every named parameter: Algorithm 3.1 of the thesis."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wsl.files.hdf5 import new_hdf5, open_hdf5
from wsl.jobs.job import Job
from wsl.weights.orders import class_orders, reorder_head
from wsl.weights.pca_settings import PcaSettings
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


@dataclass
class ParameterPCA:
    """The compression of one named parameter of d numbers.

    ``encode`` and ``decode`` take numpy arrays, or torch tensors where ``mean`` and ``components`` are tensors.

    Attributes:
        name: of the parameter.
        mode: ``mean`` (no coefficient), ``centred`` (d coefficients) or ``pca`` (k coefficients).
        mean: over training snapshots (d,).
        minimum: of all values of the training snapshots.
        components: orthonormal rows (k, d); empty unless the mode is ``pca``.
        variance: along each component (k,).
        total_variance: summed over the d numbers.
    """

    name: str
    mode: str
    mean: Any
    minimum: float
    components: Any
    variance: np.ndarray
    total_variance: float

    @property
    def n_coefficients(self) -> int:
        return {"mean": 0, "centred": len(self.mean), "pca": len(self.components)}[self.mode]

    @property
    def explained_variance(self) -> float:
        """Fraction of the variance that the coefficients keep; without variance 0, or 1 if centred."""
        if self.mode == "centred":
            return 1.0
        return float(self.variance.sum()) / self.total_variance if self.total_variance else 0.0

    def encode(self, values: Any) -> Any:
        """Return coefficients (n, n_coefficients) of parameter values (n, d)."""
        if self.mode == "mean":
            return values[:, :0]
        centred = values - self.mean
        return centred if self.mode == "centred" else centred @ self.components.T

    def decode(self, coefficients: Any) -> Any:
        """Return parameter values (n, d) within their bounds: V c + mu (section 3.2.1)."""
        offsets = coefficients if self.mode == "centred" else coefficients @ self.components
        return bounded(self.mean + offsets, self.name, self.minimum)

    @classmethod
    def fit(
        cls, name: str, read: Read, shape: tuple[int, int], settings: PcaSettings, seed: int = 0, device: str = "cpu"
    ) -> "ParameterPCA":
        """Return the fit of one parameter.

        Args:
            name: of the parameter.
            read: returns the given columns of the training snapshots, float32.
            shape: number of snapshots n, numbers in the parameter d.
            settings: thresholds, maximum number of components, and solver.
            seed: of the randomised solver.
            device: where ``gram`` multiplies large matrices.
        """
        rows, columns = shape
        # The smaller product matrix; both have the same trace and the same non-zero eigenvalues.
        wide = columns >= rows
        if wide:
            products, mean, minimum = gram_matrix(read, rows, columns, device)
        else:
            products, mean, minimum = scatter_matrix(read, rows, columns)
        squares = float(np.trace(products))
        mode, k = select_mode(squares / (rows * columns), columns, settings), settings.most_coefficients(columns, rows)
        if mode != "pca":
            components = Components(np.empty((0, columns), dtype=np.float32), np.empty(0))
        elif settings.solver != "gram":
            components = sklearn_components(settings.solver, read, rows, columns, k, seed)
        elif wide:
            components = gram_components(products, mean, read, k, device)
        else:
            components = scatter_components(products, rows, k)
        return cls(name, mode, mean.astype(np.float32), minimum, *components, squares / max(rows - 1, 1))

    def write(self, path: str | Path) -> None:
        """Write an HDF5 file atomically."""
        with new_hdf5(path) as file:
            file.attrs["name"], file.attrs["mode"] = self.name, self.mode
            file.attrs["total_variance"], file.attrs["minimum"] = self.total_variance, self.minimum
            for key in ("mean", "components", "variance"):
                file.create_dataset(key, data=getattr(self, key))

    @classmethod
    def read(cls, path: str | Path) -> "ParameterPCA":
        """Return what ``write`` wrote."""
        with open_hdf5(path) as file:
            arrays = {key: file[key][...] for key in ("mean", "components", "variance")}
            numbers = {key: float(file.attrs[key]) for key in ("minimum", "total_variance")}
            return cls(name=file.attrs["name"], mode=file.attrs["mode"], **arrays, **numbers)


def bounded(values: Any, name: str, minimum: float) -> Any:
    """Return decoded values of a parameter (numpy or torch), running variances not below their training minimum.

    A negative running variance makes all outputs of a network NaN.
    """
    return values.clip(min=minimum) if name.endswith("running_var") else values


def select_mode(variance: float, dimension: int, settings: PcaSettings) -> str:
    """Return the mode of Algorithm 3.1 for the mean variance and dimension of a parameter."""
    if variance < settings.variance_threshold:
        return "mean"
    return "centred" if dimension <= settings.dimension_limit else "pca"


def fit_parameters(
    index: str | Path,
    out: Sequence[str | Path],
    names: Sequence[str],
    settings: PcaSettings,
    orders: int = 1,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Fit named parameters of the snapshots of an index, that of the training members, and write one file each.

    The head is fitted on ``orders`` class orders of every snapshot. The seed of the job is that of these orders and of
    the randomised solver.
    """
    with open_zoo(index) as zoo:
        for name, path in zip(names, out, strict=True):
            fitted = ParameterPCA.fit(name, *_source(zoo, name, orders, job.seed), settings, job.seed, job.device)
            fitted.write(path)
            sizes = fitted.n_coefficients, len(fitted.mean), 100 * fitted.explained_variance
            log.info("%s: mode %s, %d coefficients for %d numbers, %.1f %% of the variance", name, fitted.mode, *sizes)


def _source(zoo: Zoo, name: str, orders: int, seed: int) -> tuple[Read, tuple[int, int]]:
    """Return a reader of columns of a parameter, and its number of rows and columns."""
    entry = zoo.layout[name]
    if name in zoo.layout.head and orders > 1:
        values = read_weights(zoo, columns=entry.columns)
        reordered = [reorder_head(values, order) for order in class_orders(entry.shape[0], orders, seed)]
        reordered = np.concatenate(reordered)
        return lambda part: reordered[:, part], reordered.shape

    def read(part: slice) -> np.ndarray:
        return read_weights(zoo, columns=slice(entry.offset + part.start, entry.offset + part.stop))

    return read, (len(zoo.weights), entry.size)
