"""The linear stage for whole models: flat weights <-> concatenated coefficients C_m (section 3.2.1)."""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from wsl.errors import DataError
from wsl.files.hdf5 import get_table, new_hdf5, open_hdf5, part_of, put_table
from wsl.files.opening import remedy
from wsl.files.plain import write_csv
from wsl.weights.orders import class_orders, reorder_head, reorder_task
from wsl.weights.pca import ParameterPCA
from wsl.zoo.index import open_zoo, read_weights
from wsl.zoo.layout import Layout


@dataclass
class LinearCodec:
    """PCA of all parameters, in the order of the layout."""

    parameters: list[ParameterPCA]
    layout: Layout

    @property
    def n_coefficients(self) -> int:
        """Number of coefficients of a model."""
        return sum(parameter.n_coefficients for parameter in self.parameters)

    @property
    def owners(self) -> np.ndarray:
        """Place in the layout of the parameter that each coefficient belongs to (n_coefficients,)."""
        counts = [parameter.n_coefficients for parameter in self.parameters]
        return np.repeat(np.arange(len(self.parameters)), counts)

    def _places(self) -> Iterator[tuple[ParameterPCA, slice, slice]]:
        start = 0
        for parameter, entry in zip(self.parameters, self.layout.entries, strict=True):
            yield parameter, entry.columns, slice(start, start + parameter.n_coefficients)
            start += parameter.n_coefficients

    def encode(
        self,
        read: Callable[[slice], np.ndarray],
        rows: int,
        base: np.ndarray | None = None,
        changed: Container[str] = (),
    ) -> np.ndarray:
        """Return C, float32 (rows, n_coefficients).

        Args:
            read: returns the given columns of the weights (rows, ...).
            rows: number of models.
            base: coefficients to copy, except those of the parameters in ``changed``; None: all are computed.
            changed: names of parameters.
        """
        coefficients = np.empty((rows, self.n_coefficients), dtype=np.float32) if base is None else base.copy()
        for parameter, columns, place in self._places():
            if parameter.n_coefficients and (base is None or parameter.name in changed):
                coefficients[:, place] = parameter.encode(read(columns))
        return coefficients

    def decode(self, coefficients: np.ndarray) -> np.ndarray:
        """Return flat weights, float32 (n, n_weights), of coefficients (n, n_coefficients)."""
        weights = np.empty((len(coefficients), self.layout.size), dtype=np.float32)
        for parameter, columns, place in self._places():
            weights[:, columns] = parameter.decode(coefficients[:, place])
        return weights


def load_linear(fitted: Sequence[str | Path], layout: Layout) -> LinearCodec:
    """Load the PCA files of all parameters, in the order of the layout.

    Raises:
        DataError: the files are not those of the layout, in its order.
    """
    parameters = [ParameterPCA.read(path) for path in fitted]
    names = [entry.name for entry in layout.entries]
    if [parameter.name for parameter in parameters] != names:
        first = next(iter(fitted), "no file")
        fault = f"{first} and the files with it are not the PCA of the network's named parameters"
        raise DataError(f"{fault}; {remedy(first, 'give the files of one run')}")
    return LinearCodec(parameters, layout)


def encode_part(index: str | Path, fitted: Sequence[str | Path], out: str | Path, seed: int, orders: int = 1) -> None:
    """Write the coefficients of every snapshot of an index, in one or more class orders.

    Args:
        index: of a part.
        fitted: PCA files.
        out: HDF5 file of coefficients and a table with one row each, with ``order`` (0 is the order of the task) and
            ``task`` in that order. The rows of order 0, those of the index, come first.
        seed: of the class orders.
        orders: their number.
    """
    with open_zoo(index) as zoo:
        codec = load_linear(fitted, zoo.layout)
        heads = [zoo.layout[name].columns for name in zoo.layout.head]
        coefficients, tables = [], []
        for number, order in enumerate(class_orders(zoo.layout.classes, orders, seed)):

            def read(columns: slice, order: tuple[int, ...] = order) -> np.ndarray:
                values = read_weights(zoo, columns=columns)
                return reorder_head(values, order) if columns in heads else values

            base = coefficients[0] if coefficients else None
            coefficients.append(codec.encode(read, len(zoo.snapshots), base, zoo.layout.head))
            tasks = [reorder_task(task, order) for task in zoo.snapshots["task"]]
            tables.append(zoo.snapshots.assign(task=tasks, order=number))
    with new_hdf5(out) as file:
        file.attrs["part"] = part_of(index)
        file.create_dataset("coefficients", data=np.concatenate(coefficients))
        file.create_dataset("parameter", data=codec.owners)
        put_table(file, "snapshots", pd.concat(tables, ignore_index=True))


def read_coefficients(path: str | Path) -> tuple[np.ndarray, pd.DataFrame]:
    """Read coefficients (snapshots, n_coefficients) and the table of their snapshots."""
    with open_hdf5(path) as file:
        return file["coefficients"][...], get_table(file, "snapshots")


def owners(path: str | Path, normalise: str) -> np.ndarray | None:
    """Return the place in the layout of each coefficient's parameter (n_coefficients,), from a coefficient file.

    None unless ``normalise`` is ``per-parameter``, see ``wsl.training.fitting.Standardiser.fit``.
    """
    if normalise != "per-parameter":
        return None
    with open_hdf5(path) as file:
        return file["parameter"][...]


def pca_table(fitted: Sequence[str | Path], out: str | Path) -> None:
    """Write a CSV with one row per named parameter: mode, numbers, coefficients, fraction of the variance kept."""
    rows = []
    for pca in map(ParameterPCA.read, fitted):
        about = {"parameter": pca.name, "mode": pca.mode, "numbers": len(pca.mean)}
        rows.append({**about, "coefficients": pca.n_coefficients, "explained_variance": pca.explained_variance})
    write_csv(out, pd.DataFrame(rows))
