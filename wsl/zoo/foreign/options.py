"""Options of the import of a zoo."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from wsl.settings.sections import PositiveInt, Section, Whole


def _numbers(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        numbers = [int(number) for number in value.split(",")]
    except ValueError:
        raise ValueError(f"{value!r} are not integers separated by commas") from None
    if min(numbers) < 0:
        raise ValueError(f"{value!r} has a negative number")
    return numbers


def _shares(value: Any) -> Any:
    value = _numbers(value)
    if len(value) != 3 or not sum(value):
        raise ValueError("give three shares, of train, validation and test, such as 70,15,15")
    return value


def _classes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not value.strip().isdigit():
        return [name.strip() for name in value.split(",")]
    if int(value) < 1:
        raise ValueError(f"a network cannot have {value} classes; give their names or their number")
    return int(value)


def _assignments(value: Any) -> Any:
    for text in value if isinstance(value, list) else []:
        if not all(text.partition("=")):
            raise ValueError(f"{text!r} is not of the form key=value")
    return value


Assignments = Annotated[list[str], BeforeValidator(_assignments)]
Epochs = Annotated[list[Annotated[Whole, Field(ge=0)]] | None, BeforeValidator(_numbers)]


class ImportOptions(Section):
    """Choices for the import of a zoo. Lists of numbers and names may be given as text with commas."""

    classes: Annotated[list[str] | int | None, BeforeValidator(_classes)] = Field(
        None,
        description="Names of the classes, in the order of the head's rows, or their number. "
        "[default: from the zoo, else numbers]",
    )
    head: str | None = Field(None, description="Name of the head's module, if names and shapes do not identify it.")
    epochs: Epochs = Field(None, description="Epochs to keep, as the zoo counts them. [default: all that have weights]")
    every: PositiveInt | None = Field(
        None,
        description="Interval of epochs between checkpoints; needed where checkpoints are numbered from 0 and the "
        "results do not name them.",
    )
    saved_epochs: Epochs = Field(None, description="Epochs of the checkpoints, in order, if --every does not fit.")
    leave_out: list[str] = Field(
        [],
        description="A run, a checkpoint (RUN/checkpoint_000005) or a file to leave out; * stands for any characters. "
        "May be given several times.",
    )
    only: Assignments = Field(
        [],
        description="A hyper-parameter and its value, such as activation=gelu: only runs with it are imported. May be "
        "given several times.",
    )
    known: Assignments = Field(
        [],
        description="A setting of the networks that neither weights nor files show, such as heads=6 or "
        "activation=relu; unknown: ignore what files show. May be given several times.",
        json_schema_extra={"option": "--set"},
    )
    shares: Annotated[tuple[int, int, int], BeforeValidator(_shares)] = Field(
        (70, 15, 15),
        description="Shares of the parts train, validation and test, where the zoo does not assign them; 0 makes no "
        "such part. Runs with the same classes stay together. A single run is for training.",
        json_schema_extra={"option": "--parts"},
    )
    seed: Annotated[Whole, Field(ge=0)] = Field(0, description="Random seed of the split into parts.")
    accuracies: Literal["auto", "percent", "fraction"] = Field(
        "auto", description="Unit of the zoo's accuracies; auto: recognised by their values."
    )
    validation: Literal["val", "test"] = Field(
        "val", description="Results that are imported as R; test: for zoos without results on validation images."
    )
    strict: bool = Field(False, description="Stop at the first run that cannot be read.")

    @model_validator(mode="after")
    def _one_source_of_epochs(self) -> Self:
        if self.every is not None and self.saved_epochs is not None:
            raise ValueError("--every and --saved-epochs are two ways to give the epochs of checkpoints; give one")
        return self
