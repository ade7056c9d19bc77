"""Figures of accuracy on held-out tasks show the numbers of their tables; files are complete and repeatable."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from wsl.evaluation.growth import growth_rows
from wsl.figures.dots import axis_range
from wsl.figures.growth import spread
from wsl.figures.methods import method

BASELINES = {
    "trained": 0.95, "reconstructed": 0.6, "scratch": 0.33, "start": 0.34, "mean": 0.4, "nearest": 0.7, "noised": 0.65,
    "prototypes": 0.72, "probe": 0.75, "body-prototypes": 0.9, "body-probe": 0.91,
}  # fmt: skip
WITHOUT_IMAGES = ("trained", "reconstructed", "scratch", "start")


def table(kinds=("seen",), counts=(20, 1, 5), run="own", chosen="flow", members=400, regime="shared") -> pd.DataFrame:
    """An accuracy table like that of the protocol; counts are unsorted, as they may be in a config."""
    rows = []
    for kind in ("validation", *kinds):
        for sampler, best in {**BASELINES, "projection": 0.45, "flow": 0.8}.items():
            seen = ["all"] if kind == "validation" or sampler in WITHOUT_IMAGES else [*counts, "all"]
            for images in seen:
                for epochs in [0, 1, 3] if images == "all" and kind != "validation" else [0]:
                    share = 1.0 if images == "all" else 0.5 + images / 50
                    value = best * share + 0.01 * epochs - 0.1 * (kind == "unseen")
                    about = {"run": run, "regime": regime, "members": members, "classes": kind, "sampler": sampler}
                    values = {"accuracy": value, "low": value - 0.05, "high": value + 0.03}
                    counted = {"tasks": 6, "seeds": 1, "chosen": sampler == chosen}
                    rows.append({**about, "images": images, "epochs": epochs, **values, **counted})
    return pd.DataFrame(rows)


TABLES = {
    "seen": table(),
    "seen and unseen": table(("seen", "unseen")),
    "names": table(("seen", "unseen"), counts=(0, 5)),
    "two runs": pd.concat([table(), table(run="other", chosen="projection")]),
    "one task": table().assign(low=np.nan, high=np.nan, tasks=1),
    "sets": table(("seen", "unseen")).assign(sets=24),
}
FIGURES = ("accuracy", "finetuning", "regimes", "growth")


def drawn(axes) -> dict[str, dict]:
    """Point, ends of the interval and colour of each row of a panel of dots, by its label."""
    values = {}
    for container in axes.containers:
        line, _, (bars,) = container.lines
        (interval,) = bars.get_segments()
        ends = {"point": line.get_xydata()[0].tolist(), "ends": interval[:, 0], "colour": line.get_color()}
        values[container.get_label()] = ends
    return values


def given(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The table of a figure: accuracies, or how they grow."""
    return growth_rows(rows.assign(images=rows["images"].astype(str))) if name == "growth" else rows


def texts(labels) -> list[str]:
    return [label.get_text() for label in labels]


def rows_of(axes) -> list[str]:
    return texts(axes.get_yticklabels())


def bold(axes) -> set[str]:
    return {label.get_text() for label in axes.get_yticklabels() if label.get_fontweight() == "bold"}


def test_an_axis_ends_near_the_lowest_and_the_highest_value():
    rows = pd.DataFrame({"accuracy": [0.3, 0.4], "low": [0.1, np.nan], "high": [0.35, np.nan]})
    assert axis_range(rows) == pytest.approx((7, 43))
    assert axis_range(rows.assign(low=0.02, high=0.99)) == (0, 101)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("kind", ["names", "two runs", "one task"])
def test_files_are_figures_and_the_same_each_time(check_files, name, kind):
    check_files(name, table=given(name, TABLES[kind]))


def test_accuracy_has_a_panel_per_number_of_images_in_ascending_order(draw):
    panels = draw("accuracy", table=TABLES["seen"]).axes
    assert texts(axes.title for axes in panels) == ["1 image", "5 images", "20 images", "all images"]
    for axes, share in zip(panels, (0.52, 0.6, 0.9, 1), strict=True):
        flow = drawn(axes)["flow"]
        assert flow["point"][0] == pytest.approx(80 * share)
        np.testing.assert_allclose(flow["ends"], [80 * share - 5, 80 * share + 3])


def test_rows_are_sorted_by_the_last_panel_with_values_next_to_it(draw):
    panels = draw("accuracy", table=TABLES["seen"]).axes
    best_last = ["mean", "projection", "noised", "nearest", "prototypes", "probe", "flow"]
    best_last += ["body-prototypes", "body-probe"]
    assert rows_of(panels[0]) == [method(name).label for name in best_last]
    assert all(not any(rows_of(axes)) for axes in panels[1:])
    assert texts(panels[-1].texts) == ["40.0", "45.0", "65.0", "70.0", "72.0", "75.0", "80.0", "90.0", "91.0"]
    assert bold(panels[0]) == {"flow"}  # the chosen sampler


def test_what_was_trained_on_the_task_is_a_line_and_random_weights_are_left_out(draw):
    figure = draw("accuracy", table=TABLES["seen and unseen"])
    legend = ["trained on the task", "trained, reconstructed", "the zoo's start"]
    assert texts(figure.legends[0].get_texts()) == legend
    seen, unseen = figure.axes[3], figure.axes[7]
    for axes, expected in ((seen, [95, 60, 34]), (unseen, [85, 50, 24])):
        lines = [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 2]
        np.testing.assert_allclose(lines, expected)
        assert method("scratch").label not in drawn(axes)


@pytest.mark.parametrize("name, panels", [("accuracy", 4), ("finetuning", 3)])
def test_seen_and_unseen_classes_have_a_block_each(draw, name, panels):
    figure = draw(name, table=TABLES["seen and unseen"])
    assert {"Classes that the zoo saw", "Classes that no member saw"} < set(texts(figure.texts))
    assert len(figure.axes) == 2 * panels
    seen, unseen = (drawn(figure.axes[place])["nearest member"]["point"][0] for place in (panels - 1, 2 * panels - 1))
    assert seen - unseen == pytest.approx(10)


def test_names_alone_come_first(draw):
    figure = draw("accuracy", table=TABLES["names"])
    assert texts(axes.title for axes in figure.axes[:3]) == ["names alone", "5 images", "all images"]
    assert drawn(figure.axes[0])["projection (thesis)"]["point"][0] == pytest.approx(22.5)


def test_fine_tuning_has_a_panel_per_number_of_epochs_without_models_that_are_trained_already(draw):
    panels = draw("finetuning", table=TABLES["seen"]).axes
    assert texts(axes.title for axes in panels) == ["no training", "1 epoch", "3 epochs"]
    values = [drawn(axes) for axes in panels]
    assert [rows["from scratch"]["point"][0] for rows in values] == pytest.approx([33, 34, 36])
    np.testing.assert_allclose(values[2]["flow"]["ends"], [78, 86])
    assert not {"trained on the task", "trained, reconstructed"} & set(values[0])
    assert len(values[0]) == len(BASELINES)  # without two, and with two samplers


def test_without_fine_tuning_the_models_are_shown_as_they_are(draw):
    none = TABLES["seen"][TABLES["seen"]["epochs"] == 0]
    (axes,) = draw("finetuning", table=none).axes
    assert axes.get_title() == "no training" and drawn(axes)["flow"]["point"][0] == pytest.approx(80)


def test_each_method_has_its_colour_in_all_figures(draw):
    more = [table(("seen", "unseen"))]
    for name in ("generator", "retrieval", "a plug-in", "another"):
        more.append(more[0][more[0]["sampler"] == "projection"].assign(sampler=name))
    by_label = {method(name).label: method(name).colour for name in pd.concat(more)["sampler"].unique()}
    for name in FIGURES:
        for axes in draw(name, table=given(name, pd.concat(more))).axes:
            values = {container.get_label(): container.lines[0].get_color() for container in axes.containers}
            assert values and {label: to_hex(colour) for label, colour in values.items()} == {
                label: to_hex(by_label[label]) for label in values
            }


@pytest.mark.parametrize("name", ["accuracy", "finetuning"])
def test_other_runs_are_only_in_the_figure_of_regimes(draw, name):
    alone, several = (draw(name, table=TABLES[kind]) for kind in ("seen", "two runs"))
    assert len(alone.axes) == len(several.axes)
    for first, other in zip(alone.axes, several.axes, strict=True):
        assert str(drawn(first)) == str(drawn(other))


def test_regimes_have_a_panel_per_run_in_order_of_accuracy(draw):
    own, other = draw("regimes", table=TABLES["two runs"]).axes
    titles = [axes.get_title(loc="right") for axes in (own, other)]
    assert titles == ["own: shared starts, seen classes", "other: shared starts, seen classes"]
    expected = {"start": 34, "mean": 40, "projection": 45, "reconstructed": 60, "nearest": 70, "prototypes": 72}
    expected |= {"probe": 75, "flow": 80, "body-prototypes": 90, "body-probe": 91, "trained": 95}
    assert {label: row["point"] for label, row in drawn(own).items()} == {
        method(name).label: [pytest.approx(value), place] for place, (name, value) in enumerate(expected.items())
    }
    assert texts(own.texts) == [f"{value:.1f}" for value in expected.values()]
    assert (bold(own), bold(other)) == ({"flow"}, {"projection (thesis)"})
    assert "flow" not in rows_of(other)  # neither chosen there nor the sampler of the thesis


def test_regimes_of_seen_and_unseen_classes_have_lines_of_panels(draw):
    axes = draw("regimes", table=pd.concat([TABLES["seen and unseen"], table(run="other")])).axes
    assert [panel.get_title(loc="right") for panel in axes] == [
        "own: shared starts, seen classes", "other: shared starts, seen classes", "own: shared starts, unseen classes"
    ]  # fmt: skip
    assert drawn(axes[2])["flow"]["point"][0] == pytest.approx(70)


def test_growth_is_drawn_over_the_runs_of_the_first_ones_regime(draw):
    runs = [table(("seen", "unseen"), members=200), table(members=50, run="small", chosen="projection")]
    rows = pd.concat([*runs, table(run="other", regime="independent", members=100)])
    figure = draw("growth", table=given("growth", rows))
    assert texts(figure.axes[0].get_xticklabels()) == ["50", "200"]
    seen, unseen = ({bars.get_label(): bars.lines[0].get_xydata() for bars in axes.containers} for axes in figure.axes)
    shift = seen["flow"][0, 0] / 50
    assert abs(shift - 1) < 0.05  # slightly shifted
    np.testing.assert_allclose(seen["flow"], [[50 * shift, 80], [200 * shift, 80]])
    np.testing.assert_allclose(unseen["flow"][:, 1], [70])
    np.testing.assert_allclose(seen["trained on the task"][:, 1], [95, 95])
    assert {"projection (thesis)", "nearest member", "mean of the zoo", "probe on generator's body"} < set(seen)
    assert not {method(name).label for name in ("prototypes", "probe", "scratch", "start")} & set(seen)
    assert set(texts(figure.axes[0].texts)) == set(seen)  # a label at the end of each line


def test_growth_over_zoos_names_their_seeds_and_shows_reconstructions(draw):
    runs = [table(("seen", "unseen"), members=members, run=f"{members}-{seed}").assign(zoo_seed=seed, unit="members")
            for members in (100, 200) for seed in (0, 1, 2)]  # fmt: skip
    kind = {"stage": "latent", "snapshot": "max", "metric": "agreement", "low": 0.3, "high": 0.5, "tasks": 6}
    decoded = {f"{members}-{seed}": pd.DataFrame([{**kind, "mean": members / 500 + seed / 50}])
               for members in (100, 200) for seed in (0, 1, 2)}  # fmt: skip
    figure = draw("growth", table=growth_rows(pd.concat(runs).astype({"images": str}), decoded), write=True)
    assert any(text.endswith("over 3 zoo seeds)") for text in texts(figure.texts))
    (line,) = [bars.lines[0].get_xydata() for bars in figure.axes[2].containers]
    np.testing.assert_allclose(line[:, 1], [22, 42])
    assert figure.axes[2].get_ylabel().startswith("agreement")


def test_the_unit_below_one_panel_of_growth_is_not_cut_off(draw):
    runs = [table(members=100, run=f"100-{seed}").assign(zoo_seed=seed, unit="members") for seed in (0, 1, 2)]
    runs += [table(members=200, run=f"200-{seed}").assign(zoo_seed=seed, unit="members") for seed in (0, 1)]
    figure = draw("growth", table=growth_rows(pd.concat(runs).astype({"images": str})))
    FigureCanvasAgg(figure).draw()
    (note,) = [text for text in figure.texts if text.get_text().endswith("over 2 to 3 zoo seeds)")]
    assert figure.bbox.x0 <= note.get_window_extent().x0 and note.get_window_extent().x1 <= figure.bbox.x1


@pytest.mark.parametrize("name", FIGURES)
def test_the_unit_of_intervals_is_named(draw, name):
    for kind, unit in (("seen and unseen", "over 6 tasks)"), ("sets", "over 24 sets of classes)")):
        assert any(text.endswith(unit) for text in texts(draw(name, table=given(name, TABLES[kind])).texts))


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("kind", ["seen", "seen and unseen", "two runs", "names"])
def test_nothing_is_cut_off_and_no_texts_overlap(draw, name, kind):
    figure = draw(name, table=given(name, TABLES[kind]))
    FigureCanvasAgg(figure).draw()
    whole, labels = figure.bbox, list(figure.texts)
    for axes in figure.axes:
        labels += [axes.title, axes._left_title, axes._right_title, *axes.texts, axes.yaxis.label]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            labels += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    shown = [label for label in labels if label.get_text() and label.get_visible()]
    boxes = [label.get_window_extent() for label in [*shown, *figure.legends]]
    for box in boxes:
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1
    for place, box in enumerate(boxes):
        for other, label in zip(boxes[:place], shown, strict=False):
            shrunk = other.padded(-1.5)  # letters may touch the box's edge, not each other
            assert not shrunk.overlaps(box.padded(-1.5)), label.get_text()


@pytest.mark.parametrize(
    "wanted, expected",
    [
        ([0, 5, 9], [0, 5, 9]),  # already apart
        ([5, 5, 5], [4, 5, 6]),  # three at one place: around it, in their order
        ([5, 4.8, 9], [5.4, 4.4, 9]),
        ([9.9, 10], [9, 10]),  # against the upper edge
        ([0, 0.1, 0.1], [0, 1, 2]),  # against the lower edge
    ],
)
def test_labels_are_spread(wanted, expected):
    np.testing.assert_allclose(spread(wanted, gap=1, low=0, high=10), expected)


def test_spread_labels_are_as_near_to_their_places_as_possible():
    rng = np.random.default_rng(0)
    steps = np.linspace(0, 4, 41)
    for _ in range(10):
        wanted = np.sort(rng.uniform(0, 4, 3))
        values = spread(wanted, gap=1, low=0, high=4)
        grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3)
        fits = grid[(np.diff(grid, axis=1) >= 1 - 1e-9).all(1)]
        assert np.square(values - wanted).sum() <= np.square(fits - wanted).sum(1).min() + 1e-9
        assert (np.diff(values) >= 1 - 1e-9).all() and values.min() >= -1e-9 and values.max() <= 4 + 1e-9


def test_more_labels_than_fit_are_evenly_close():
    np.testing.assert_allclose(spread([1, 1, 1], gap=5, low=0, high=4), [0, 2, 4])
