"""The config's schema, its reference and the presets say the same."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from wsl.config.schema import Config, load_config
from wsl.reference import reference

CONFIG = Path(__file__).parents[1] / "config"


def test_reference_is_up_to_date():
    assert (CONFIG / "README.md").read_text() == reference(), "run: python -m wsl.reference > config/README.md"


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

    assert [key for key, description in keys(Config) if not description] == []


def test_thesis_preset_holds_what_the_thesis_states():
    thesis = load_config(yaml.safe_load((CONFIG / "thesis.yaml").read_text()))
    assert (thesis.zoo.members, thesis.zoo.architecture.width, thesis.zoo.classes_per_task) == (1000, 64, 3)
    assert thesis.zoo.parts.model_dump() == {"train": 850, "validation": 100, "test": 50}
    assert thesis.zoo.early_epoch.integers == (5, 10)
    assert (thesis.zoo.max_epoch.normal, thesis.zoo.max_epoch.clip) == ((100, 15), (50, 150))
    assert thesis.zoo.optimizer.choice == ["adam", "sgd"]
    assert (thesis.images.size, thesis.images.classes) == (224, "imagenet-1k")
    assert (thesis.datasets.model, thesis.datasets.weights) == ("ViT-B-32-quickgelu", "openai")
    assert (thesis.weights.autoencoder.hidden, thesis.weights.solver) == ([], "incremental")
    assert (thesis.shared.outcome_embedding, thesis.outcomes.spacing) == (512, "equal-width")
