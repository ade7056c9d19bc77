"""The schema for editors: up to date, accepts configs that run, and marks mistakes."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from wsl.config.json_schema import json_schema

ROOT = Path(__file__).parents[2]
CONFIGS = [*ROOT.glob("config/*.yaml"), *ROOT.glob("docs/studies/*/*.yaml")]
TINY = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def schema():
    return json.loads((ROOT / "config" / "schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def faults(schema):
    """Return the places of a config that the schema refuses, with the messages."""
    validator = jsonschema.Draft7Validator(schema)

    def found(config):
        return {".".join(map(str, fault.absolute_path)): fault.message for fault in validator.iter_errors(config)}

    return found


def test_file_is_up_to_date_and_a_schema(schema):
    assert schema == json_schema(), "run: python -m wsl.config.json_schema > config/schema.json"
    jsonschema.Draft7Validator.check_schema(schema)
    shown_by_the_catalog = ROOT / "workflow" / "schemas" / "config.schema.json"
    assert shown_by_the_catalog.read_bytes() == (ROOT / "config" / "schema.json").read_bytes()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_accepts_configs(faults, path):
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert faults({"run": "part", **config}) == {}  # some files of studies are changes to others


@pytest.mark.parametrize("path", sorted(ROOT.glob("config/*.yaml")), ids=lambda path: path.name)
def test_editors_find_it_by_the_first_line(path):
    line = path.read_text(encoding="utf-8").splitlines()[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(.+)", line)[1]
    assert (path.parent / named).samefile(ROOT / "config" / "schema.json")


@pytest.mark.parametrize(
    "accepted",
    [
        {"zoo": {"architecture": "mine"}},
        {"zoo": {"architecture": {"name": "mine", "anything": 3}}},
        {"zoo": {"architecture": ["mlp", {"width": 2}]}},
        {"zoo": {"architecture": {"name": "timm:resnet10t"}}},
        {"zoo": {"architecture": {"name": "timm", "model": "resnet10t"}}},
        {"zoo": {"batch_size": {"integers": [8, 16]}, "weight_decay": 0.1, "learning_rate": {"adam": 0.001}}},
        {"sampling": {"mine": {"anything": 3}}},
    ],
)
def test_accepts_plugins_short_forms_and_distributions(faults, accepted):
    assert faults({**TINY, **accepted}) == {}


@pytest.mark.parametrize(
    "place, wrong",
    [
        ("", {"sed": 3}),
        ("zoo", {"zoo": {"membres": 3}}),
        ("zoo.members", {"zoo": {"members": 0}}),
        ("zoo.architecture", {"zoo": {"architecture": {"wdth": 2}}}),
        ("zoo.architecture", {"zoo": {"architecture": {"name": "mlp", "wdth": 2}}}),
        ("zoo.batch_size", {"zoo": {"batch_size": {"integrs": [8, 16]}}}),
        ("images.source", {"images": {"source": {"name": "glyphs", "drawn": 0}}}),
        ("weights.gate", {"weights": {"gate": "nothing"}}),
        ("sampling.draw", {"sampling": {"draw": 3}}),
    ],
)
def test_marks_mistakes(faults, place, wrong):
    assert set(faults({**TINY, **wrong})) == {place}
