"""`wsl export`: a sampled model, or members of a zoo, for other programs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from wsl.cli.app import app, mendable, notes, say
from wsl.paths import split_member


@app.command()
def export(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="A model (.safetensors, .pt), or files of members (or FILE:NUMBER, one of them) and indices of a zoo "
            "(.h5)."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="The ONNX file, or the zoo's folder. [default: the model's name with .onnx in place of its suffix; "
            "the first file's name with -ray-tune]",
            show_default=False,
        ),
    ] = None,
    program: Annotated[
        Literal["modelzoo", "sane", "sine", "weightclip"] | None,
        typer.Option(
            "--for",
            help="The program whose code shall build the networks and read the results: ModelZooDataset, SANE, SINE "
            "or WeightCLIP. Networks that it does not have are refused. [default: the form that most of them read, "
            "if they have the network]",
            show_default=False,
        ),
    ] = None,
    test_accuracies: Annotated[
        Path | None,
        typer.Option(
            help="A run's evaluation/test_accuracies.csv, for members without results on test images.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the ONNX file if it exists.")] = False,
) -> None:
    """Write a model as ONNX, or members as a zoo in Ray Tune's layout, which other programs and `wsl import` read."""
    named = [split_member(path)[0] for path in files]
    if lacking := [path for path in named if not path.is_file()]:
        raise typer.BadParameter(f"File '{lacking[0]}' does not exist.")
    zoo = all(path.suffix == ".h5" for path in named)
    if not zoo and len(files) > 1:
        raise typer.BadParameter("give one model, or only members and indices (.h5)")
    if not zoo and (program or test_accuracies):
        raise typer.BadParameter("--for and --test-accuracies are for zoos; give members or indices (.h5)")
    if zoo and force:
        raise typer.BadParameter("--force replaces one file, never a folder; name another folder for the zoo")
    with mendable(), notes.status("Exporting"):
        if zoo:
            from wsl.zoo.foreign.exporting import export_zoo

            out = out or named[0].with_name(f"{named[0].stem}-ray-tune")
            contents = export_zoo(files, out, program, test_accuracies).in_words(program)
        else:
            from wsl.sampling.onnx import export_onnx, onnx_path

            out = out or onnx_path(files[0])
            export_onnx(files[0], out, force)
            contents = "images (n, 3, size, size), normalised, to logits (n, classes); the card is in its metadata"
    say(f"{out}: {contents}")
