"""Figures of the properties of samplers show the numbers of their tables; files are complete and repeatable."""

import numpy as np
import pandas as pd
import pytest

from wsl.evaluation.intervals import interval
from wsl.figures.methods import method
from wsl.figures.palette import GREY, SEEN, UNSEEN

TASKS = {1: "a/b", 2: "b/a", 3: "a/c"}  # members 1 and 2 have one set of classes
CONTROL = pd.DataFrame(
    [
        {"part": part, "member": member, "task": task, "sampler": sampler, "draw": draw, "arm": arm, "requested": r}
        | {"achieved": r + 0.1 * member + 0.02 * draw + more}
        for arm, more in (("asked", 0), ("d-shuffled", 1), ("r-ignored", 2))
        for sampler in ("flow", "retrieval", "projection", "regression", "generator")
        for part in ("test", "unseen") for member, task in TASKS.items() for r in (0.2, 0.6, 1.0) for draw in (0, 1)
    ]
)  # fmt: skip
CONTROL.loc[2, "achieved"] = np.inf
BOUNDS = {"prompt_alignment_low": -0.5, "prompt_alignment_high": 0.75}
ALIGNMENT = CONTROL[["part", "sampler", "arm"]].drop_duplicates().assign(sets=2, **BOUNDS)
ALIGNMENT["prompt_alignment"] = ALIGNMENT["arm"].map({"asked": 0.25, "d-shuffled": -0.5, "r-ignored": -3})
ARMS = ALIGNMENT[ALIGNMENT["sampler"].isin(["flow", "retrieval"])].assign(accuracy_asked=0.7, accuracy_reached=0.8)
ARMS["accuracy_alignment"] = np.linspace(-5, 0.9, len(ARMS))
ARMS["accuracy_spearman"] = np.linspace(-0.8, 0.7, len(ARMS))
for score in ("accuracy_alignment", "accuracy_spearman", "accuracy_reached"):
    ARMS[f"{score}_low"], ARMS[f"{score}_high"] = ARMS[score] - 0.1, ARMS[score] + 0.05
CURVES = pd.DataFrame(
    [
        {"part": part, "direction": direction, "set": name, "k": k, "recall": min(1, k / n + more), "chance": k / n}
        for direction in ("pairs to weights", "weights to pairs") for name, more in (("a/b", 0.1), ("a/c", 0.3))
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
    "null_arms": {"table": ARMS},
    "retrieval": {"curves": CURVES},
    "shared_map": {"points": MAP},
}


@pytest.mark.parametrize("name", INPUTS)
def test_files_are_figures_and_the_same_each_time(check_files, name):
    check_files(name, **INPUTS[name])


def bars(axes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Means (n, 2) and ends of their intervals (n, 2) by label."""
    values = {}
    for container in axes.containers:
        line, _, (intervals,) = container.lines
        values[container.get_label()] = line.get_xydata(), np.array(intervals.get_segments())[:, :, 1]
    return values


def points(axes, colour: str) -> np.ndarray:
    """All faint points of a colour (n, 2)."""
    faint = [line for line in axes.lines if line.get_alpha() == 0.35 and line.get_color() == colour]
    return np.concatenate([line.get_xydata() for line in faint])


def test_each_sampler_has_a_panel_with_means_over_sets_of_classes(draw):
    figure = draw("prompt_alignment", **INPUTS["prompt_alignment"])
    samplers = CONTROL["sampler"].unique()
    assert [axes.get_title() for axes in figure.axes] == [method(name).label for name in samplers]
    assert [axes.title.get_color() for axes in figure.axes] == [method(name).colour for name in samplers]
    axes = figure.axes[1]
    values = bars(axes)
    assert set(values) == {"seen classes", "unseen classes"}
    # Draws are averaged, then the members of one set: sets at 0.16 and 0.31 above the request.
    for place, label in enumerate(values):
        means, ends = values[label]
        np.testing.assert_allclose(means[:, 0], np.array([0.2, 0.6, 1.0]) + (2 * place - 1) * 0.024)
        np.testing.assert_allclose(means[:, 1], [0.435, 0.835, 1.235])
        expected = interval(np.array([0.36, 0.51]), (0, np.inf))
        np.testing.assert_allclose(ends[0], [expected.low, expected.high])
    np.testing.assert_allclose(sorted(points(axes, SEEN)[:, 1]), [0.36, 0.51, 0.76, 0.91, 1.16, 1.31])
    assert [text.get_text() for text in axes.texts] == ["R² 0.25 [-0.50, 0.75]"] * 2
    assert "95 % intervals over 2 sets of classes" in figure._supxlabel.get_text()


def test_non_finite_losses_are_crosses_and_enter_no_mean(draw):
    figure = draw("prompt_alignment", **INPUTS["prompt_alignment"])
    crosses = [[line.get_xdata().tolist() for line in axes.lines if line.get_marker() == "x"] for axes in figure.axes]
    assert crosses == [[[0.6]], [], [], [], []]
    assert np.isfinite(bars(figure.axes[0])["seen classes"][0]).all()
    assert "non-finite" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_one_sampler_and_part_alone_and_nothing_finite(draw):
    lost = CONTROL[(CONTROL["sampler"] == "flow") & (CONTROL["part"] == "test")].assign(achieved=np.inf)
    figure = draw("prompt_alignment", measured=lost, table=ALIGNMENT.assign(prompt_alignment=np.nan))
    assert [text.get_text() for text in figure.axes[0].texts] == ["R² undefined"]


def test_recall_is_drawn_both_ways_with_intervals_sets_and_chance(draw):
    figure = draw("retrieval", **INPUTS["retrieval"])
    for axes in figure.axes:
        means, ends = bars(axes)["unseen classes (6 snapshots)"]
        np.testing.assert_allclose(means[:2, 1], [1 / 6 + 0.2, 2 / 6 + 0.2])
        expected = interval(np.array([1 / 6 + 0.1, 1 / 6 + 0.3]), (0, 1))
        np.testing.assert_allclose(ends[0], [expected.low, expected.high])
        assert len(points(axes, UNSEEN)) == 12
        lines = {line.get_label(): line.get_ydata() for line in axes.lines}
        np.testing.assert_allclose(lines["chance, seen classes"], [0.25, 0.5, 0.75, 1])
    assert "over 2 sets of classes" in figure._supxlabel.get_text()


def texts(legend) -> list[str]:
    return [text.get_text() for text in legend.get_texts()]


def test_a_map_has_every_point_in_each_panel_and_joins_pairs(draw):
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
    assert texts(figure.legends[0]) == ["W", "(D, R)", "training", "held out"]
    assert [texts(axes.get_legend()) for axes in figure.axes if axes.get_legend()] == [["a", "b"]]


def test_many_classes_are_not_named(draw):
    many = MAP.assign(superclass=[f"class{i}" for i in range(len(MAP))])
    assert not [axes for axes in draw("shared_map", points=many).axes if axes.get_legend()]


def test_null_arms_are_grey_below_what_was_asked(draw):
    figure = draw("null_arms", table=ARMS)
    assert len(figure.axes) == 2 * 3
    assert [axes.get_title() for axes in figure.axes[:3]] == ["R²", "rank correlation", "mean accuracy"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["asked", "D shuffled", "R ignored"]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    for line, part in enumerate(("test", "unseen")):
        for axes, score in zip(figure.axes[3 * line :], ("accuracy_alignment", "accuracy_spearman"), strict=False):
            points = [dots for dots in axes.lines if dots.get_linestyle() == "None"]
            drawn = {(round(dots.get_ydata()[0]), dots.get_marker()): dots for dots in points}
            assert len(drawn) == len(points) == 2 * 3
            for row in ARMS[ARMS["part"] == part].itertuples():
                marker = {"asked": "o", "d-shuffled": "D", "r-ignored": "v"}[row.arm]
                dots = drawn[names.index(method(row.sampler).label), marker]
                assert dots.get_xdata()[0] == max(getattr(row, score), axes.get_xlim()[0])
                assert dots.get_color() == (method(row.sampler).colour if row.arm == "asked" else GREY)
