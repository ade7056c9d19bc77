"""Figures of what samplers can do show the numbers that they are given; files are whole and repeatable."""

import numpy as np
import pandas as pd
import pytest

from wsl.figures.methods import method

CONTROL = pd.DataFrame(
    [
        {"part": part, "member": member, "sampler": sampler, "draw": 0, "requested": r, "achieved": r + 0.1 * member}
        for sampler in ("flow", "retrieval", "projection", "regression", "generator")
        for part in ("test", "unseen") for member in (1, 2, 3) for r in (0.2, 0.6, 1.0)
    ]
)  # fmt: skip
CONTROL.loc[1, "achieved"] = np.inf
ALIGNMENT = CONTROL[["part", "sampler"]].drop_duplicates().assign(prompt_alignment=0.25)
CURVES = pd.DataFrame(
    [
        {"part": part, "direction": direction, "k": k, "recall": min(1, k / n + 0.2), "chance": k / n}
        for direction in ("pairs to weights", "weights to pairs")
        for part, n in (("test", 4), ("unseen", 6)) for k in range(1, n + 1)
    ]
)  # fmt: skip
MAP = pd.DataFrame(
    [
        {"part": part, "member": member, "snapshot": f"epoch{epoch}", "epoch": epoch, "superclass": name, "kind": kind}
        | {"accuracy": 0.3 + epoch / 20, "x": member + 0.1 * epoch + (kind == "pair"), "y": epoch - member}
        for part in ("train", "test") for member, name in ((1, "a"), (2, "b")) for epoch in (0, 1, 8)
        for kind in ("weights", "pair")
    ]
)  # fmt: skip
MAP.loc[0, ["x", "y"]] = np.nan
INPUTS = {
    "prompt_alignment": {"measured": CONTROL, "table": ALIGNMENT},
    "retrieval": {"curves": CURVES},
    "shared_map": {"points": MAP},
}


@pytest.mark.parametrize("name", INPUTS)
def test_files_are_figures_and_the_same_each_time(check_files, name):
    check_files(name, **INPUTS[name])


def test_each_sampler_has_a_panel_with_its_tasks_and_their_median(draw):
    figure = draw("prompt_alignment", **INPUTS["prompt_alignment"])
    samplers = CONTROL["sampler"].unique()
    assert [axes.get_title() for axes in figure.axes] == [method(name).label for name in samplers]
    assert [axes.title.get_color() for axes in figure.axes] == [method(name).colour for name in samplers]
    axes = figure.axes[1]
    medians = {line.get_label(): line.get_xydata() for line in axes.lines if not line.get_label().startswith("_")}
    np.testing.assert_allclose(medians["seen classes"], [[0.2, 0.4], [0.6, 0.8], [1, 1.2]])
    assert set(medians) == {"seen classes", "unseen classes"}
    assert sum(line.get_alpha() == 0.18 for line in axes.lines) == 6
    assert [text.get_text() for text in axes.texts] == ["R² 0.25", "R² 0.25"]


def test_non_finite_losses_are_crosses(draw):
    crosses = [
        [line.get_xdata().tolist() for line in axes.lines if line.get_marker() == "x" and len(line.get_xdata())]
        for axes in draw("prompt_alignment", **INPUTS["prompt_alignment"]).axes
    ]
    assert crosses == [[[0.6]], [], [], [], []]


def test_one_sampler_and_part_alone_and_nothing_finite(draw):
    own = CONTROL[(CONTROL["sampler"] == "flow") & (CONTROL["part"] == "test")].assign(achieved=np.inf)
    figure = draw("prompt_alignment", measured=own, table=ALIGNMENT.assign(prompt_alignment=np.nan))
    assert [text.get_text() for text in figure.axes[0].texts] == ["R² undefined"]


def test_recall_and_chance_are_drawn_both_ways(draw):
    for axes, direction in zip(
        draw("retrieval", **INPUTS["retrieval"]).axes, ("pairs to weights", "weights to pairs"), strict=True
    ):
        lines = {(line.get_label(), len(line.get_xdata())): line.get_ydata() for line in axes.lines}
        own = CURVES[(CURVES["direction"] == direction) & (CURVES["part"] == "unseen")]
        np.testing.assert_allclose(lines["tasks of unseen classes (6 snapshots)", 6], own["recall"])
        np.testing.assert_allclose(lines["chance, tasks of seen classes", 4], [0.25, 0.5, 0.75, 1])


def test_map_has_every_point_in_each_panel_and_joins_pairs(draw):
    figure = draw("shared_map", **INPUTS["shared_map"])
    panels = figure.axes[:3]
    assert [axes.get_title() for axes in panels] == [
        "kind of the task's first class (2)",
        "validation accuracy",
        "epoch",
    ]
    for axes in panels:
        joins, *points = axes.collections
        assert sum(len(group.get_offsets()) for group in points) == len(MAP) - 1
        ends = np.array([segment for segment in joins.get_segments()])
        assert len(ends) == 6  # of held-out snapshots alone
        np.testing.assert_allclose(np.abs(ends[:, 0] - ends[:, 1]), np.tile([1, 0], (6, 1)))
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["W", "(D, R)", "a", "b"]


def test_many_classes_are_not_named(draw):
    many = MAP.assign(superclass=[f"class{i}" for i in range(len(MAP))])
    legend = draw("shared_map", points=many).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["W", "(D, R)"]
