"""Facts and tables about a file or a folder, which `wsl inspect` prints."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import BadZipFile, ZipFile

import h5py

from wsl.errors import DataError
from wsl.files.hdf5 import open_hdf5
from wsl.files.plain import read_json
from wsl.files.tensors import is_safetensors, read_tensors
from wsl.paths import split_member
from wsl.zoo.borrowed import zoo_folder

KNOWN = (
    "members and indices of a zoo (HDF5), models and checkpoints (safetensors, or state dicts of torch.save), and "
    "folders of finished runs and of zoos"
)
ESTIMATE = ("accuracy", "low", "high", "images", "loss")
TASKS = {
    "seen": "held-out tasks",
    "unseen": "tasks of unseen classes",
    "validation": "validation tasks, by validation images",
}
PARTS = ("train", "validation", "test", "unseen")
ONE_MODEL = ("member.h5", "model.safetensors")  # in the folder of a pushed member or model


@dataclass
class Document:
    """What is known about a path.

    Attributes:
        path: the path as given.
        kind: ``run``, ``import``, ``zoo`` (of a run), ``index``, ``members``, ``member``, ``model``, ``tensors``
            (another file that wsl wrote) or ``checkpoint`` (a state dict of another program).
        facts: values by name; values may be nested mappings and lists.
        tables: lists of rows by title.
        weights: a member's last snapshot (n_weights,) or a state dict, for finding neighbours; not printed.
    """

    path: Path
    kind: str
    facts: dict[str, Any]
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    weights: Any = None


def read_facts(path: Path) -> Document:
    """Return what is known about a file or a folder, which is recognised by its content.

    Raises:
        DataError: its kind is unknown, or it is damaged.
        OSError: it cannot be opened.
    """
    if path.is_dir():
        return _folder(path)
    file, number = split_member(path)
    with open(file, "rb") as opened:
        start = opened.read(2048)
    if number is not None or h5py.is_hdf5(path):
        return _hdf5(path)
    if is_safetensors(path):
        return _safetensors(path)
    if start.startswith(b"\x80\x02") or (start.startswith(b"PK\x03\x04") and _of_torch(path)):
        return _archive(path)
    raise DataError(f"{path} is not a file that wsl knows: {_looks_like(path, start)}; wsl inspect reads {KNOWN}")


def _folder(path: Path) -> Document:
    if (path / "import.json").is_file():
        about = read_json(path / "import.json")
        skipped = about.pop("skipped", {})
        left_out = [{"run": name, "reason": reason} for name, reason in skipped.items()]
        facts = {**about, "runs_left_out": len(skipped)}
        return Document(path, "import", facts, {"parts": _parts(path), "runs left out": left_out})
    if not (path / "summary.json").is_file():
        if alone := [path / name for name in ONE_MODEL if (path / name).is_file()]:
            return replace(read_facts(alone[0]), path=path)
        if parts := _parts(path):
            return Document(path, "zoo", {"members": sum(part["members"] for part in parts)}, {"parts": parts})
        if (path / "logs" / "jobs.json").is_file():
            raise DataError(f"{path} is an unfinished run: `wsl watch {path}` shows its state")
        raise DataError(
            f"{path} is not a folder that wsl knows: it contains neither summary.json (finished runs) nor import.json "
            "(imported zoos), no index of a zoo and no model; give another folder"
        )
    summary = read_json(path / "summary.json")
    if (zoo := zoo_folder(path)) != path:
        summary["zoo_of"] = str(zoo)
    accuracies, bounds, kinds = (summary.pop(key, {}) for key in ("accuracy", "accuracy_intervals", "kinds"))
    tables = {}
    for kind in sorted(accuracies, key=[*TASKS, *accuracies].index):
        rows = tables[f"accuracy on {TASKS.get(kind, kind)}"] = []
        for method, accuracy in sorted(accuracies[kind].items(), key=lambda item: -item[1]):
            about = {"kind": kinds[method]} if method in kinds else {}
            limits = dict(zip(("low", "high"), bounds.get(kind, {}).get(method, ()), strict=False))
            rows.append({"method": method, **about, "accuracy": accuracy, **limits})
    return Document(path, "run", summary, tables)


def _parts(folder: Path) -> list[dict[str, Any]]:
    """Return a row per index of a zoo."""
    return [{"part": part, **_counts(path)} for part in PARTS if (path := folder / f"{part}.h5").is_file()]


def _hdf5(path: Path) -> Document:
    from wsl.zoo.index import is_index
    from wsl.zoo.member import open_members, read_member

    file, number = split_member(path)
    if is_index(file):
        return Document(path, "index", _counts(path))
    with open_hdf5(file) as opened:
        if "format" not in opened.attrs:
            raise DataError(
                f"{path} is an HDF5 file, but neither a member nor an index of a zoo; wsl inspect reads {KNOWN}"
            )
    with open_members(file) as several:
        if number is None and len(several.members) > 1:
            facts = {
                "members": len(several.members),
                "diverged": int(several.members["diverged"].sum()),
                "snapshots": len(several.snapshots),
                "numbers_per_snapshot": several.layout.size,
            }
            rows = several.snapshots.groupby("member", as_index=False).last()
            return Document(path, "members", facts, {"last snapshots": rows.to_dict("records")})
    member = read_member(path)
    facts = {**member.plan, "diverged": member.diverged, "numbers_per_snapshot": member.weights.shape[1]}
    weights = member.weights[-1] if len(member.weights) else None
    return Document(path, "member", facts, {"snapshots": member.snapshots.to_dict("records")}, weights)


def _counts(index: Path) -> dict[str, Any]:
    from wsl.zoo.index import open_zoo

    with open_zoo(index) as zoo:
        trained = zoo.snapshots["validation_accuracy"][zoo.trained]
        return {
            "members": len(zoo.members),
            "diverged": int(zoo.members["diverged"].sum()),
            "snapshots": len(zoo.snapshots),
            "numbers_per_snapshot": zoo.layout.size,
            "validation_accuracy_of_trained": float(trained.mean()),
        }


def _safetensors(path: Path) -> Document:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            written_by_wsl = "wsl" in (file.metadata() or {})
    except SafetensorError as error:
        raise DataError(f"{path} is an incomplete safetensors file ({error}); get it from its source again") from error
    return _tensors_of_wsl(path, *read_tensors(path)) if written_by_wsl else _checkpoint(path)


def _archive(path: Path) -> Document:
    from wsl.sampling.model_files import read_model

    try:
        return _tensors_of_wsl(path, *read_model(path))
    except DataError:
        return _checkpoint(path)


def _tensors_of_wsl(path: Path, state: dict[str, Any], about: dict[str, Any]) -> Document:
    model, tables = "preprocessing" in about, {}
    if about.get("estimates"):
        from wsl.evaluation.card import ranking

        rows = [{"model": label, **_columns(estimate, ESTIMATE)} for label, estimate, _ in ranking(about)]
        tables["accuracy on held-out images"] = rows
    if about.get("held_out_tasks"):
        rows = [_columns(task, ("classes", *ESTIMATE, "chance")) for task in about["held_out_tasks"]]
        tables["accuracy of the run's sampler on its held-out tasks"] = rows
    facts = {"numbers": _numbers(state), **about}
    for key in ("estimates", "baselines", "held_out_tasks"):
        facts.pop(key, None)
    return Document(path, "model" if model else "tensors", facts, tables, state if model else None)


def _columns(row: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: row[name] for name in names if name in row}


def _checkpoint(path: Path) -> Document:
    from wsl.zoo.recognition import recognise
    from wsl.zoo.states import read_state

    saved = read_state(path)
    state, shapes = saved.tensors, {name: tuple(value.shape) for name, value in saved.tensors.items()}
    network = recognise({name: shape for name, shape in shapes.items() if state[name].is_floating_point()})
    facts: dict[str, Any] = {
        "tensors": len(state),
        "numbers": _numbers(state),
        "types": sorted({str(value.dtype).removeprefix("torch.") for value in state.values()}),
    }
    if saved.source:
        facts["found under"] = saved.source
    if saved.ignored:
        facts["ignored"] = list(saved.ignored)
    if network:
        facts |= {**network.architecture.columns(), "classes": network.classes}
    else:
        facts["architecture"] = "not known"
    rows = [{"tensor": name, "shape": list(shape), "type": str(state[name].dtype)} for name, shape in shapes.items()]
    return Document(path, "checkpoint", facts, {"tensors": rows}, state)


def _numbers(state: dict[str, Any]) -> int:
    """Return the number of values in a state dict without integer buffers, as in a snapshot."""
    return sum(value.numel() for value in state.values() if value.is_floating_point())


def _of_torch(path: Path) -> bool:
    """Return whether a zip archive was written by ``torch.save``; True if it is truncated."""
    try:
        with ZipFile(path) as archive:
            return any(PurePosixPath(name).name == "data.pkl" for name in archive.namelist())
    except BadZipFile:
        return True


def _looks_like(path: Path, start: bytes) -> str:
    from PIL import Image, UnidentifiedImageError

    if not start:
        return "it is empty"
    named = f", though its name ends in {path.suffix}" if path.suffix in (".h5", ".safetensors", ".pt", ".pth") else ""
    if start.startswith(b"PK\x03\x04"):
        return f"it is a zip archive of another program{named}"
    try:
        with Image.open(path) as image:
            return f"it is an image ({image.format})"
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        pass
    controls = set(start) & (set(range(32)) - set(b"\t\n\f\r\x1b"))
    return f"{'wsl does not read this format' if controls else 'it is text'}{named}"
