"""Figures show the numbers of their tables; files are complete and repeatable."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3], "train_loss": [3.0, 2.0, 1.0], "validation_loss": [3.5, 2.5, 2.7],
        "kept": [False, True, False], "train_chance": 4.1, "validation_chance": 3.1,
    }
)  # fmt: skip
METRICS = pd.DataFrame(
    {
        "epoch": [0, 0, 0, 10, 10, 10], "snapshot": ["epoch0", "early", "max"] * 2,
        "agreement": [0.9, 0.2, 0.4, 0.0, 0.9, 1.0], "cosine": [0.9, 0, 0.2, -1, 0.8, 1], "correlation": 0.5,
    }
)  # fmt: skip
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
         "agreement_bn": bn, "low": bn - 0.1, "high": bn + 0.1, "members": 9, "sets": 4, "unit": "sets of classes",
         "agreement_searched": bn + 0.05, "low_searched": bn, "high_searched": bn + 0.1}
        for part in ("test", "unseen")
        for name, kind, gate, size, bn in (
            ("a", "pca", "uniform", 512, 0.8), ("b", "pca", "uniform", 64, 0.6), ("c", "sane", "uniform", 256, 0.4),
            ("worse", "pca", "uniform", 512, 0.5), ("alike", "pca", "uniform", 512, 0.49),
            ("copy", "nearest", "uniform", 1, 0.45),
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
    "output_metrics": {"measured": METRICS, "chance": 0.25},
    "zoo_overview": {"members": MEMBERS, "history": CURVES},
    "similarity_heatmap": {"similarities": SIMILARITIES},
    "encoder_shares": {"table": SHARES},
    "encoder_training": {"table": ENCODER_HISTORIES},
    "weight_encoders": {"table": ENCODERS, "chance": 1 / 3},
    "encoder_rows": {"table": ENCODERS, "chance": 1 / 3},
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


def test_output_metrics_are_means_over_trained_snapshots_with_chance(draw):
    panels = {axes.get_title(): axes for axes in draw("output_metrics", **INPUTS["output_metrics"]).axes}
    lines = {name: [line.get_ydata() for line in axes.lines] for name, axes in panels.items()}
    assert list(lines) == ["agreement", "cosine", "correlation"]
    np.testing.assert_allclose(lines["agreement"][0], [0.3, 0.95])  # without the rows of epoch0
    np.testing.assert_allclose(lines["cosine"][0], [0.1, 0.9])
    assert [float(chance[0]) for _, chance in lines.values()] == [0.25, 0, 0]
    (band,) = panels["agreement"].collections
    middle_half = band.get_paths()[0].get_extents()
    np.testing.assert_allclose([middle_half.y0, middle_half.y1], [0.25, 0.975])  # quartiles of .2, .4 and of .9, 1


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
    (copy,) = (line for line in figure.axes[0].lines if line.get_label() == "most similar training snapshot")
    assert copy.get_ydata() == [0.45, 0.45]


def test_each_encoder_has_a_row_with_the_best_at_the_top(draw):
    figure = draw("encoder_rows", **INPUTS["encoder_rows"])
    seen, unseen = figure.axes
    names = ["c (256)", "copy (1)", "alike (512)", "worse (512)", "b (64)", "a (512)"]
    assert [label.get_text() for label in seen.get_yticklabels()] == names
    drawn = [line.get_xydata().round(6).tolist() for line in unseen.lines]
    assert [[30, 0], [50, 0]] in drawn and [[40, 0]] in drawn and [[45, 0]] in drawn  # interval, mean, searched
    assert "95 % intervals over 4 sets of classes; dashes: chance\ncrosses" in figure.get_supxlabel()


def test_trained_encoders_have_a_row_with_first_kept_and_last_losses(draw):
    encoder, shared = draw("encoder_training", **INPUTS["encoder_training"]).axes
    names = [[label.get_text() for label in axes.get_yticklabels()] for axes in (encoder, shared)]
    assert names == [["a"], ["b", "a"]]  # b itself was not trained; the first is at the top

    def drawn(axes, y):
        return [line.get_xdata().tolist() for line in axes.lines if np.allclose(line.get_ydata(), y)]

    assert drawn(shared, 1.17) == [[3, 1], [3], [1]]  # training: from the first epoch to the last
    assert drawn(shared, 0.83) == [[3.5, 2.7], [3.5], [2.7], [2.5]]  # validation, and the kept state
    np.testing.assert_allclose(drawn(encoder, 0.17)[0], [3 / 3.5, 1 / 3.5])  # in units of the first validation loss
    assert [line.get_xdata()[0] for line in shared.lines if line.get_linestyle() == "--"] == [3.1]  # chance


def test_a_line_joins_the_shares_of_one_size(draw):
    (panel,) = draw("encoder_shares", **INPUTS["encoder_shares"]).axes
    assert [line.get_xydata().tolist() for line in panel.lines if len(line.get_xdata()) == 2] == [
        [[0, 0.6], [0.5, 0.7]]
    ]


def test_the_legend_of_the_zoo_covers_no_panel(draw):
    figure = draw("zoo_overview", **INPUTS["zoo_overview"])
    FigureCanvasAgg(figure).draw()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["early", "max"]
    assert not any(legend.get_window_extent().overlaps(axes.get_window_extent()) for axes in figure.axes)
