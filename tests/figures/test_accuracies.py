"""Figures of accuracy on held-out tasks show the numbers that they are given; files are whole and repeatable."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

RIVALS = {
    "trained": 0.95, "reconstructed": 0.6, "scratch": 0.33, "start": 0.34, "mean": 0.4, "nearest": 0.7, "noised": 0.65,
    "prototypes": 0.72, "probe": 0.75,
}  # fmt: skip
WITHOUT_IMAGES = ("trained", "reconstructed", "scratch", "start")


def table(kinds=("seen",), counts=(20, 1, 5), run="own", chosen="flow", members=400, regime="shared") -> pd.DataFrame:
    """An accuracy table as the protocol makes it; counts are in no order, as a config may have them."""
    rows = []
    for kind in ("validation", *kinds):
        for sampler, best in {**RIVALS, "projection": 0.45, "flow": 0.8}.items():
            seen = ["all"] if kind == "validation" or sampler in WITHOUT_IMAGES else [*counts, "all"]
            for images in seen:
                for epochs in [0, 1, 3] if images == "all" and kind != "validation" else [0]:
                    share = 1.0 if images == "all" else 0.5 + images / 50
                    value = best * share + 0.01 * epochs - 0.1 * (kind == "unseen")
                    about = {"run": run, "regime": regime, "members": members, "classes": kind, "sampler": sampler}
                    about |= {
                        "images": images,
                        "epochs": epochs,
                        "accuracy": value,
                        "low": value - 0.05,
                        "high": value + 0.03,
                    }
                    rows.append({**about, "tasks": 6, "seeds": 1, "chosen": sampler == chosen})
    return pd.DataFrame(rows)


TABLES = {
    "seen": table(),
    "seen and unseen": table(("seen", "unseen")),
    "names": table(("seen", "unseen"), counts=(0, 5)),
    "two runs": pd.concat([table(), table(run="other", chosen="projection")]),
    "one task": table().assign(low=np.nan, high=np.nan),
}
FIGURES = ("accuracy", "finetuning", "regimes", "growth")


def lines_of(axes) -> dict[str, dict]:
    """Points, ends of intervals and look of each line with intervals, by its label."""
    found = {}
    for container in axes.containers:
        line, _, (bars,) = container.lines
        ends = [segment[:, 1] for segment in bars.get_segments()]
        look = (line.get_color(), line.get_marker(), line.get_linestyle())
        found[container.get_label()] = {"points": line.get_xydata(), "ends": ends, "look": look}
    return found


def texts(labels) -> list[str]:
    return [label.get_text() for label in labels]


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("kind", ["names", "two runs", "one task"])
def test_files_are_figures_and_the_same_each_time(check_files, name, kind):
    check_files(name, table=TABLES[kind])


def test_accuracy_is_drawn_against_images_in_ascending_order(draw):
    (axes,) = draw("accuracy", table=TABLES["seen"]).axes
    assert texts(axes.get_xticklabels()) == ["1", "5", "20", "all"]
    flow = lines_of(axes)["sampled: flow (chosen)"]
    expected = [0.8 * share for share in (0.52, 0.6, 0.9, 1)]
    np.testing.assert_allclose(flow["points"], np.column_stack([range(4), expected]))
    np.testing.assert_allclose(flow["ends"], [(value - 0.05, value + 0.03) for value in expected])


def test_rivals_have_their_names_and_random_weights_are_no_sampler(draw):
    figure = draw("accuracy", table=TABLES["seen and unseen"])
    shown = texts(figure.legends[0].get_texts())
    assert {"head of class prototypes", "linear probe", "trained on the task", "sampled: projection"} <= set(shown)
    assert not any("scratch" in name for name in shown) and len(shown) == len(set(shown)) == len(RIVALS) - 1 + 2
    flat = {line.get_label(): line.get_ydata()[0] for line in figure.axes[1].lines if len(line.get_xdata()) == 2}
    assert flat["trained on the task"] == pytest.approx(0.85) and flat["the start, untrained"] == pytest.approx(0.24)


@pytest.mark.parametrize("name", ["accuracy", "finetuning"])
def test_seen_and_unseen_classes_have_a_panel_each(draw, name):
    figure = draw(name, table=TABLES["seen and unseen"])
    assert texts(axes.title for axes in figure.axes) == ["classes that the zoo saw", "classes that no member saw"]
    seen, unseen = (lines_of(axes)["nearest training member"]["points"] for axes in figure.axes)
    np.testing.assert_allclose(seen[:, 1] - unseen[:, 1], 0.1)


def test_names_alone_come_first(draw):
    axes = draw("accuracy", table=TABLES["names"]).axes[0]
    assert texts(axes.get_xticklabels()) == ["names\nalone", "5", "all"]
    np.testing.assert_allclose(lines_of(axes)["sampled: projection"]["points"][0], [0, 0.225])


def test_fine_tuning_is_drawn_by_epochs_without_models_that_are_trained_already(draw):
    lines = lines_of(draw("finetuning", table=TABLES["seen"]).axes[0])
    np.testing.assert_allclose(lines["from scratch"]["points"], [[0, 0.33], [1, 0.34], [2, 0.36]])
    np.testing.assert_allclose(lines["sampled: flow (chosen)"]["ends"][2], [0.78, 0.86])
    assert len(lines) == len(RIVALS) - 2 + 2 and not any("trained on" in label for label in lines)


@pytest.mark.parametrize("samplers", [2, 6])
def test_each_line_has_a_look_of_its_own_and_the_same_in_all_panels_and_figures(draw, samplers):
    more = [table(("seen", "unseen"))]
    for i in range(samplers - 2):
        more.append(more[0][more[0]["sampler"] == "projection"].assign(sampler=f"more{i}"))
    figures = [draw(name, table=pd.concat(more)) for name in ("accuracy", "finetuning")]
    panels = [lines_of(axes) for figure in figures for axes in figure.axes]
    for lines in panels:
        looks = {label: line["look"] for label, line in lines.items()}
        assert len(set(looks.values())) == len(looks)
        assert all(look == panels[0][label]["look"] for label, look in looks.items() if label in panels[0])


@pytest.mark.parametrize("name", ["accuracy", "finetuning"])
def test_runs_beside_are_left_to_the_figure_of_regimes(draw, name):
    alone, beside = (lines_of(draw(name, table=TABLES[kind]).axes[0]) for kind in ("seen", "two runs"))
    for label, line in alone.items():
        np.testing.assert_array_equal(line["points"], beside[label]["points"])


def test_regimes_have_a_panel_a_run_in_order_of_accuracy(draw):
    own, other = draw("regimes", table=TABLES["two runs"]).axes
    assert texts([own.title, other.title]) == ["own: shared starts", "other: shared starts"]
    named = texts(own.get_yticklabels())
    assert named[0] == "the start, untrained" and named[-2:] == ["sampled: flow\n(chosen)", "trained on the task"]
    assert "sampled: projection (the thesis)\n(chosen)" in texts(other.get_yticklabels())
    assert not any("flow" in name for name in texts(other.get_yticklabels()))
    values = [container.lines[0].get_xdata()[0] for container in own.containers]
    assert values == sorted(values) and values[-2:] == pytest.approx([0.8, 0.95])
    assert texts(own.texts) == [f"{value:.1%}" for value in values]


def test_growth_is_drawn_over_the_runs_of_the_first_ones_regime(draw):
    runs = [table(("seen", "unseen"), members=200), table(members=50, run="small", chosen="projection")]
    figure = draw("growth", table=pd.concat([*runs, table(run="other", regime="independent", members=100)]))
    assert texts(figure.axes[0].get_xticklabels()) == ["50", "200"]
    seen, unseen = (lines_of(axes) for axes in figure.axes)
    np.testing.assert_allclose(seen["sampled: flow (chosen)"]["points"], [[50, 0.8], [200, 0.8]])
    np.testing.assert_allclose(unseen["sampled: flow (chosen)"]["points"], [[200, 0.7]])
    assert {"sampled: projection", "nearest training member", "mean of the zoo"} < set(seen)
    assert not {"head of class prototypes", "linear probe"} & set(seen)
    (trained,) = (line for line in figure.axes[0].lines if line.get_label() == "trained on the task")
    np.testing.assert_allclose(trained.get_xydata(), [[50, 0.95], [200, 0.95]])


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("kind", ["seen", "two runs"])
def test_nothing_is_cut_off(draw, name, kind):
    figure = draw(name, table=TABLES[kind])
    FigureCanvasAgg(figure).draw()
    whole = figure.bbox
    for part in [*figure.legends, *(label for axes in figure.axes for label in (*axes.get_yticklabels(), *axes.texts))]:
        box = part.get_window_extent()
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1
