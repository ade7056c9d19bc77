"""The tutorial and the guides work as written: every block of them is executed, in order, in one folder."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from pages import execute
from PIL import Image

from wsl.zoo.index import open_zoo

pytestmark = pytest.mark.slow


def test_own_zoo(tmp_path):
    execute("docs/guides/own-zoo.md", tmp_path)
    numbers = json.loads((tmp_path / "results" / "mine" / "summary.json").read_text())
    assert numbers["members"] == 10
    # What the script computed with its own forward pass is what the workflow computes from weights and images.
    table = pd.read_csv(tmp_path / "results" / "mine" / "evaluation" / "imported.csv")
    assert (table["reported"] - table["recomputed"]).abs().max() < 0.05
    saved = pd.read_csv(tmp_path / "weights" / "results.csv").groupby("member")["val_acc"].last()
    assert numbers["validation_accuracy_max"] == pytest.approx(saved.mean(), abs=1e-3)


def test_own_architecture(tmp_path):
    execute("docs/guides/own-architecture.md", tmp_path)
    with open_zoo(tmp_path / "results" / "patches" / "zoo" / "test.h5") as zoo:
        assert zoo.layout.size == 8 * 3 * 16 + 8 + 8 * 8 + 8 + 3 * 8 + 3  # by hand
        assert json.loads(zoo.layout.architecture) == {"name": "patches", "width": 8}
    accuracies = pd.read_csv(tmp_path / "results" / "patches" / "tables" / "accuracy.csv")
    assert {"projection", "prototypes"} <= set(accuracies["sampler"])


def test_own_photographs(class_folders, tmp_path):
    counts = {"koala": 24, "tarantula": 20, "yak": 22, "zebra": 20, "adder": 26}
    photos = class_folders({"train": counts, "val": dict.fromkeys(counts, 8)})
    (tmp_path / "photos").symlink_to(photos)
    *_, sampled = execute("docs/guides/own-photographs.md", tmp_path)
    packed = pd.read_csv(tmp_path / "results" / "trial" / "tables" / "classes.csv").set_index("class")
    assert (packed["train"] + packed["validation"]).to_dict() == counts and set(packed["test"]) == {8}
    assert "koala, tarantula, yak" in sampled and (tmp_path / "model.safetensors").is_file()


def test_add_your_method(made, tmp_path):
    """On the tiny run, and planned alone: tests/workflow/test_plugins.py runs both methods through the workflow."""
    for name in (".snakemake", "results"):
        shutil.copytree(made[1] / name, tmp_path / name)
    changes = {"glyphs": "tiny", "wsl run mine.yaml": "wsl run mine.yaml -- -n", "results/mine --out": "--out"}
    planned, gathered = execute("docs/guides/add-your-method.md", tmp_path, changes)
    assert all(rule in planned for rule in ("measure_encoder", "fit_toy-ridge", "about_tables"))
    assert "train_cohort" not in planned and "pack_class" not in planned
    table = pd.read_csv(tmp_path / "tables" / "accuracy.csv")
    assert "accuracy.csv" in gathered and set(table["run"]) == {"tiny"} and set(table["run_seed"]) == {7}
    assert table[["wsl", "torch", "machine", "config"]].notna().all(axis=None)


def test_tutorial(made, tmp_path):
    """From `Look at the results` on with the tiny run in place of both, which is not made again."""
    pristine = made[1]
    for name in (".snakemake", "results"):
        shutil.copytree(pristine / name, tmp_path / name)
    before = (tmp_path / "results" / "tiny" / "zoo" / "train.h5").stat().st_mtime_ns
    first, *_, changed = execute("docs/tutorial.md", tmp_path, {"results/glyphs": "results/tiny"})
    assert "complete" in first
    assert "complete" in changed and (tmp_path / "results" / "tiny" / "zoo" / "train.h5").stat().st_mtime_ns == before
    for suit in ("club", "heart", "spade"):
        images = np.array([np.asarray(Image.open(path)) for path in sorted((tmp_path / "suits" / suit).iterdir())])
        assert images.shape == (40, 48, 48)
        assert len(np.unique(images, axis=0)) == 40  # a repeated image would be left out
