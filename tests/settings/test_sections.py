"""Sections of the config that are made of registered entries."""

from typing import Any

import pytest
from pydantic import Field, ValidationError

from wsl.settings.registry import Registry
from wsl.settings.sections import Named, PositiveInt, Section, Sections, fields_of, one_of, plain

SHAPES: Registry = Registry("shape", "wsl.shared.losses")
SHAPES._complete = True  # nothing to search for


@SHAPES.register("disc")
class Disc(Named):
    radius: PositiveInt = 2
    tags: list[str] = Field([], description="tags")


@SHAPES.register("drawing")
class Drawing(Named):
    file: str
    scale: PositiveInt = 1
    short = "file"


@SHAPES.register("round-box")
class Box(Named):
    sides: tuple[int, int] = (1, 2)


class Sizes(Section):
    big: bool = False


TOOLS: Registry = Registry("tool", "wsl.shared.losses")
TOOLS._complete = True


@TOOLS.register("saw")
class Saw:
    Settings = Sizes


@TOOLS.register("hand-drill")
class Drill:
    class Settings(Section):
        speed: PositiveInt = 1


class Tools(Sections):
    registry = TOOLS
    defaults = {"hand_drill": {"speed": 7}}  # noqa: RUF012
    count: PositiveInt = 1


class Whole(Section):
    shape: one_of(SHAPES, "disc") = Field(Disc(), description="the shape")
    tools: Tools = Field(default_factory=Tools)


def faults(values: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as refusal:
        Whole.model_validate(values)
    return [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in refusal.value.errors()]


@pytest.mark.parametrize(
    ("value", "entry"),
    [
        ("disc", Disc()),
        ({"radius": 5}, Disc(radius=5)),
        ({"name": "disc", "radius": 5}, Disc(radius=5)),
        ("round-box", Box()),
        ({"name": "round-box", "sides": [3, 4]}, Box(sides=(3, 4))),
        (Box(), Box()),
        ("drawing:a:b.svg", Drawing(file="a:b.svg")),
        ({"name": "drawing:a.svg", "scale": 3}, Drawing(file="a.svg", scale=3)),
        ({"name": "drawing", "file": "a.svg"}, Drawing(file="a.svg")),
    ],
)
def test_one_of_takes_a_name_or_settings(value, entry):
    assert Whole.model_validate({"shape": value}).shape == entry


def test_plain_values_are_read_back_to_equal_sections():
    config = Whole.model_validate({"shape": {"radius": 3, "tags": ["b", "a"]}, "tools": {"saw": {"big": True}}})
    values = plain(config)
    assert values == {
        "shape": {"name": "disc", "radius": 3, "tags": ["b", "a"]},
        "tools": {"count": 1, "hand_drill": {"speed": 7}, "saw": {"big": True}},
    }
    assert list(values["tools"]) == sorted(values["tools"])
    assert Whole.model_validate(values) == config


def test_subsections_have_their_entries_defaults_unless_the_section_has_others():
    tools = Whole.model_validate({}).tools
    assert tools.of("hand-drill").speed == tools.hand_drill.speed == 7 and not tools.saw.big
    assert Whole.model_validate({"tools": {"hand_drill": {}}}).tools.hand_drill.speed == 1


def test_faults_name_the_key():
    assert faults({"shape": {"radius": 0}})[0][0] == "shape.radius"
    assert faults({"shape": {"radios": 1}})[0] == ("shape.radios", "Extra inputs are not permitted")
    assert "unknown shape 'disk'; did you mean disc?" in faults({"shape": "disk"})[0][1]
    assert "the shape disc takes no text after a colon; write disc, or a mapping" in faults({"shape": "disc:3"})[0][1]
    assert "unknown shape 'drawign'; did you mean drawing?" in faults({"shape": "drawign:a"})[0][1]
    assert "drawing needs a file; write drawing:<file>" in faults({"shape": "drawing"})[0][1]
    assert "drawing:a sets file already" in faults({"shape": {"name": "drawing:a", "file": "b"}})[0][1]
    assert faults({"shape": {"name": "drawing:a", "scale": 0}})[0][0] == "shape.scale"
    assert "give the name of one shape" in faults({"shape": 3})[0][1]
    assert faults({"tools": {"hand_drill": {"speed": "x"}}})[0][0] == "tools.hand_drill.speed"
    assert faults({"tools": {"hammer": {}}})[0][0] == "tools.hammer"
    assert faults({"tools": {"count": 0}})[0][0] == "tools.count"


def test_fields_include_subsections():
    assert list(fields_of(Tools)) == ["count", "saw", "hand_drill"]


def test_sections_cannot_be_changed():
    with pytest.raises(ValidationError):
        Whole().tools.count = 2
