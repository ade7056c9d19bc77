"""`wsl inspect`: what a file or a run is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from wsl.cli.app import app, console, mendable
from wsl.errors import DataError


@app.command()
def inspect(
    path: Annotated[
        Path, typer.Argument(help="A member or an index (HDF5), a model (safetensors), or a run.", exists=True)
    ],
    run: Annotated[
        Path | None, typer.Option("--from", help="A run, among whose training members neighbours are looked for.")
    ] = None,
    count: Annotated[int, typer.Option("--neighbours", min=1, help="How many.")] = 5,
) -> None:
    """Say what a member, a zoo, a model or a run is: size, metrics, and neighbours in the space of weights."""
    with mendable():
        if path.is_dir():
            _show_run(path)
        elif path.suffix == ".safetensors":
            _show_model(path, run, count)
        else:
            _show_hdf5(path, run, count)


def _show_run(path: Path) -> None:
    from wsl.files import read_json

    if not (path / "summary.json").is_file():
        raise DataError(f"{path} holds no summary.json; give the folder of a finished run, results/RUN")
    summary = read_json(path / "summary.json")
    _facts(path.name, {key: value for key, value in summary.items() if not isinstance(value, Mapping)})
    for kind, values in summary["accuracy"].items():
        _facts(f"accuracy of sampled models, {kind} classes", values)


def _show_model(path: Path, run: Path | None, count: int) -> None:
    from wsl.tensors import read_tensors
    from wsl.zoo.layout import resnet18_layout
    from wsl.zoo.network import flatten

    state, about = read_tensors(path)
    _facts(path.name, {"numbers": sum(value.numel() for value in state.values()), **about})
    if run is None:
        return
    if "fc.weight" not in state:
        raise DataError(f"{path} holds no model, so it has no neighbours; leave --from out")
    classes, features = state["fc.weight"].shape
    _show_neighbours(run, flatten(state, resnet18_layout(features // 8, classes))[0], count)


def _show_hdf5(path: Path, run: Path | None, count: int) -> None:
    from wsl.files import open_hdf5
    from wsl.zoo.index import open_zoo
    from wsl.zoo.member import read_member

    with open_hdf5(path) as file:
        indexed = "members" in file
    if indexed:
        with open_zoo(path) as zoo:
            diverged = int(zoo.members["diverged"].sum())
            _facts(
                path.name,
                {
                    "members": len(zoo.members),
                    "diverged": diverged,
                    "snapshots": len(zoo.snapshots),
                    "numbers a snapshot": zoo.layout.size,
                    "validation accuracy, trained": zoo.snapshots["validation_accuracy"][zoo.trained].mean(),
                },
            )
        return
    member = read_member(path)
    _facts(path.name, {**member.plan, "diverged": member.diverged, "numbers a snapshot": member.weights.shape[1]})
    _rows("snapshots", member.snapshots.to_dict("records"))
    if run is not None:
        _show_neighbours(run, member.weights[-1], count)


def _show_neighbours(run: Path, weights: Any, count: int) -> None:
    from wsl.sampling.description import load_description
    from wsl.weights.codec import load_codec
    from wsl.weights.neighbours import neighbours

    files = load_description(run).files
    codec = load_codec(files["train_index"], files["fitted"], files["autoencoder"])
    if len(weights) != codec.linear.layout.size:
        raise DataError(f"a snapshot has {len(weights)} numbers, and those of {run} have {codec.linear.layout.size}")
    table = neighbours(codec, files["train_latents"], weights, count)
    _rows(f"nearest training members of {run}", table.to_dict("records"))


def _facts(title: str, values: Mapping[str, Any]) -> None:
    table = Table("", Column(overflow="fold"), show_header=False, title=escape(title), title_justify="left")
    for key, value in values.items():
        table.add_row(escape(str(key)), _text(value))
    console.print(table)


def _rows(title: str, rows: list[dict[str, Any]]) -> None:
    table = Table(*(escape(str(key)) for key in (rows[0] if rows else {})), title=escape(title), title_justify="left")
    for row in rows:
        table.add_row(*map(_text, row.values()))
    console.print(table)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))
