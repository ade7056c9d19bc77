"""Control by D and R: how well the accuracies of sampled models follow those asked for, beside null arms."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wsl.evaluation.null_arms import ASKED
from wsl.figures.dots import unit
from wsl.figures.methods import method
from wsl.figures.palette import GREY, PARTS
from wsl.figures.style import COLUMN, parts_in, row_axes, save

FIGURE = {
    "title": "accuracy asked and reached, beside null arms",
    "category": "Sampling",
    "order": 6,
    "inputs": lambda run: {"table": run.paths.table("control")},
    "when": lambda run: run.config.evaluation.properties,
}
# Titles and axes of the columns that are drawn; lower values are drawn at the left end of the axis.
PANELS = {
    "accuracy_alignment": ("R²", (-2, 1.05)),
    "accuracy_spearman": ("rank correlation", (-1.05, 1.05)),
    "accuracy_reached": ("mean accuracy", (0, 1.02)),
}
# Label and marker of each arm; an arm that is not listed is named by itself.
LOOKS = {
    ASKED: ("asked", "o"),
    "d-shuffled": ("D shuffled", "D"),
    "r-shuffled": ("R shuffled", "s"),
    "r-ignored": ("R ignored", "v"),
}
ROW = 0.4  # height of the row of a sampler, inches
SPREAD = 0.18  # distance of two arms, in rows


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw ``wsl.evaluation.control.control_table``: rows of samplers in panels of scores, and lines of panels by part.

    What was asked is in the sampler's colour, and null arms are grey, all with 95 % intervals. Dotted lines are at 0
    and at the mean accuracy asked.
    """
    scores = pd.read_csv(table)
    parts = parts_in(scores, PARTS)
    samplers = list(dict.fromkeys(scores["sampler"]))[::-1]
    figure = Figure(figsize=(2 * COLUMN, 0.85 + len(parts) * (0.45 + ROW * len(samplers))))
    grid = figure.subplots(len(parts), len(PANELS), sharex="col", sharey=True, squeeze=False)
    for line, part in zip(grid, parts, strict=True):
        shown = scores[scores["part"] == part]
        for axes, (column, (title, limits)) in zip(line, PANELS.items(), strict=True):
            row_axes(axes, [method(name).label for name in samplers])
            axes.set(title=title if part == parts[0] else "", xlim=limits)
            level = shown.loc[shown["arm"] == ASKED, "accuracy_asked"].mean() if column == "accuracy_reached" else 0
            axes.axvline(level, color=GREY, lw=0.8, ls=":", zorder=0.5)
            for row, sampler in enumerate(samplers):
                own = shown[shown["sampler"] == sampler].set_index("arm")
                _arms(axes, own, column, row, method(sampler).colour)
        line[0].set_ylabel(PARTS[part][0], fontweight="bold")
    handles = [Line2D([], [], color="black" if arm == ASKED else GREY, **_look(arm)) for arm in scores["arm"].unique()]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles))
    figure.supxlabel(f"accuracy reached by accuracy asked (bars: 95 % intervals over {unit(scores)})", fontsize=8)
    save(figure, pdf, png)


def _arms(axes: Axes, arms: pd.DataFrame, column: str, row: int, colour: str) -> None:
    left = axes.get_xlim()[0]
    for place, (arm, scores) in enumerate(arms.iterrows()):
        mean, low, high = (max(scores[column + end], left) for end in ("", "_low", "_high"))
        shade, height = colour if arm == ASKED else GREY, row + SPREAD * ((len(arms) - 1) / 2 - place)
        axes.plot([low, high], [height, height], color=shade, lw=0.9)
        axes.plot(mean, height, color=shade, clip_on=False, **_look(arm))


def _look(arm: str) -> dict[str, Any]:
    label, marker = LOOKS.get(arm, (arm, "P"))
    look = {"label": label, "marker": marker, "ms": 4, "mew": 0.9, "ls": "none"}
    return look if arm == ASKED else {**look, "mfc": "white"}
