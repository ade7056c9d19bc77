"""`wsl sample`: a model for a user's own classes."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from wsl.cli.app import app, console, mendable, notes, warn
from wsl.cli.options import section_options
from wsl.cli.sources import local
from wsl.files.outputs import card_path, check_model
from wsl.images.contents import class_folders
from wsl.images.names import split_names
from wsl.jobs.devices import lease
from wsl.sampling.options import SampleOptions


@app.command()
@section_options
def sample(
    run: Annotated[
        str, typer.Option("--from", help="Folder of a finished run, results/RUN, or a run on the Hub, hf://owner/name.")
    ],
    folder: Annotated[
        Path | None, typer.Argument(help="A folder that holds a folder of images for each class.", show_default=False)
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            help="File of the model: .safetensors, or .pt for torch.load. Its card has the same name with .md appended."
        ),
    ] = Path("model.safetensors"),
    force: Annotated[bool, typer.Option("--force", help="Replace the model and the card if they exist.")] = False,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            help="With a folder: which of its classes, in this order. Without a folder: the names of the classes. "
            "Separate names by commas, or repeat the option.",
            show_default=False,
        ),
    ] = None,
    plugin: Annotated[
        list[Path] | None,
        typer.Option(
            help="A Python file that registers the run's sampler. It is executed, so check it first. Repeatable.",
            show_default=False,
        ),
    ] = None,
    *,
    options: SampleOptions,
) -> None:
    """Sample a model for your own classes: from a FOLDER of images, or from class names.

    Nothing is trained unless --refine is given. The model is a state dict with torchvision's names. Its accuracy is
    printed with those of baselines that use the same training images and the same held-out images.
    """
    if folder is None and not classes:
        raise typer.BadParameter("give a folder of images, or names by --classes")
    with mendable():
        check_model(out, force)
        folder_of_run = local(run)
    with mendable(), lease() as device:
        import wsl

        finished = wsl.open(folder_of_run, plugins=plugin or (), device=device)
        known = class_folders(folder) if folder is not None and folder.is_dir() else []
        names = split_names(classes, known) if classes else None
        with notes.status(f"Sampling by {finished.sampler}"):
            chosen = None if folder is None else names
            with finished.embed(names if folder is None else folder, chosen, options.held_out, options.seed) as data:
                model = finished.sample(data, options.loss, seed=options.seed, refine=options.refine)
                model.save(out, force)
                about = model.about
        _show(out, about)


def _show(out: Path, about: dict[str, Any]) -> None:
    from wsl.evaluation import card

    table = Table("", Column(overflow="fold"), show_header=False, box=None)  # else a long path would be cut
    table.add_row("model", escape(str(out)))
    table.add_row("card", escape(str(card_path(out))))
    table.add_row("classes", escape(", ".join(about["classes"])))
    table.add_row("made from", escape(card.source(about)))
    table.add_row("loss", card.losses(about))
    console.print(table)
    if about["estimates"]:
        table = Table(title=f"\nAccuracy on {escape(card.judged_on(about))}", title_justify="left", box=None)
        table.title_style = "bold"
        table.add_column("")
        table.add_column("model", overflow="fold")
        for name in ("accuracy", "95 % interval", "images"):
            table.add_column(name, justify="right")
        for label, estimate, is_model in card.ranking(about):
            cells = (label, f"{estimate['accuracy']:.1%}", card.interval(estimate), str(estimate["images"]))
            table.add_row(">" if is_model else "", *cells, style="bold green" if is_model else None)
        console.print(table)
    for remark in card.remarks(about):
        console.print(escape(remark), highlight=False)
    for warning in card.warnings(about):
        warn(warning)
