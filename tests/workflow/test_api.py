"""The Python interface on a run of the workflow: its files, runs without some of them, and the notebook."""

import ast
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import wsl
from tests.conftest import photo
from wsl.errors import DataError
from wsl.files.plain import read_json, write_json
from wsl.weights.codec import read_latents
from wsl.zoo.member import read_member

pytestmark = pytest.mark.slow

IMAGES = {name: [photo(place, f"{name}{number}") for number in range(4)] for place, name in enumerate("xyz")}
NOTEBOOK = Path("docs", "notebooks", "first-steps.ipynb")


@pytest.fixture(scope="module")
def run(results):
    return wsl.open(results)


@pytest.fixture
def copied(results, tmp_path):
    """A copy of the run's results."""
    return Path(shutil.copytree(results, tmp_path / "copy"))


def test_tables_figures_and_config_are_those_of_the_run(run, results, tiny_config):
    pd.testing.assert_frame_equal(run.members, pd.read_csv(results / "tables" / "members.csv"))
    assert set(run.table("accuracy")["images"]) >= {"1", "all"} and "members" in run.tables
    figure = run.figure("accuracy")
    assert figure._repr_png_() == (results / "figures" / "accuracy.png").read_bytes() and figure.pdf.is_file()
    assert figure.image.width > 100
    assert run.config["seed"] == tiny_config["seed"] and run.config["images"]["source"] == {
        "name": "digits",
        "test_share": 0.2,
    }
    assert run.summary["members"] == 8 and "members=8" in repr(run) and "projection" in run._repr_html_()
    with pytest.raises(DataError, match="has no table 'acuracy'; it has accuracy, classes, members"):
        run.table("acuracy")


def test_members_of_any_part_are_found(run, results):
    latents, snapshots = read_latents(results / "weights" / "latents" / "test.h5")
    standard = (latents - latents.mean(0)) / np.where(latents.std(0) > 0, latents.std(0), 1)
    row = snapshots.index[(snapshots["member"] == 2) & (snapshots["snapshot"] == "max")][0]
    lengths = np.linalg.norm(standard, axis=1) * np.linalg.norm(standard[row])
    cosines = pd.Series(standard @ standard[row] / lengths)[snapshots["member"] != 2]
    found = run.neighbours(2, part="test")
    assert list(found["member"]) == [5] and found["cosine"].item() == pytest.approx(cosines.max(), abs=1e-3)
    assert len(run.neighbours(results / "zoo" / "members" / "00005.h5", n=3)) == 3


def test_a_run_whose_sampler_lists_no_shared_encoder_has_neighbours(run, copied):
    with run.embed(IMAGES) as data:
        expected = run.neighbours(data, loss=0.5)
    description = read_json(copied / "sampling" / "sampler.json")
    del description["files"]["shared"]
    write_json(copied / "sampling" / "sampler.json", description)
    other = wsl.open(copied)
    with other.embed(IMAGES) as data:
        pd.testing.assert_frame_equal(other.neighbours(data, loss=0.5), expected)
        (copied / "shared" / "encoder.safetensors").rename(copied / "shared" / "away")
        with pytest.raises(DataError, match=r"encoder\.safetensors is missing, so .* has no shared space"):
            other.neighbours(data)


def test_a_run_without_images_encodes_weights_and_refuses_images(run, copied):
    member = copied / "zoo" / "members" / "00005.h5"
    (copied / "sampling" / "sampler.json").unlink()
    other = wsl.open(copied)
    np.testing.assert_array_equal(other.encode(member), run.encode(read_member(member).weights[-1]))
    pd.testing.assert_frame_equal(other.neighbours(5, n=3), run.neighbours(5, n=3))
    for call in (other.embed, other.sample):
        with pytest.raises(DataError, match=r"has no sampler, since its images\.source is none; give a run with"):
            call(IMAGES)
    (copied / "report.html").rename(copied / "away.html")
    with pytest.raises(DataError, match=r"report\.html is missing, which contains the config of the run"):
        wsl.open(copied).encode(member)


def test_an_unfinished_run_is_named_as_such(copied):
    for name in ("summary.json", "sampling/sampler.json"):
        (copied / name).unlink()
    with pytest.raises(DataError, match="is an unfinished run: `wsl watch"):
        wsl.open(copied)


def test_the_notebook_runs(results, repository, monkeypatch, tmp_path):
    """Cell by cell in this process: a kernel of Jupyter takes as long to start as all else, and needs 20 packages."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSL_RUN", str(results))
    monkeypatch.setenv("WSL_IMAGES", "5")
    cells = json.loads((repository / NOTEBOOK).read_text(encoding="utf-8"))["cells"]
    names, shown = {}, []
    for cell in cells:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            *lines, last = ast.parse("".join(cell["source"])).body
            lines, value = (lines, last.value) if isinstance(last, ast.Expr) else ([*lines, last], ast.Constant(None))
            exec(compile(ast.Module(lines, []), str(NOTEBOOK), "exec"), names)
            shown.append(eval(compile(ast.Expression(value), str(NOTEBOOK), "eval"), names))
    kinds = Counter(kind for value in shown for kind in ("html", "png", "markdown") if hasattr(value, f"_repr_{kind}_"))
    assert kinds == {"html": 8, "png": 2, "markdown": 1}
    for value in shown:
        for show in (getattr(value, f"_repr_{kind}_", None) for kind in kinds):
            assert show is None or show()
    assert not list(tmp_path.iterdir())
