"""Sections of settings as options of a command."""

from typing import Annotated, Literal

import pytest
import typer
from pydantic import BeforeValidator, Field, model_validator
from typer.testing import CliRunner

from wsl.cli.options import section_options
from wsl.settings.sections import PositiveInt, Section


def numbers(text):
    return [int(part) for part in text.split(",")] if isinstance(text, str) else text


class Settings(Section):
    count: PositiveInt | None = Field(None, description="How many.")
    share: Annotated[float, Field(ge=0, le=1)] = Field(0.5, description="Which share.")
    unit: Literal["one", "two"] = Field("one", description="Which unit.")
    long_name: list[str] = Field([], description="Names.")
    pair: Annotated[list[int], BeforeValidator(numbers)] = Field(
        [1, 2], description="A pair.", json_schema_extra={"option": "--two"}
    )
    flag: bool = Field(False, description="Whether.")

    @model_validator(mode="after")
    def _not_both(self):
        if self.flag and self.count:
            raise ValueError("--flag goes without --count")
        return self


app = typer.Typer()
calls = []


@app.command()
@section_options
def command(settings: Settings, out: Annotated[str, typer.Option(help="Where to.")] = "here") -> None:
    calls.append((settings, out))


def call(*arguments, code=0):
    calls.clear()
    done = CliRunner().invoke(app, [*arguments], env={"COLUMNS": "200", "TERM": "dumb"})
    assert done.exit_code == code, done.output
    return calls[0] if calls else " ".join(done.output.split())


def test_options_that_are_not_given_keep_the_sections_defaults():
    assert call() == (Settings(), "here")


def test_values_reach_the_section():
    options = "--count 3 --share 0.25 --unit two --long-name a --long-name b --two 3,4 --out there"
    settings, out = call(*options.split())
    assert settings == Settings(count=3, share=0.25, unit="two", long_name=["a", "b"], pair=[3, 4])
    assert out == "there" and call("--flag")[0].flag


def test_help_shows_descriptions_bounds_choices_and_defaults():
    text = call("--help")
    defaults = ("default: 0.5", "default: one", "default: 1,2")
    assert all(part in text for part in ("How many.", "x>=1", "0<=x<=1", "one|two", *defaults, "Where to."))
    assert "--no-flag" not in text and "default: None" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--share", "2"], "--share"),
        (["--unit", "three"], "--unit"),
        (["--two", "x"], "--two"),
        (["--flag", "--count", "1"], "--flag goes without --count"),
    ],
)
def test_a_wrong_value_is_refused_with_its_option(arguments, message):
    assert message in call(*arguments, code=2)
