"""The list of figures is read from their files without running them, and plug-ins add to it."""

import subprocess
import sys
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from PIL import Image

from wsl.errors import ConfigError
from wsl.figures.catalogue import CATEGORIES, figures_of, read_declaration
from wsl.report.contents import TABLES, contents
from wsl.report.facts import facts
from wsl.report.page import caption
from wsl.runs.run import Run

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests" / "plugins" / "toy_figure.py"
ENCODERS = {"two": {"encoder": {"name": "ae-pca", "hidden": [8]}}}


@pytest.fixture(scope="module")
def run():
    """A run with changed keys: ``run(evaluation={...})``."""
    default = yaml.safe_load((ROOT / "config" / "digits-thesis.yaml").read_text())
    return lambda **changes: Run({**default, **changes})


def shown(run: Run) -> list[str]:
    return [figure.name for figure in figures_of(run) if figure.shown]


def test_a_run_shows_the_figures_that_its_config_asks_for_in_order(run):
    usual = ["zoo_overview", "autoencoder_loss", "output_metrics", "shared_encoder_loss", "similarity_heatmap"]
    usual += ["accuracy", "finetuning", "regimes"]
    assert shown(run()) == usual
    more = run(evaluation={"properties": True, "bench": {"encoders": ENCODERS}})
    extra = {"prompt_alignment", "null_arms", "retrieval", "shared_map"}
    extra |= {"encoder_rows", "weight_encoders", "encoder_training", "encoder_shares"}
    assert {*shown(more)} == {*usual} | extra
    categories = [CATEGORIES.index(figure.category) for figure in figures_of(more)]
    assert categories == sorted(categories)


def test_each_declaration_names_the_arguments_of_draw(run):
    for figure in figures_of(run()):
        module, name = figure.call.rsplit(".", 1)
        arguments = {*figure.inputs, *figure.settings, "pdf", "png"}
        assert set(signature(getattr(import_module(module), name)).parameters) == arguments, figure.name
        assert module == f"wsl.figures.{figure.name}"


def test_the_list_is_read_without_pandas_or_matplotlib():
    code = "import sys; from pathlib import Path; from types import SimpleNamespace as S; import wsl.runs.run\n"
    code += "from wsl.figures.catalogue import BUILT_IN, read_declaration\n"
    code += "assert sum(read_declaration(path) is not None for path in BUILT_IN.glob('*.py')) > 10\n"
    code += "import wsl.report.contents; assert not {'matplotlib', 'pandas', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_a_plug_in_adds_a_figure_with_its_caption(run, tmp_path):
    extended = run(plugins=[str(TOY)])
    (toy,) = (figure for figure in figures_of(extended) if figure.name == "toy_figure")
    assert toy.shown and toy.inputs == {"members": extended.paths.table("members")}
    assert [item["name"] for item in contents(extended, figures_of(extended))[:2]] == ["toy_figure", "zoo_overview"]
    assert caption(toy.caption, facts(extended)).startswith("Validation accuracy by validation loss of the ")
    table = pd.DataFrame({"max_validation_loss": [0.1, 0.5], "max_validation_accuracy": [0.9, 0.8]})
    table.to_csv(tmp_path / "members.csv")
    module, name = toy.call.rsplit(".", 1)
    files = {"pdf": tmp_path / "x.pdf", "png": tmp_path / "x.png"}
    getattr(import_module(module), name)(members=tmp_path / "members.csv", **files, **toy.settings)
    with Image.open(files["png"]) as image:
        assert image.width > 600


def test_figures_come_first_and_tables_in_their_order(run):
    items = contents(run(), figures_of(run()))
    assert [item["name"] for item in items if item["kind"] == "table"] == [
        *("reconstruction", "accuracy", "recalibration", "specialisation", "pca", "members", "classes")
    ]
    full = run(evaluation={"properties": True, "bench": {"encoders": ENCODERS, "by": ["optimizer"]}})
    items = contents(full, figures_of(full))
    assert [item["name"] for item in items if item["kind"] == "table"] == list(TABLES)
    assert all(item["category"] in CATEGORIES for item in items)


@pytest.mark.parametrize(
    "text, message",
    [
        ("FIGURE = {'title': NAME}\n", "name 'NAME' is not defined"),
        ("FIGURE = {'titel': 'x'}\n", "titel"),
        ("FIGURE = {'title': 'x', 'category': 'Zoo'}\n", "inputs"),
    ],
)
def test_a_wrong_declaration_is_refused_with_its_file(tmp_path, text, message):
    path = tmp_path / "mine.py"
    path.write_text(text + "def draw(pdf, png): ...\n")
    with pytest.raises(ConfigError, match=message) as caught:
        read_declaration(path)
    assert str(path) in str(caught.value) and "title, category, inputs" in str(caught.value)


def test_a_figure_without_draw_or_caption_or_with_a_known_name_is_refused(tmp_path):
    path = tmp_path / "accuracy.py"
    declaration = "FIGURE = {'title': 'x', 'category': 'Zoo', 'inputs': lambda run: {}}\n"
    path.write_text(declaration)
    with pytest.raises(ConfigError, match="no function draw"):
        read_declaration(path)
    path.write_text(declaration + "def draw(pdf, png): ...\n")
    fake = SimpleNamespace(config=SimpleNamespace(plugins=[path]))
    with pytest.raises(ConfigError, match="two files define the figure accuracy"):
        figures_of(fake)


def test_a_plug_in_without_a_caption_is_refused(run, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(TOY.read_text())
    with pytest.raises(ConfigError, match=r"the figure mine has no caption; write .*mine\.rst"):
        figures_of(run(plugins=[str(path)]))


def test_a_function_that_fails_is_reported_with_its_file(run, tmp_path):
    path = tmp_path / "mine.py"
    path.with_suffix(".rst").write_text("Mine.")
    path.write_text(TOY.read_text().replace("run.paths.table", "run.path.table"))
    with pytest.raises(ConfigError, match=r"mine\.py: a function in FIGURE fails .AttributeError"):
        figures_of(run(plugins=[str(path)]))
