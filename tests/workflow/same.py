"""Whether two runs made the same."""

from pathlib import Path

import h5py
import numpy as np


def made_files(results: Path) -> dict[str, Path]:
    """Return all files of a run by their paths in it, logs and benchmarks apart."""
    found = {path.relative_to(results).as_posix(): path for path in results.rglob("*") if path.is_file()}
    return {name: path for name, path in found.items() if name.split("/")[0] not in ("logs", "benchmarks")}


def contents(path: Path):
    """Return what a file holds: text, or arrays with their types, by name."""
    if path.suffix != ".h5":
        return path.read_bytes()
    found = {}

    def keep(name, item):
        found[name, "attributes"] = {key: np.asarray(value).tolist() for key, value in item.attrs.items()}
        if isinstance(item, h5py.Dataset):
            values = item[...]
            found[name] = item.dtype, item.shape, values.tolist() if item.dtype.kind == "O" else values.tobytes()

    with h5py.File(path) as file:
        keep("/", file)
        file.visititems(keep)
    return found


def differing(one: Path, other: Path) -> list[str]:
    """Return the files that one run has and the other lacks, or that hold something else."""
    ours, others = made_files(one), made_files(other)
    lone = sorted(set(ours) ^ set(others))
    return lone + [name for name in ours if name in others and contents(ours[name]) != contents(others[name])]
