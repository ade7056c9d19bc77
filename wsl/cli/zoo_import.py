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
    out: Annotated[Path, typer.Option(help="The folder to make: members/, one index per part, import.json.")],
    classes: Annotated[
        str | None,
        typer.Option(
            help="Names, in the order of heads' rows, or their number. [default: the zoo's, or numbers]",
            show_default=False,
        ),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(help="Name of the head's module, where names and shapes leave it open.", show_default=False),
    ] = None,
    epochs: Annotated[
        str | None,
        typer.Option(help="Epochs to keep, as the zoo counts them. [default: all with weights]", show_default=False),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Checkpoints were saved at every so many epochs; needed where they are numbered from 0 and the "
            "results do not name them.",
            show_default=False,
        ),
    ] = None,
    saved_epochs: Annotated[
        str | None,
        typer.Option(help="Checkpoints were saved at these epochs, in their order, likewise.", show_default=False),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(
            help="A run, a checkpoint (RUN/checkpoint_000005) or a file that is not wanted, with * for any letters; "
            "may be given several times.",
            show_default=False,
        ),
    ] = None,
    parts: Annotated[
        str, typer.Option(help="Shares of train, validation and test, where the zoo does not say; 0: none.")
    ] = "70,15,15",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split into parts.")] = 0,
    accuracies: Annotated[Unit, typer.Option(help="The zoo's unit; auto: as its values say.")] = Unit.AUTO,
    validation: Annotated[
        Images,
        typer.Option(help="Images whose results become R; test: for zoos that have no results on validation images."),
    ] = Images.VAL,
    strict: Annotated[bool, typer.Option("--strict", help="End at the first run that cannot be read.")] = False,
) -> None:
    """Import a zoo that others made, so that stages of weights run on it.

    Weights are loaded as tensors alone: no code of a file is run. A run that cannot be read (damaged, not finite, of
    another shape, without results at an epoch) is left out, counted and named; --strict refuses the zoo. The last line
    says what was recognised and how results were joined to weights.
    """
    with mendable():
        from wsl.zoo.foreign.account import in_words
        from wsl.zoo.foreign.importing import ImportOptions, import_zoo

        if every is not None and saved_epochs is not None:
            raise typer.BadParameter("--every and --saved-epochs both say when checkpoints were saved; give one")
        shares = _numbers("--parts", parts)
        if len(shares) != 3 or not sum(shares):
            raise typer.BadParameter("--parts: give three shares, of train, validation and test, such as 70,15,15")
        options = ImportOptions(
            classes=_classes(classes),
            epochs=None if epochs is None else _numbers("--epochs", epochs),
            shares=shares,
            seed=seed,
            accuracies=accuracies,
            validation=validation,
            strict=strict,
            head=head,
            leave_out=leave_out or [],
            every=every,
            saved_epochs=None if saved_epochs is None else _numbers("--saved-epochs", saved_epochs),
        )
        with console.status("Importing"):
            done = import_zoo(zoo, out, options)
    for line in in_words(out, done):
        say(line)


def _classes(text: str | None) -> list[str] | int | None:
    """Return names, or how many there are."""
    if text is None:
        return None
    if text.strip().isdigit():
        if int(text) < 1:
            raise typer.BadParameter(f"--classes: a network has no {text} classes; give names, or how many there are")
        return int(text)
    return [name.strip() for name in text.split(",")]


def _numbers(option: str, text: str) -> list[int]:
    try:
        numbers = [int(number) for number in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {text!r} are not whole numbers with commas between them") from error
    if min(numbers) < 0:
        raise typer.BadParameter(f"{option}: {text!r} has a negative number")
    return numbers
