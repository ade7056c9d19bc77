"""`wsl export`: a sampled model for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from wsl.cli.app import app, console, mendable, say


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="A model: safetensors.", exists=True, dir_okay=False)],
    out: Annotated[
        Path | None, typer.Option(help="The ONNX file. [default: the model's name, with .onnx]", show_default=False)
    ] = None,
) -> None:
    """Write a model as ONNX."""
    out = out or model.with_suffix(".onnx")
    with mendable():
        from wsl.sampling.onnx import export_onnx

        with console.status("Exporting"):
            export_onnx(model, out)
    say(f"{out}: images (n, 3, size, size), normalised, to logits (n, classes); the card is in its metadata")
