"""The schema of the config, its reference and the presets agree."""

import re
from pathlib import Path
from typing import ClassVar

import pytest
import yaml
from pydantic import BaseModel, Field

from wsl.config.reference import _section, reference
from wsl.config.schema import Config, load_config
from wsl.settings.registry import Registry
from wsl.settings.sections import Named, Section, Sections, one_of

CONFIG = Path(__file__).parents[2] / "config"


def test_reference_is_up_to_date():
    assert (CONFIG / "README.md").read_text() == reference(), "run: python -m wsl.config.reference > config/README.md"


def test_every_preset_is_named():
    named = set(re.findall(r"^- `(\S+\.yaml)`", reference(), re.MULTILINE))
    assert named == {path.name for path in CONFIG.glob("*.yaml")}


@pytest.mark.parametrize("preset", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.stem)
def test_presets_are_valid(preset):
    load_config(yaml.safe_load(preset.read_text()))


def test_every_key_is_explained():
    def keys(model, path=""):
        for name, field in model.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from keys(field.annotation, f"{path}{name}.")
            else:
                yield f"{path}{name}", field.description
        for name, settings in model.subsections().items() if issubclass(model, Sections) else ():
            yield from keys(settings, f"{path}{name}.")

    assert [key for key, description in keys(Config) if not description] == []


class Border(Section):
    width: float = Field(1.0, description="width in pixels")
    dashed: bool = Field(False, description="draw dashes")


class Side(Section):
    """A square."""

    side: float = Field(2.5, description="side in pixels")


class Circle(Named):
    """A circle.

    It is round.
    """

    radius: int = Field(3, ge=1, description="radius in pixels")
    border: Border = Border()


class Square(Named):
    """Not shown, since the summary is."""

    summary: ClassVar[str] = "A square | box."
    border: Border = Border()


class Round:
    summary = "A circle."
    Settings = Border


class Flat:
    """Not shown, since the docstring of the settings is."""

    Settings = Side


class Point:
    """A point."""

    Settings = Section


def registry(**entries):
    shapes = Registry("shape", "tests")
    shapes._complete = True  # there is no package to import
    for name, entry in entries.items():
        shapes.register(name.replace("_", "-"))(entry)
    return shapes


def tables(model, defaults=None):
    return "".join(_section("shape", model, "Some shapes.", defaults, {}))


def test_a_field_that_selects_an_entry_lists_all_entries_and_their_settings():
    shapes = registry(circle=Circle, flat_square=Square)

    class Drawing(Section):
        figure: one_of(shapes, "circle") = Field(shapes["circle"](), description="what is drawn")

    text = tables(Drawing)
    assert "| `figure` | `circle`, `flat-square` | `circle` | what is drawn |" in text
    assert "## `shape.figure`" in text
    assert "| `circle` | A circle. |\n| `flat-square` | A square \\| box. |" in text
    assert "| `radius` | `circle` | integer (at least 1) | `3` | radius in pixels |" in text
    assert text.count("| `border.width` | all | number | `1` | width in pixels |") == 1


def test_an_entry_with_one_setting_is_a_row_and_others_are_sections():
    shapes = registry(circle=Round, flat_square=Flat, point=Point)

    class Shapes(Sections):
        """Shapes by name."""

        registry = shapes
        defaults = {"circle": {"width": 2.0}}  # noqa: RUF012

    text = tables(Shapes)
    assert "| `flat_square.side` | number | `2.5` | A square; side in pixels |" in text
    assert "| shape without settings | description |\n|---|---|\n| `point` | A point. |\n" in text
    assert "## `shape.circle`\n\nA circle.\n" in text
    assert "| `width` | number | `2` | width in pixels |" in text

    class Two(Section):
        first: Shapes = Field(default_factory=Shapes)
        second: Shapes = Field(default_factory=Shapes)

    text = tables(Two)
    assert text.count("flat_square.side") == 1
    assert "The keys are those of [`shape.first`](#shapefirst). Other defaults: `circle: {width: 2}`." in text


def test_the_thesis_preset_has_the_values_of_the_thesis():
    thesis = load_config(yaml.safe_load((CONFIG / "thesis.yaml").read_text()))
    assert (thesis.zoo.members, thesis.zoo.architecture.width, thesis.zoo.classes_per_task) == (1000, 64, 3)
    assert thesis.zoo.parts.model_dump() == {"train": 850, "validation": 100, "test": 50}
    assert thesis.zoo.early_epoch.integers == (5, 10)
    assert (thesis.zoo.max_epoch.normal, thesis.zoo.max_epoch.clip) == ((100, 15), (50, 150))
    assert thesis.zoo.optimizer.choice == ["adam", "sgd"]
    assert (thesis.images.size, thesis.images.classes) == (224, "imagenet-1k")
    assert (thesis.datasets.model, thesis.datasets.weights) == ("ViT-B-32-quickgelu", "openai")
    assert (thesis.weights.encoder.hidden, thesis.weights.solver) == ([], "incremental")
    assert (thesis.shared.outcome_embedding, thesis.outcomes.spacing) == (512, "equal-width")
