"""Accuracy on held-out tasks of this run and others, whose members start differently."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from wsl.figures.dots import ROW, axis_range, draw_rows, label_room, unit
from wsl.figures.methods import KINDS, SHORT_KINDS, kinds_in
from wsl.figures.style import COLUMN, place_axes, placed_figure, save

FIGURE = {
    "title": "accuracy of sampled models by regime",
    "category": "Sampling",
    "order": 3,
    "inputs": lambda run: {"table": run.paths.table("accuracy")},
}
# Shown besides the chosen sampler: the sampler of the thesis, baselines that use the same data, and references.
SHOWN = (
    *("trained", "reconstructed", "projection", "body-probe", "body-prototypes", "probe", "prototypes", "nearest"),
    *("prompt", "interpolation", "mean", "start"),
)
ACROSS = 2  # runs per line
TITLE, VALUES, TICKS = 0.24, 0.42, 0.24  # inches: above panels, right of them, and below all but the last ones


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw ``wsl.evaluation.tables.accuracy_table`` for all images, without fine-tuning, as sorted dots.

    There is one panel per run and kind of tasks.
    """
    accuracies = pd.read_csv(table, dtype={"images": str})
    whole = accuracies[(accuracies["epochs"] == 0) & (accuracies["images"] == "all")]
    whole = whole[whole["classes"].isin(KINDS) & (whole["sampler"].isin(SHOWN) | whole["chosen"])]
    blocks = [whole[whole["classes"] == kind] for kind in kinds_in(set(whole["classes"]))]
    lines = _lines([rows for block in blocks for _, rows in block.groupby("run", sort=False)])
    heights = [ROW * max(rows["sampler"].nunique() for rows in line) for line in lines]
    width, height = 2 * COLUMN, sum(heights) + TITLE * len(lines) + TICKS * (len(lines) - 1) + 0.46
    figure = placed_figure(width, height)
    left = label_room(figure, set(whole["sampler"]), [])
    panel_width = min(width / max(map(len, lines)) - left - VALUES, 2.4)
    top = height
    for line, line_height in zip(lines, heights, strict=True):
        for place, rows in enumerate(line):
            at = (left + place * (left + panel_width + VALUES), top - TITLE - line_height)
            axes = place_axes(figure, *at, panel_width, line_height)
            axes.set_xlim(axis_range(whole))
            _panel(axes, rows)
        top -= TITLE + line_height + TICKS
    below = f"accuracy on test images, % (bars: 95 % intervals over {unit(whole)})"
    middle = 0.5 if max(map(len, lines)) > 1 else (left + panel_width / 2) / width
    figure.text(middle, 0.05 / height, below, ha="center", fontsize=8)
    save(figure, pdf, png)


def _lines(panels: list[pd.DataFrame]) -> list[list[pd.DataFrame]]:
    """Return panels in lines, each with either seen or unseen classes."""
    lines: list[list[pd.DataFrame]] = []
    for rows in panels:
        kind = rows["classes"].iloc[0]
        if not lines or len(lines[-1]) == ACROSS or lines[-1][0]["classes"].iloc[0] != kind:
            lines.append([])
        lines[-1].append(rows)
    return lines


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    ranked = rows.drop_duplicates("sampler").sort_values(["accuracy", "sampler"]).set_index("sampler")
    draw_rows(axes, ranked, ranked.index, chosen=set(ranked.index[ranked["chosen"]]))
    kind = SHORT_KINDS[rows["classes"].iloc[0]]
    axes.set_title(f"{rows['run'].iloc[0]}: {rows['regime'].iloc[0]} starts, {kind}", loc="right")
