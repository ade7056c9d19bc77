"""Control by R: the validation loss that sampled models reach, by the loss requested."""

from math import ceil
from pathlib import Path
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wsl.evaluation.intervals import POSITIVE, by_set, interval
from wsl.evaluation.null_arms import ASKED
from wsl.figures.dots import unit
from wsl.figures.methods import method
from wsl.figures.palette import GREY, PARTS, RED
from wsl.figures.style import COLUMN, draw_intervals, save
from wsl.zoo.few_sets import SETS

FIGURE = {
    "title": "control by R",
    "category": "Sampling",
    "order": 5,
    "inputs": lambda run: {"measured": run.paths.measured("control"), "table": run.paths.table("control")},
    "when": lambda run: run.config.evaluation.properties,
}
COLUMNS = 4
TITLE = 20  # characters per line of a panel's title
ROOM = 2.0  # the axis of reached losses ends at most at this multiple of the highest request
APART = 0.12  # distance of the two parts, as a fraction of the distance of two requests


def draw(measured: str | Path, table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw one panel per sampler: means over sets of classes (or members) with 95 % intervals, each as a faint point.

    ``measured`` has the rows of all samplers, see ``wsl.evaluation.control``, and ``table`` their summary. Null arms
    are in the figure ``null_arms``.
    """
    rows, summary = (read[read["arm"] == ASKED] for read in map(pd.read_csv, (measured, table)))
    samplers = list(dict.fromkeys(rows["sampler"]))
    columns = min(COLUMNS, len(samplers))
    lines = ceil(len(samplers) / columns)
    figure = Figure(figsize=(max(COLUMN, 2 * COLUMN * columns / COLUMNS), 0.75 + 1.75 * lines))
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for place in range(len(samplers), grid.size):
        grid.flat[place].remove()
        grid.flat[place - columns].tick_params(labelbottom=True)
    finite, highest = rows.loc[np.isfinite(rows["achieved"]), "achieved"], rows["requested"].max()
    top = min(ROOM * highest, 1.05 * max(highest, finite.max() if len(finite) else highest))
    for axes, sampler in zip(grid.flat, samplers, strict=False):
        axes.set(ylim=(0, top), xlim=(0, 1.05 * highest))
        axes.axline((0, 0), slope=1, color=GREY, lw=0.8, ls="--", label="reached = requested")
        for place, part in enumerate(PARTS):
            shown = rows[(rows["sampler"] == sampler) & (rows["part"] == part)]
            if len(shown):
                scores = summary[(summary["sampler"] == sampler) & (summary["part"] == part)].iloc[0]
                _part(axes, shown, part, scores, place)
        axes.set_title(fill(method(sampler).label, TITLE), color=method(sampler).colour)
    panels = [axes.get_legend_handles_labels() for axes in figure.axes]
    legend = {label: handle for handles, labels in panels for handle, label in zip(handles, labels, strict=True)}
    figure.legend(legend.values(), legend, loc="outside upper right", ncols=4)
    figure.supxlabel(f"validation loss requested, nats (bars: 95 % intervals over {unit(summary)})", fontsize=8)
    figure.supylabel("validation loss reached, nats", fontsize=8)
    save(figure, pdf, png)


def _part(axes: Axes, rows: pd.DataFrame, part: str, scores: pd.Series, place: int) -> None:
    label, colour = PARTS[part]
    requests = np.sort(rows["requested"].unique())
    # Shifted, so that the two parts do not overlap.
    shift = (2 * place - 1) * APART / 2 * (np.diff(requests).min() if len(requests) > 1 else 0)
    means = []
    for requested, group in rows[np.isfinite(rows["achieved"])].groupby("requested"):
        values = by_set(group, "achieved", unit=scores.get("unit", SETS))["achieved"].to_numpy()
        axes.plot(np.full(len(values), requested + shift), values, ".", color=colour, alpha=0.35, ms=4, mew=0)
        means.append({"requested": requested, **interval(values, POSITIVE)._asdict()})
    if means:
        line = pd.DataFrame(means)
        look = {"color": colour, "marker": "o", "ms": 2.5, "lw": 1, "elinewidth": 0.9, "label": label}
        draw_intervals(axes, line["requested"] + shift, line, "mean", **look)
    lost = rows.loc[~np.isfinite(rows["achieved"]), "requested"]
    if len(lost):
        top = np.full(len(lost), 0.985 * axes.get_ylim()[1])
        axes.plot(lost, top, "x", ms=3, mew=0.8, color=RED, label="non-finite")
    names = ("prompt_alignment", "prompt_alignment_low", "prompt_alignment_high")
    score, *bounds = scores.reindex(names).astype(float)
    note = f"R² {score:.2f}" if np.isfinite(score) else "R² undefined"
    note += " [{:.2f}, {:.2f}]".format(*bounds) if np.isfinite([score, *bounds]).all() else ""
    axes.text(0.04, 0.93 - 0.1 * place, note, color=colour, fontsize=6.5, transform=axes.transAxes, va="top")
