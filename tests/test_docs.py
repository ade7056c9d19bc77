"""Configs, keys, links and code in the documentation are correct."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from wsl.config.schema import Config, load_config
from wsl.settings.sections import fields_of

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
KEY = re.compile(rf"`((?:{'|'.join(Config.model_fields)})(?:\.[a-z_]+)+)(?=[`:])")


def blocks(language):
    """The fenced blocks of a language, with their pages."""
    return [
        pytest.param(text, id=f"{page.relative_to(ROOT)}-{place}")
        for page in PAGES
        for place, (kind, text) in enumerate(BLOCK.findall(page.read_text()))
        if kind == language
    ]


@pytest.mark.parametrize("text", blocks("yaml"))
def test_configs_are_valid(text):
    load_config({"run": "mine", **yaml.safe_load(text)})


def test_keys_of_the_config_exist():
    def known(path):
        model = Config
        for name in path.split("."):
            if not (isinstance(model, type) and issubclass(model, BaseModel)) or name not in fields_of(model):
                return False
            model = fields_of(model)[name]
        return True

    named = {(page.name, key) for page in PAGES for key in KEY.findall(page.read_text())}
    named = {(page, key) for page, key in named if not key.endswith((".yaml", ".csv"))}
    assert len(named) > 30
    assert sorted((page, key) for page, key in named if not known(key)) == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_links_lead_to_files_of_the_repository():
    pages = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "config" / "README.md"]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#\s]+)", page.read_text())]
    inside = [(page, link) for page, link in links if "://" not in link]
    assert len(inside) > 40
    assert [(str(page), link) for page, link in inside if not (page.parent / link).is_file()] == []


def test_methods_of_the_guide_are_those_of_the_tests():
    guide = (ROOT / "docs" / "guides" / "add-your-method.md").read_text()
    titled = re.findall(r'^```python title="parts/(\w+\.py)"\n(.*?)^```$', guide, re.DOTALL | re.MULTILINE)
    assert [name for name, _ in titled] == ["toy_weight_encoder.py", "toy_sampler.py"]
    for name, code in titled:
        assert code == (ROOT / "tests" / "plugins" / name).read_text()
