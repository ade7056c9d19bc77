"""The study of conditioning: its configs, and the small version of its runs."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from wsl.launch.planning import _changed
from wsl.sampling.methods.base import METHODS

STUDY = Path(__file__).parents[2] / "docs" / "studies" / "conditioning"


def config(*names: str) -> dict:
    merged: dict = {}
    for name in names:
        merged = _changed(merged, yaml.safe_load((STUDY / name).read_text(encoding="utf-8")))
    return merged


@pytest.mark.parametrize("width", [4, 8, 16])
def test_widths_differ_in_nothing_else(width):
    base, wider = config("gap.yaml"), config("gap.yaml", f"width-{width}.yaml")
    assert wider["run"] == f"gap-width-{width}" and base["run"] == "gap-width-2"
    assert wider["zoo"]["architecture"].pop("width") == width and base["zoo"]["architecture"].pop("width") == 2
    assert {**wider, "run": ""} == {**base, "run": ""}


@pytest.mark.slow
def test_the_gap_is_measured_against_all_bodies(plain_snakemake, tmp_path):
    done = plain_snakemake(STUDY / "gap-tiny.yaml", "--cores", "2", "results/gap-tiny/tables/specialisation.csv")
    assert done.returncode == 0, done.stdout[-20_000:]
    gains = pd.read_csv(tmp_path / "results/gap-tiny/tables/specialisation.csv")
    assert set(gains["classes"]) == {"seen", "unseen"}
    (body,) = set(gains["body"])
    assert METHODS[body].one_body
    merged = {"task-arithmetic-prototypes", "task-arithmetic-inference", "nearest-soup-prototypes"}
    assert merged | {"generator", "body-probe", "prototypes", "trained"} <= set(gains["sampler"])
    assert set(gains.loc[gains["sampler"] == "trained", "epochs"]) == {0}
    assert set(gains.loc[gains["sampler"] == "nearest-soup-prototypes", "epochs"]) == {0, 1}
