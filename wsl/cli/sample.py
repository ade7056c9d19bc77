"""`wsl sample`: a model for somebody's own classes."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from wsl.cli.app import app, console, mendable
from wsl.devices import lease
from wsl.images.contents import class_folders
from wsl.images.names import split_names


@app.command()
def sample(
    run: Annotated[Path, typer.Option("--from", help="Folder of a finished run, results/RUN.")],
    folder: Annotated[
        Path | None, typer.Argument(help="A folder that holds a folder of images for each class.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the model goes; a card lies beside it, with .md.")] = Path(
        "model.safetensors"
    ),
    classes: Annotated[
        list[str] | None,
        typer.Option(
            help="With a folder: which of its classes, in this order. Without: the names of the classes. Give names "
            "separated by commas, or the option several times.",
            show_default=False,
        ),
    ] = None,
    loss: Annotated[
        float | None, typer.Option(min=0, help="Validation loss to ask for, nats. [default: as the run asks]")
    ] = None,
    held_out: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the images set aside to estimate the model's accuracy.")
    ] = 0.2,
    refine: Annotated[int, typer.Option(min=0, help="Epochs of training on the other images; 0: none.")] = 0,
    seed: Annotated[int | None, typer.Option(help="Of what is random. [default: the run's]")] = None,
) -> None:
    """Sample a model for your own classes: by a FOLDER of images, or by names alone.

    Nothing is trained, unless --refine asks for it. The model is a state dict with torchvision's names.
    """
    if folder is None and not classes:
        raise typer.BadParameter("give a folder of images, or names by --classes")
    with mendable(), lease() as device:
        from wsl.evaluation.own import deliver_own

        there = class_folders(folder) if folder is not None and folder.is_dir() else []
        names = split_names(classes, there) if classes else None
        with console.status("Sampling"):
            about = deliver_own(run, out, folder, names, loss, held_out, refine, seed, device)
        console.print(_summary(out, about))


def _summary(out: Path, about: dict[str, Any]) -> Table:
    table = Table("", Column(overflow="fold"), show_header=False, box=None)  # else a long path would be cut
    table.add_row("model", escape(str(out)))
    table.add_row("card", escape(str(out.with_suffix(".md"))))
    table.add_row("classes", escape(", ".join(about["classes"])))
    images = about["made_from"]["images"]
    table.add_row("made from", f"{images} images" if images else "names")
    for kind, one in about["estimates"].items():
        interval = f"95 % interval {one['low']:.1%} to {one['high']:.1%}"
        table.add_row(f"accuracy, {kind}", f"{one['accuracy']:.1%} of {one['images']} images held out ({interval})")
    return table
