"""The guides work as written: every block of them is executed, in order, in an empty folder."""

import json

import pandas as pd
import pytest
from guides.pages import execute

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
