"""Growth by the number of members: runs on one zoo, and means over zoos of several seeds by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, logit

from wsl.evaluation.growth import growth_rows, write_growth


def run(name, members, seed, accuracy, regime="independent", snapshots=7):
    """Rows of an accuracy table: a sampler on seen classes, and rows that growth does not show."""
    about = {"run": name, "regime": regime, "members": members, "zoo_seed": seed, "sampler": "flow", "classes": "seen"}
    about["snapshots"] = snapshots
    numbers = {"accuracy": accuracy, "low": accuracy - 0.1, "high": accuracy + 0.1, "tasks": 5, "sets": 1}
    rows = [{**about, "images": "all", "epochs": 0, **numbers, "unit": "members"}]
    rows += [{**rows[0], **other} for other in ({"epochs": 5}, {"images": "5"}, {"classes": "validation"})]
    return pd.DataFrame(rows)


def reconstruction(agreement):
    row = {"stage": "latent", "snapshot": "max", "metric": "agreement", "mean": agreement, "low": 0.1, "high": 0.9}
    rows = [row, {**row, "stage": "pca", "mean": 0.99}, {**row, "snapshot": "1", "mean": 0.98}]
    return pd.DataFrame([*rows, {**row, "metric": "cosine", "mean": 0.97}]).assign(tasks=5, sets=1, unit="members")


def test_runs_on_one_zoo_keep_their_intervals():
    runs = [run("a", 840, 0, 0.8), run("b", 100, 0, 0.5), run("c", 100, 0, 0.6), run("d", 200, 0, 0.7, "shared")]
    rows = growth_rows(pd.concat(runs), {"a": reconstruction(0.7), "d": reconstruction(0.2)})
    assert rows[["measure", "members", "value"]].values.tolist() == [
        *(["accuracy", 840, 0.8], ["accuracy", 100, 0.5]),  # of two runs with as many members, the first
        ["agreement", 840, 0.7],
    ]
    assert rows["low"].tolist() == pytest.approx([0.7, 0.4, 0.1]) and set(rows["zoo_seeds"]) == {1}
    assert set(rows["unit"]) == {"members"} and set(rows["sampler"]) == {"flow", "reconstructed"}


def test_zoos_of_several_seeds_are_the_units(tmp_path):
    values = {100: [0.5, 0.6, 0.55], 840: [0.9]}
    runs = [run(f"{size}-{seed}", size, seed, value) for size, of in values.items() for seed, value in enumerate(of)]
    runs.append(run("again", 100, 2, 0.1))  # another run on the third zoo adds no zoo
    names, paths = ["100-0", "100-1", "840-0"], []
    for name, agreement in zip(names, (0.3, 0.5, 0.6), strict=True):
        paths.append(tmp_path / f"{name}.csv")
        reconstruction(agreement).to_csv(paths[-1], index=False)
    pd.concat(runs).to_csv(tmp_path / "accuracy.csv", index=False)
    write_growth(tmp_path / "accuracy.csv", paths, tmp_path / "growth.csv", names)
    rows = pd.read_csv(tmp_path / "growth.csv").set_index(["measure", "members"])
    few, mean = rows.loc[("accuracy", 100)], np.mean(values[100])
    reach = stats.t.ppf(0.975, 2) * stats.sem(values[100]) / (mean * (1 - mean))
    expected = [mean, *expit([logit(mean) - reach, logit(mean) + reach])]
    assert few[["value", "low", "high"]].tolist() == pytest.approx(expected, abs=1e-4)
    assert (few["zoo_seeds"], few["unit"], few["tasks"]) == (3, "zoo seeds", 5)
    # The variation between zoos is unknown for one zoo, so it has no interval beside those of several.
    many = rows.loc[("accuracy", 840)]
    assert many["value"] == 0.9 and many[["low", "high"]].isna().all() and many["unit"] == "zoo seeds"
    assert rows.loc[("agreement", 100), "value"] == 0.4 and rows.loc[("agreement", 100), "zoo_seeds"] == 2


def test_unknown_seeds_count_as_one_zoo():
    runs = [run("a", 100, None, 0.8), run("b", 100, None, 0.5)]
    assert growth_rows(pd.concat(runs))["value"].tolist() == [0.8]
    assert growth_rows(pd.concat(runs).drop(columns=["zoo_seed", "snapshots"]))["zoo_seeds"].tolist() == [1]


def test_runs_on_other_snapshots_of_a_zoo_have_rows_of_their_own():
    runs = [run("a", 100, seed, 0.8, snapshots=count) for seed in (0, 1) for count in (1, 8)]
    rows = growth_rows(pd.concat(runs))
    assert rows["snapshots"].tolist() == [1, 8] and rows["zoo_seeds"].tolist() == [2, 2]
