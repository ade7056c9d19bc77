"""Figures show the numbers that they are given; files are whole and repeatable."""

import numpy as np
import pandas as pd
import pytest

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3], "train_loss": [3.0, 2.0, 1.0], "validation_loss": [3.5, 2.5, 2.7],
        "kept": [False, True, False], "train_chance": 4.1, "validation_chance": 3.1,
    }
)  # fmt: skip
METRICS = pd.DataFrame(
    {"epoch": [0, 0, 10, 10], "agreement": [0.2, 0.4, 0.9, 1.0], "cosine": [0, 0.2, 0.8, 1], "correlation": 0.5}
)
MEMBERS = pd.DataFrame(
    {
        "member": [0, 1], "early_validation_accuracy": [0.4, 0.5], "max_validation_accuracy": [0.9, 1.0],
        "early_validation_loss": [1.0, 2.0], "max_validation_loss": [0.1, np.nan],
    }
)  # fmt: skip
CURVES = pd.DataFrame({"member": [0, 0, 1, 1], "epoch": [1, 2, 1, 2], "validation_accuracy": [0.2, 0.8, 0.4, 0.6]})
SIMILARITIES = pd.DataFrame(
    [
        {"part": part, "weights_member": w, "pair_member": p, "pair_snapshot": s, "cosine": 0.9 if w == p else -0.1}
        for part in ("train", "test") for w in (3, 12) for p in (3, 12) for s in ("early", "max")
    ]
)  # fmt: skip
ENCODERS = pd.DataFrame(
    [
        {"encoder": name, "kind": kind, "gate": gate, "part": part, "latent_size": size, "agreement": 0.5,
         "agreement_bn": bn, "low": bn - 0.1, "high": bn + 0.1,
         "agreement_searched": bn + 0.05, "low_searched": bn, "high_searched": bn + 0.1}
        for part in ("test", "unseen")
        for name, kind, gate, size, bn in (
            ("a", "pca", "uniform", 512, 0.8), ("b", "pca", "uniform", 64, 0.6), ("c", "sane", "uniform", 256, 0.4),
            ("worse", "pca", "uniform", 512, 0.5), ("alike", "pca", "uniform", 512, 0.49),
        )
    ]
)  # fmt: skip
ENCODER_HISTORIES = pd.concat(
    [
        HISTORY.assign(encoder="a", training="encoder"),
        HISTORY.assign(encoder="a", training="shared"),
        HISTORY.iloc[:1].assign(encoder="b", training="encoder", kept=True),
        HISTORY.assign(encoder="b", training="shared"),
    ]
)
SHARES = pd.DataFrame(
    [
        {"part": "test", "share": share, "latent_size": size, "agreement_bn": bn, "low": bn - 0.1, "high": bn + 0.1}
        for size, share, bn in ((64, 0.5, 0.7), (64, 0.0, 0.6), (64, None, 0.9), (512, 0.0, 0.8))
    ]
)
INPUTS = {
    "autoencoder_loss": {"history": HISTORY},
    "shared_encoder_loss": {"history": HISTORY},
    "output_metrics": {"measured": METRICS},
    "zoo_overview": {"members": MEMBERS, "history": CURVES},
    "similarity_heatmap": {"similarities": SIMILARITIES},
    "encoder_shares": {"table": SHARES},
    "encoder_training": {"table": ENCODER_HISTORIES},
    "weight_encoders": {"table": ENCODERS, "chance": 1 / 3},
}


@pytest.mark.parametrize("name", INPUTS)
def test_files_are_figures_and_the_same_each_time(check_files, name):
    check_files(name, **INPUTS[name])


@pytest.mark.parametrize("name", ["autoencoder_loss", "shared_encoder_loss"])
def test_losses_are_drawn_and_the_kept_state_marked(draw, name):
    lines = {line.get_label(): line for line in draw(name, **INPUTS[name]).axes[0].lines}
    np.testing.assert_array_equal(lines["train"].get_ydata(), HISTORY["train_loss"])
    np.testing.assert_array_equal(lines["validation"].get_ydata(), HISTORY["validation_loss"])
    np.testing.assert_array_equal(lines["kept"].get_xydata(), [[2, 2.5]])


def test_chance_of_each_part_is_drawn(draw):
    lines = {
        line.get_label(): line.get_ydata()[0]
        for line in draw("shared_encoder_loss", **INPUTS["shared_encoder_loss"]).axes[0].lines
    }
    assert (lines["train, chance"], lines["validation, chance"]) == (4.1, 3.1)


def test_output_metrics_are_means_over_snapshots(draw):
    lines = {
        line.get_label(): line.get_xydata() for line in draw("output_metrics", **INPUTS["output_metrics"]).axes[0].lines
    }
    np.testing.assert_allclose(lines["agreement"], [[0, 0.3], [10, 0.95]])
    np.testing.assert_allclose(lines["cosine"], [[0, 0.1], [10, 0.9]])


def test_heat_map_holds_each_pair_in_its_place(draw):
    axes = draw("similarity_heatmap", **INPUTS["similarity_heatmap"]).axes[0]
    np.testing.assert_allclose(axes.collections[0].get_array(), [[0.9, 0.9, -0.1, -0.1], [-0.1, -0.1, 0.9, 0.9]])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["3 early", "3 max", "12 early", "12 max"]
    assert [(p.get_x(), p.get_y(), p.get_width()) for p in axes.patches] == [(0, 0, 2), (2, 1, 2)]


def test_overview_shows_the_median_curve_and_every_snapshot(draw):
    curves, accuracies, losses = draw("zoo_overview", **INPUTS["zoo_overview"]).axes
    np.testing.assert_allclose(curves.lines[-1].get_xydata(), [[1, 0.3], [2, 0.7]])
    assert sum(bar.get_height() for bar in accuracies.patches) == 4
    assert sum(bar.get_height() for bar in losses.patches) == 3  # a diverged member has no max loss


def test_encoders_of_one_kind_are_joined_from_small_to_large(draw):
    figure = draw("weight_encoders", **INPUTS["weight_encoders"])
    assert [axes.get_title() for axes in figure.axes] == ["seen classes", "unseen classes"]
    drawn = [line.get_xydata().tolist() for line in figure.axes[0].lines]
    assert [[64, 0.6], [512, 0.8]] in drawn  # recalibrated
    assert [[64, 0.5], [512, 0.5]] in drawn  # as decoded
    assert [[256, 0.45]] in [np.round(line, 6).tolist() for line in drawn]  # searched
    assert [text.get_text() for text in figure.axes[0].texts] == ["worse, alike"]  # of 512, not joined


def test_what_is_trained_on_the_bench_has_a_panel(draw):
    panels = [axes for axes in draw("encoder_training", **INPUTS["encoder_training"]).axes if axes.lines]
    assert [axes.get_title() for axes in panels] == ["a", "a", "b"]  # b itself was not trained
    for axes in panels:
        np.testing.assert_array_equal(axes.lines[1].get_ydata(), HISTORY["validation_loss"])


def test_a_line_joins_the_shares_of_one_size(draw):
    (panel,) = draw("encoder_shares", **INPUTS["encoder_shares"]).axes
    assert [line.get_xydata().tolist() for line in panel.lines if len(line.get_xdata()) == 2] == [
        [[0, 0.6], [0.5, 0.7]]
    ]
