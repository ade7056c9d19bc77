"""`wsl search`: the members of existing zoos that suit a user's images best."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from wsl.cli.app import app, console, mendable, notes, say, say_json
from wsl.cli.options import section_options
from wsl.cli.sources import local
from wsl.evaluation.search_options import SearchOptions
from wsl.files.outputs import card_path, check_model
from wsl.images.contents import class_folders
from wsl.images.names import split_names
from wsl.jobs.devices import lease

if TYPE_CHECKING:
    import pandas as pd

NOT_SHOWN = {"found"}


@app.command()
@section_options
def search(
    folder: Annotated[
        Path,
        typer.Argument(help="A folder that holds a folder of images for each class.", exists=True, file_okay=False),
    ],
    zoo: Annotated[
        list[str],
        typer.Option("--in", help="Folder of a run, or one that `wsl import` wrote; also hf://owner/name. Repeatable."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write the best member to, with its new head: .safetensors, or .pt for torch.load. Its card "
            "has the same name with .md appended.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[str, typer.Option(help="The method whose best member --out writes.")] = "nearest-mean",
    force: Annotated[bool, typer.Option("--force", help="Replace the model and the card if they exist.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    *,
    options: SearchOptions,
) -> None:
    """Find the members of existing zoos that suit your images best, and measure what they are worth.

    Members are chosen by several methods, on training images only. Each one gets a new head for your classes, and its
    accuracy on held-out images is printed beside baselines that get the same head.
    """
    with mendable(), lease() as device:
        if out is not None:
            check_model(out, force)
        from wsl.evaluation import search as searching
        from wsl.evaluation.search_model import write_found

        if options.classes:
            options = options.model_copy(update={"classes": split_names(options.classes, class_folders(folder))})
        with notes.status("Searching"):
            table = searching.search(folder, [local(one) for one in zoo], options, device)
        about = None if out is None else write_found(table, by, options.head, out, force)
        if as_json:
            attrs = {key: value for key, value in table.attrs.items() if key not in NOT_SHOWN}
            say_json({**attrs, "models": table.to_dict("records"), "written": about and str(out)})
            return
        _show(table, options)
        if about is not None:
            say(f"{out}: member {about['member']:05d} of {about['zoo']}, found by {by}; card: {card_path(out)}")


def _show(table: "pd.DataFrame", options: SearchOptions) -> None:
    from wsl.evaluation.card import judged_on

    attrs = table.attrs
    counts = {"by_class": attrs["held_out"], "images": sum(attrs["held_out"].values())}
    head = {"probe": "a linear probe", "prototypes": "class prototypes"}[options.head]
    console.print(
        f"{attrs['members']} members, chosen on {sum(attrs['used'].values())} training images. Accuracy of {head} on "
        f"{escape(judged_on({'held_out': counts, 'classes': attrs['classes']}))}",
        highlight=False,
    )
    shown = Table(Column("model", overflow="fold"), Column("trained on", overflow="fold"), box=None)
    for name in ("found by", "accuracy", "95 % interval"):
        shown.add_column(name, justify="left" if name == "found by" else "right", overflow="fold")
    for row in _merged(table):
        interval = "" if row["low"] != row["low"] else f"{row['low']:.1%} to {row['high']:.1%}"
        accuracy = "" if row["accuracy"] != row["accuracy"] else f"{row['accuracy']:.1%}"
        cells = map(escape, (row["model"], row["trained on"], ", ".join(row["found by"])))
        shown.add_row(*cells, accuracy, interval, style="bold" if row["kind"] == "member" else None)
    console.print(shown)
    methods = Table("method", box=None)
    for name in ("seconds", f"mean accuracy of its best {options.best}"):
        methods.add_column(name, justify="right")
    for method, seconds in attrs["seconds"].items():
        mean = attrs["mean_accuracy"][method]
        methods.add_row(escape(method), f"{seconds:.1f}", f"{mean:.1%}" if mean == mean else "unknown")
    console.print(methods)
    for method, reason in attrs["left_out"].items():
        say(f"left out: {method}: {reason}")


def _merged(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """Return one row per model, the most accurate first, with all methods that found it."""
    rows: dict[Any, dict[str, Any]] = {}
    for row in table.to_dict("records"):
        key = (row["zoo"], row["part"], row["member"]) if row["kind"] == "member" else row["model"]
        merged = rows.setdefault(key, {**row, "found by": [], "trained on": row["classes"]})
        if row["kind"] == "member":
            merged["found by"].append(f"{row['method']} {row['rank']:.0f}")
        elif merged["classes"] != merged["classes"]:
            merged["trained on"] = ""
    return sorted(rows.values(), key=lambda row: -row["accuracy"] if row["accuracy"] == row["accuracy"] else 1)
