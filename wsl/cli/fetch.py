"""`wsl fetch`: fetch the images that configs name."""

from pathlib import Path
from typing import Annotated

import typer

from wsl.cli.app import app, mendable, say


@app.command()
def fetch(
    configs: Annotated[
        list[Path],
        typer.Argument(help="Configs of runs.", metavar="CONFIG...", exists=True, dir_okay=False),
    ],
) -> None:
    """Fetch the images that configs name (`torchvision:`, `hf:`, `wds:`), and index their labels.

    Existing files are not fetched again. `wsl run` and Snakemake fetch images as well. Use this command on a machine
    with a network, to copy its files, and before plain Snakemake if the classes are not known without the data.
    """
    with mendable():
        from wsl.config.reading import read_yaml
        from wsl.config.schema import load_config
        from wsl.images.fetched import fetch as fetch_source

        for config in configs:
            sources = load_config(read_yaml(config)).images.source.fetched()
            for source in sources:
                fetch_source(source)
                say(f"{source.fetches()}; {len(source.names())} classes, {source.count(source.names())} images")
            if not sources:
                say(f"{config} names no images to fetch")
