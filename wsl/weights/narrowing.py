"""Fewer components of a PCA that was fitted with many: files of what an encoder on the bench keeps."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsl.files import new_hdf5, put_table
from wsl.weights.coefficients import load_linear, owners, read_coefficients
from wsl.weights.gate import choose_components, keep_components
from wsl.weights.pca import write_parameter
from wsl.zoo.index import open_zoo


def narrow(
    fitted: Sequence[str | Path],
    coefficients: Sequence[str | Path],
    train_index: str | Path,
    components: int,
    budget: int | None,
    sensitivity: str | Path | None,
    folder: Path,
) -> tuple[list[Path], list[Path]]:
    """Write PCA and coefficient files of the components that are kept, and return their paths.

    Args:
        fitted: PCA files; coefficients: of the training and of the validation part, under them.
        train_index: of the members that they were fitted to.
        components: the first of each parameter's that may be kept.
        budget, sensitivity: see ``wsl.weights.gate.gate_components``; None: all that may be are kept.
        folder: where files are written.
    """
    with open_zoo(train_index) as zoo:
        wide = load_linear(fitted, zoo.layout)
    chosen = {
        one.name: np.arange(one.n_coefficients)[: components if one.mode == "pca" else None] for one in wide.parameters
    }
    if budget is not None:
        candidates = [keep_components(one, chosen[one.name]) for one in wide.parameters]
        chosen = choose_components(candidates, budget, sensitivity)
    files = [folder / f"{one.name}.h5" for one in wide.parameters]
    for one, path in zip(wide.parameters, files, strict=True):
        write_parameter(path, keep_components(one, chosen[one.name]))
    starts = np.cumsum([0, *(one.n_coefficients for one in wide.parameters)])
    columns = np.concatenate(
        [start + chosen[one.name] for one, start in zip(wide.parameters, starts, strict=False)]
    ).astype(int)
    values = [folder / f"{name}.h5" for name in ("train", "validation")]
    for source, path in zip(coefficients, values, strict=True):
        rows, snapshots = read_coefficients(source)
        with new_hdf5(path) as file:
            file.create_dataset("coefficients", data=rows[:, columns])
            file.create_dataset("parameter", data=owners(source, "per-parameter")[columns])
            put_table(file, "snapshots", snapshots)
    return files, values
