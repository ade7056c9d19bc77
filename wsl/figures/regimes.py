"""Accuracy on held-out tasks of one run beside others: what the start of training makes of sampling."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wsl.figures.dots import ROW, draw_rows, kinds_in, label_room, label_rows, unit, write_values
from wsl.figures.methods import KINDS, SHORT_KINDS
from wsl.figures.style import COLUMN, save

# Beside the chosen sampler: the thesis' sampler, the baselines that use the same data, and references.
SHOWN = (
    *("trained", "reconstructed", "projection", "body-probe", "body-prototypes", "probe", "prototypes", "nearest"),
    *("mean", "start"),
)
ACROSS = 2  # runs side by side
TITLE, VALUES, TICKS = 0.24, 0.42, 0.24  # inches: above and beside panels, and below all but the last ones


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw each run's accuracies without fine-tuning, with all images: sorted dots, a panel per run and kind of tasks.

    Args:
        table: CSV, see ``wsl.evaluation.tables.accuracy_table``.
        pdf: vector file to write.
        png: bitmap to write.
    """
    accuracies = pd.read_csv(table, dtype={"images": str})
    whole = accuracies[(accuracies["epochs"] == 0) & (accuracies["images"] == "all")]
    whole = whole[whole["classes"].isin(KINDS) & (whole["sampler"].isin(SHOWN) | whole["chosen"])]
    blocks = [whole[whole["classes"] == kind] for kind in kinds_in(whole)]
    panels = [rows for block in blocks for _, rows in block.groupby("run", sort=False)]
    lines = _lines(panels)
    tall = [ROW * max(rows["sampler"].nunique() for rows in line) for line in lines]
    width, height = 2 * COLUMN, sum(tall) + TITLE * len(lines) + TICKS * (len(lines) - 1) + 0.46
    figure = Figure(figsize=(width, height))
    figure.set_layout_engine("none")  # places are set here, so that all panels are of one size
    left = label_room(figure, set(whole["sampler"]), [])
    each = min(width / max(map(len, lines)) - left - VALUES, 2.4)
    floor = max(100 * np.nanmin([*whole["low"], *whole["accuracy"]]) - 3, 0)
    top = height
    for line, high in zip(lines, tall, strict=True):
        for place, rows in enumerate(line):
            at = (left + place * (left + each + VALUES), top - TITLE - high, each, high)
            axes = figure.add_axes(tuple(np.divide(at, (width, height, width, height))))
            _panel(axes, rows, floor)
        top -= TITLE + high + TICKS
    below = f"accuracy on test images, % (bars: 95 % intervals over {unit(whole)})"
    middle = 0.5 if max(map(len, lines)) > 1 else (left + each / 2) / width
    figure.text(middle, 0.05 / height, below, ha="center", fontsize=8)
    save(figure, pdf, png)


def _lines(panels: list[pd.DataFrame]) -> list[list[pd.DataFrame]]:
    """Return panels in lines, those of seen and of unseen classes apart."""
    lines: list[list[pd.DataFrame]] = []
    for rows in panels:
        kind = rows["classes"].iloc[0]
        if not lines or len(lines[-1]) == ACROSS or lines[-1][0]["classes"].iloc[0] != kind:
            lines.append([])
        lines[-1].append(rows)
    return lines


def _panel(axes: Axes, rows: pd.DataFrame, floor: float) -> None:
    own = rows.drop_duplicates("sampler").sort_values(["accuracy", "sampler"]).set_index("sampler")
    chosen = set(own.index[own["chosen"]])
    draw_rows(axes, own, own.index)
    label_rows(axes, own.index, chosen)
    write_values(axes, own, own.index, chosen)
    axes.set_xlim(floor, 101)
    kind = SHORT_KINDS[rows["classes"].iloc[0]]
    axes.set_title(f"{rows['run'].iloc[0]}: {rows['regime'].iloc[0]} starts, {kind}", loc="right")
