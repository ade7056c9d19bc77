"""`wsl inspect`: describe a file or a run."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from wsl.cli.app import app, console, mendable, say, say_json
from wsl.cli.facts import Document, read_facts
from wsl.cli.sources import local, source
from wsl.errors import DataError
from wsl.hub.fetching import is_hub

MOST = 20  # rows of a table of tensors on a terminal


@app.command()
def inspect(
    path: Annotated[
        str,
        typer.Argument(
            help="A file of members (or FILE:NUMBER, one of them) or an index, a model, a checkpoint, a run, or a zoo; "
            "also on the Hub, hf://owner/name.",
            callback=source,
        ),
    ],
    run: Annotated[
        str | None,
        typer.Option("--from", help="Find the nearest training members of this run, for a member or a model."),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option("--neighbours", min=1, help="How many, with --from. [default: 5]", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document with the same facts.")] = False,
) -> None:
    """Describe a member, a zoo, a model, a checkpoint or a run: size, metrics, and its neighbours in weight space."""
    if count is not None and run is None:
        raise typer.BadParameter("--neighbours needs --from, the run whose members are compared")
    with mendable():
        document = read_facts(local(path))
        if run is not None:
            document.tables[f"nearest training members of {run}"] = _neighbours(document, local(run), count or 5)
        if as_json:
            content = {"path": str(path), "kind": document.kind, "facts": document.facts, "tables": document.tables}
            say_json(content)
        else:
            _show(document, path if is_hub(path) else document.path.resolve().name)


def _neighbours(document: Document, run: Path, count: int) -> list[dict[str, Any]]:
    import wsl

    if document.weights is None:
        one = "name one member, as in FILE:NUMBER, or " if document.kind == "members" else ""
        raise DataError(
            f"{document.path} ({document.kind}) has no weights of one model, so it has no neighbours; {one}leave "
            "--from out"
        )
    return wsl.open(run).neighbours(document.path, n=count).to_dict("records")


def _show(document: Document, title: str) -> None:
    table = Table("", Column(overflow="fold"), show_header=False)
    for key, value in _flat(document.facts):
        table.add_row(escape(_words(key)), escape(_text(value)))
    _print(f"{title} ({document.kind})", table)
    for name, rows in document.tables.items():
        shown = rows[:MOST] if name == "tensors" else rows
        keys = dict.fromkeys(key for row in rows for key in row)  # a row may lack some keys
        table = Table(*(Column(escape(_words(key)), overflow="fold") for key in keys))
        for row in shown:
            table.add_row(*(escape(_text(row.get(key))) for key in keys))
        if rows:
            _print(_words(name), table)
        if len(shown) < len(rows):
            say(f"{len(rows) - len(shown)} more; --json lists them all")


def _print(title: str, table: Table) -> None:
    # Not as the table's own title, which would be broken at the table's width.
    console.print(escape(title), style="bold", highlight=False, soft_wrap=True)
    console.print(table)


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}, ")
        else:
            yield f"{above}{key}", value


def _words(name: str) -> str:
    return name.replace("_", " ")  # a narrow column can break it between words


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)
