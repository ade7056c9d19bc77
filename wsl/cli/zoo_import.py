"""`wsl import`: a zoo that others made, as this project's members and indices."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wsl.cli.app import app, console, mendable, say


class Unit(StrEnum):
    AUTO = "auto"
    PERCENT = "percent"
    FRACTION = "fraction"


class Images(StrEnum):
    VAL = "val"
    TEST = "test"


@app.command("import")
def import_(
    zoo: Annotated[
        Path,
        typer.Argument(
            help="A folder of NN_tune_trainable_* (params.json, result.json, checkpoint_*/checkpoints), or one of .pt, "
            ".pth and .safetensors state dicts with a CSV: file, epoch, results; member, classes, part and others too.",
            exists=True,
            file_okay=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder to make: members/, an index a part, import.json.")],
    classes: Annotated[
        str | None,
        typer.Option(help="Names, in the order of heads' rows. [default: the zoo's, or numbers]", show_default=False),
    ] = None,
    epochs: Annotated[
        str | None,
        typer.Option(help="Which to keep, as the zoo counts them. [default: all with weights]", show_default=False),
    ] = None,
    parts: Annotated[
        str, typer.Option(help="Shares of train, validation and test, where the zoo does not say; 0: none.")
    ] = "70,15,15",
    seed: Annotated[int, typer.Option(min=0, help="Of the parts.")] = 0,
    accuracies: Annotated[Unit, typer.Option(help="The zoo's unit; auto: as its values say.")] = Unit.AUTO,
    validation: Annotated[
        Images,
        typer.Option(help="Results R; test: of test images, for zoos that have no validation images."),
    ] = Images.VAL,
    strict: Annotated[bool, typer.Option("--strict", help="End at the first run that cannot be read.")] = False,
) -> None:
    """Import a zoo that others made, so that stages of weights run on it.

    Weights are loaded as tensors alone: nothing that a file holds is run. A run that cannot be read (damaged, not
    finite, of another shape, without results at an epoch) is left out, counted and named; --strict refuses the zoo.
    """
    with mendable():
        from wsl.zoo.foreign.importing import import_zoo

        names = None if classes is None else [name.strip() for name in classes.split(",")]
        chosen = None if epochs is None else _numbers("--epochs", epochs)
        shares = _numbers("--parts", parts)
        if len(shares) != 3 or not sum(shares):
            raise typer.BadParameter("--parts: give three shares, of train, validation and test, such as 70,15,15")
        with console.status("Importing"):
            done = import_zoo(zoo, out, names, chosen, shares, seed, accuracies, validation, strict)
    said = ", ".join(f"{count} {part}" for part, count in done.parts.items())
    say(f"{out}: {sum(done.parts.values())} members ({said}), {len(done.skipped)} runs left out, see import.json")
    if len(done.last_epochs) > 1:
        counts = ", ".join(f"{count} in {epoch}" for epoch, count in sorted(done.last_epochs.items()))
        say(f"their last epochs differ: {counts}; --epochs keeps those that have the ones you name")


def _numbers(option: str, text: str) -> list[int]:
    try:
        numbers = [int(number) for number in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {text!r} are no whole numbers with commas between them") from error
    if min(numbers) < 0:
        raise typer.BadParameter(f"{option}: {text!r} has a negative number")
    return numbers
