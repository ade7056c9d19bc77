"""The linear stage for whole models: flat weights <-> concatenated coefficients C_m (section 3.2.1)."""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from wsl.errors import DataError
from wsl.files import get_table, new_hdf5, open_hdf5, part_of, put_table, write_csv
from wsl.remaking import remedy
from wsl.weights.orders import class_orders, reorder_head, reorder_task
from wsl.weights.pca import ParameterPCA, read_parameter
from wsl.zoo.index import open_zoo, read_weights
from wsl.zoo.layout import Layout


@dataclass
class LinearCodec:
    """Every parameter's PCA, in the order of the layout."""

    parameters: list[ParameterPCA]
    layout: Layout

    @property
    def n_coefficients(self) -> int:
        return sum(parameter.n_coefficients for parameter in self.parameters)

    @property
    def owners(self) -> np.ndarray:
        """The place in the layout of the parameter that each coefficient belongs to (n_coefficients,)."""
        return np.repeat(np.arange(len(self.parameters)), [one.n_coefficients for one in self.parameters])

    def _places(self) -> Iterator[tuple[ParameterPCA, slice, slice]]:
        start = 0
        for parameter, entry in zip(self.parameters, self.layout.entries, strict=True):
            yield parameter, entry.columns, slice(start, start + parameter.n_coefficients)
            start += parameter.n_coefficients

    def encode(
        self, read: Callable[[slice], np.ndarray], rows: int, base: np.ndarray | None = None, anew: Container[str] = ()
    ) -> np.ndarray:
        """Return C, float32 (rows, n_coefficients).

        Args:
            read: returns the asked columns of the weights (rows, ...).
            rows: how many.
            base: coefficients to take over, save those of the parameters named in ``anew``; None: all are computed.
            anew: names of parameters.
        """
        coefficients = np.empty((rows, self.n_coefficients), dtype=np.float32) if base is None else base.copy()
        for parameter, columns, place in self._places():
            if parameter.n_coefficients and (base is None or parameter.name in anew):
                coefficients[:, place] = parameter.encode(read(columns))
        return coefficients

    def decode(self, coefficients: np.ndarray) -> np.ndarray:
        """Return flat weights, float32 (n, n_weights), of coefficients (n, n_coefficients)."""
        weights = np.empty((len(coefficients), self.layout.size), dtype=np.float32)
        for parameter, columns, place in self._places():
            weights[:, columns] = parameter.decode(coefficients[:, place])
        return weights


def load_linear(fitted: Sequence[str | Path], layout: Layout) -> LinearCodec:
    """Load every parameter's file.

    Raises:
        DataError: the files are not those of ``layout``, in its order.
    """
    parameters = [read_parameter(path) for path in fitted]
    names = [entry.name for entry in layout.entries]
    if [parameter.name for parameter in parameters] != names:
        first = next(iter(fitted), "no file")
        fault = f"{first} and the files with it are not the PCA of the network's named parameters"
        raise DataError(f"{fault}; {remedy(first, 'give the files of one run')}")
    return LinearCodec(parameters, layout)


def encode_part(index: str | Path, fitted: Sequence[str | Path], out: str | Path, seed: int, orders: int = 1) -> None:
    """Write the coefficients of every snapshot of an index, in several class orders where asked for.

    The table beside them has a row each, with ``order`` (0 is the task's own) and ``task`` in that order; all
    snapshots in their own order come first, as they stand in the index.
    """
    with open_zoo(index) as zoo:
        codec = load_linear(fitted, zoo.layout)
        heads = [zoo.layout[name].columns for name in zoo.layout.head]
        coefficients, tables = [], []
        for number, order in enumerate(class_orders(zoo.layout.classes, orders, seed)):

            def read(columns: slice, order: tuple[int, ...] = order) -> np.ndarray:
                values = read_weights(zoo, columns=columns)
                return reorder_head(values, order) if columns in heads else values

            if number == 0:
                coefficients.append(codec.encode(read, len(zoo.snapshots)))
            else:
                coefficients.append(codec.encode(read, len(zoo.snapshots), coefficients[0], set(zoo.layout.head)))
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
    """Read which named parameter each coefficient belongs to (n_coefficients,), where ``normalise`` wants to know.

    See ``wsl.fitting.Standardiser.fit``. Parameters are named by their places in the layout.
    """
    if normalise != "per-parameter":
        return None
    with open_hdf5(path) as file:
        return file["parameter"][...]


def pca_table(fitted: Sequence[str | Path], out: str | Path) -> None:
    """Write a row a named parameter: mode, numbers, coefficients, share of the variance kept."""
    rows = []
    for path in fitted:
        with open_hdf5(path) as file:
            mode, total = file.attrs["mode"], float(file.attrs["total_variance"])
            numbers = len(file["mean"])
            kept = {"mean": 0.0, "centred": 1.0, "pca": float(file["variance"][...].sum()) / total if total else 0.0}
            count = {"mean": 0, "centred": numbers, "pca": len(file["variance"])}
            rows.append(
                {
                    "parameter": file.attrs["name"],
                    "mode": mode,
                    "numbers": numbers,
                    "coefficients": count[mode],
                    "explained_variance": kept[mode],
                }
            )
    write_csv(out, pd.DataFrame(rows))
