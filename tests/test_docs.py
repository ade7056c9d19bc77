"""Configs, keys, links and code in the documentation are correct."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from pydantic import BaseModel

from tests.networks import resnet18
from wsl.config.schema import Config, load_config
from wsl.files.tensors import write_tensors
from wsl.images.inputs import normalised
from wsl.images.objects import images_of
from wsl.images.own import own_classes
from wsl.images.reading import MEAN, STD
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


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory):
    """A folder in which the first script of the tutorial has run, and its second script."""
    folder = tmp_path_factory.mktemp("tutorial")
    drawing, using = (text for _, text in BLOCK.findall((ROOT / "docs" / "tutorial.md").read_text()))
    run_python(drawing, folder)
    return folder, using


def run_python(text, folder):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_tutorial_draws_images_that_can_be_sampled_for(tutorial):
    folder, _ = tutorial
    assert own_classes(images_of(folder / "suits"), None, 3) == ["club", "heart", "spade"]
    for suit in ("club", "heart", "spade"):
        images = np.array([np.asarray(Image.open(path)) for path in sorted((folder / "suits" / suit).iterdir())])
        assert images.shape == (40, 48, 48)
        assert len(np.unique(images, axis=0)) == 40  # a repeated image would be left out


def test_the_tutorial_loads_and_normalises_a_model_correctly(tutorial):
    folder, using = tutorial
    image = torch.from_numpy(np.array(Image.open(folder / "suits" / "heart" / "00.png").convert("RGB"))).permute(
        2, 0, 1
    )
    torch.manual_seed(0)
    answers = [0, 0]
    while answers[0] == answers[1]:  # until normalisation changes the predicted class
        network = resnet18(2, 3).eval()
        with torch.no_grad():
            answers = network(torch.stack([normalised(image[None])[0], image / 255])).argmax(1).tolist()
    about = {"architecture": {"name": "resnet18", "width": 2}, "classes": ["club", "heart", "spade"], "size": 48}
    about["preprocessing"] = {"mean": MEAN, "std": STD}
    write_tensors(folder / "suits.safetensors", network.state_dict(), about)
    assert run_python(using, folder) == about["classes"][answers[0]]
