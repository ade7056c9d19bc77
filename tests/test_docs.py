"""What the documentation says of configs and code is true of them."""

import re
import sys
from pathlib import Path
from subprocess import run

import pytest
import yaml
from pydantic import BaseModel

from wsl.config.schema import Config, load_config
from wsl.images.own import own_classes
from wsl.images.packing import read_folder

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


def test_keys_of_the_config_are_there():
    def known(path):
        model = Config
        for name in path.split("."):
            if not (isinstance(model, type) and issubclass(model, BaseModel)) or name not in model.model_fields:
                return False
            model = model.model_fields[name].annotation
        return True

    named = {(page.name, key) for page in PAGES for key in KEY.findall(page.read_text())}
    named = {(page, key) for page, key in named if not key.endswith((".yaml", ".csv"))}
    assert len(named) > 30
    assert sorted((page, key) for page, key in named if not known(key)) == []


def test_links_lead_to_files_of_the_repository():
    links = [(page, link) for page in PAGES for link in re.findall(r"\]\(([^)#\s]+)", page.read_text())]
    inside = [(page, link) for page, link in links if "://" not in link]
    assert len(inside) > 40
    assert [(str(page), link) for page, link in inside if not (page.parent / link).is_file()] == []


def test_the_tutorial_draws_images_that_can_be_sampled_for(tmp_path):
    drawing, using = (text for kind, text in BLOCK.findall((ROOT / "docs" / "tutorial.md").read_text()))
    run([sys.executable, "-c", drawing], cwd=tmp_path, check=True)
    assert own_classes(tmp_path / "letters", None, 3) == ["A", "K", "X"]
    images, skipped = read_folder(tmp_path / "letters" / "K", 32)
    assert images.shape == (40, 32, 32, 3) and not skipped
    assert images.std(axis=0).max() > 50  # no two alike
    compile(using, "tutorial", "exec")
