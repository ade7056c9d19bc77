"""Accuracy on held-out tasks against the number of members that samplers learn from."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wsl.figures.dots import kinds_in, unit
from wsl.figures.ends import label_ends
from wsl.figures.methods import KINDS, method, uses_zoo
from wsl.figures.style import COLUMN, save

# Inches: the figure's height; the height of the panels and what stands below them; what stands left of the first
# panel, and right of each.
TALL, PANEL, BELOW, LEFT, RIGHT = 3.1, 2.3, 0.55, 0.5, 1.75


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw accuracy without fine-tuning, with all images, over the runs of the first run's regime.

    Args:
        table: CSV, see ``wsl.evaluation.tables.accuracy_table``.
        pdf: vector file to write.
        png: bitmap to write.
    """
    accuracies = pd.read_csv(table, dtype={"images": str})
    own = accuracies["regime"] == accuracies["regime"].iloc[0]
    whole = accuracies[own & (accuracies["epochs"] == 0) & (accuracies["images"] == "all")]
    whole = whole[whole["sampler"].map(uses_zoo)].sort_values("members")
    kinds = kinds_in(whole)
    width = 2 * COLUMN if len(kinds) > 1 else LEFT + RIGHT + 2.4
    each = (width - LEFT - RIGHT * len(kinds)) / len(kinds)
    figure = Figure(figsize=(width, TALL))
    figure.set_layout_engine("none")  # places are set here, since labels stand right of the panels
    held_out = whole[whole["classes"].isin(kinds)]
    floor = np.nanmin([held_out["low"].min(), held_out["accuracy"].min()])
    for place, kind in enumerate(kinds):
        at = (LEFT + place * (each + RIGHT), BELOW, each, PANEL)
        axes = figure.add_axes(tuple(np.divide(at, (width, TALL, width, TALL))))
        axes.set_ylim(max(100 * floor - 3, 0), 101)
        _panel(axes, held_out[held_out["classes"] == kind])
        axes.set_title(KINDS[kind].capitalize(), loc="left", fontweight="bold")
        axes.tick_params(labelleft=place == 0)
    figure.axes[0].set_ylabel("accuracy on test images, %")
    note = f"training members (bars: 95 % intervals over {unit(held_out)})"
    figure.text(0.5 if len(kinds) > 1 else (LEFT + each / 2) / width, 0.04, note, ha="center", fontsize=8)
    save(figure, pdf, png)


def _panel(axes: Axes, whole: pd.DataFrame) -> None:
    members = sorted(whole["members"].unique())
    axes.set_xscale("log", base=2)
    axes.set_xticks(members, [f"{count:,}" for count in members])
    axes.minorticks_off()
    ends = []
    for place, (name, rows) in enumerate(whole.groupby("sampler", sort=False)):
        look, rows = method(name), rows.drop_duplicates("members")
        # A little to the side, so that the intervals of two methods do not lie on each other.
        x = rows["members"] * 2 ** (0.03 * (place % 5 - 2))
        reach = [100 * (rows["accuracy"] - rows["low"]), 100 * (rows["high"] - rows["accuracy"])]
        axes.errorbar(
            x, 100 * rows["accuracy"], reach, color=look.colour, marker=look.marker, ls=look.line, ms=3,
            lw=1.6 if look.kind == "sampler" else 1, elinewidth=0.8, label=look.label,
        )  # fmt: skip
        ends.append((x.iloc[-1], 100 * rows["accuracy"].iloc[-1], look.label, look.colour))
    label_ends(axes, ends, PANEL)
