"""Gains from refinement on validation images."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from tests.networks import resnet18_layout
from wsl.evaluation.refined import STAGES, judge_refinement, refinement_table
from wsl.evaluation.validation import ValidationImages
from wsl.images.tasks import TaskImages
from wsl.sampling.loading import Choice
from wsl.sampling.refinement import Budget


def test_models_are_evaluated_before_and_after(zoo, method_files, autoencoder, coefficients, shared, tmp_path):
    codes, out = {"latents": autoencoder.latents["train"], "coefficients": coefficients["train"]}, tmp_path / "r.csv"
    inputs = method_files([zoo.test], shared=shared.state, **codes)
    judge_refinement(inputs, out, Choice(name="projection", known=list("0124")), 0.3, Budget(steps=2, batch_size=16))
    rows = pd.read_csv(out)
    assert rows["method"].tolist() == list(STAGES) and set(rows["task"]) == {"0/3/2"}
    assert np.isfinite(rows["loss"]).all() and rows["accuracy"].between(0, 1).all()
    # Two members of one task get the same code from a sampler that draws nothing.
    inputs = method_files([zoo.test, zoo.test], shared=shared.state, **codes)
    for unit, times in (("members", 1), ("sets of classes", 2)):
        choice = Choice(name="projection", known=list("0124"))
        judge_refinement(inputs, out, choice, 0.3, Budget(steps=2, batch_size=16), unit)
        assert pd.read_csv(out)["method"].tolist() == list(STAGES) * times


def test_a_sampler_without_codes_has_no_row(zoo, method_files, tmp_path):
    judge_refinement(method_files([zoo.test]), tmp_path / "r.csv", Choice(name="mean", known=["0"]), 0.3)
    assert len(pd.read_csv(tmp_path / "r.csv")) == 0


def test_a_non_finite_model_has_infinite_loss(packed):
    layout = resnet18_layout(2, 3)
    images = ValidationImages(TaskImages(list(packed.values())), layout)
    assert images.judge(np.full(layout.size, np.inf, dtype=np.float32), "0/1/2") == (float("inf"), 0.0)


def test_table_averages_draws_first_and_counts_broken_models(tmp_path):
    values = [(1, 0, 0.2, 1.0), (1, 1, 0.4, 1.0), (2, 0, 0.9, 1.0), (2, 1, 0.9, np.inf)]
    about = {"part": "test", "sampler": "flow", "method": "refined"}
    rows = [
        {**about, "member": m, "task": f"{m}/x", "draw": d, "accuracy": a, "loss": loss} for m, d, a, loss in values
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "m.csv", index=False)
    refinement_table([tmp_path / "m.csv"], tmp_path / "t.csv")
    (row,) = pd.read_csv(tmp_path / "t.csv").to_dict("records")
    assert (row["accuracy"], row["tasks"], row["sets"], row["non_finite"]) == (0.6, 2, 2, 1)
    # Tasks average 0.3 and 0.9: logit(.6) -+ t(0.975, 1) * .3 / .24.
    reach = 12.7062 * 0.3 / (0.6 * 0.4)
    assert [row["low"], row["high"]] == pytest.approx(expit([logit(0.6) - reach, logit(0.6) + reach]), abs=1e-4)
