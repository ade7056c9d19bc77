"""Accuracy on held-out tasks against the number of members that samplers learnt from."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from wsl.figures.accuracy import FLAT, by_classes, own_rows, styles_of, with_intervals
from wsl.figures.style import save

# What knows the zoo not at all is the same for any number of members.
UNMOVED = ("prototypes", "probe", "scratch", "start")


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw accuracies without fine-tuning, all images seen, of the first run's regime, with 95 % intervals."""
    accuracies = pd.read_csv(table)
    accuracies = accuracies[accuracies["regime"] == accuracies["regime"].iloc[0]]
    styles = styles_of(own_rows(accuracies))
    whole = accuracies[(accuracies["epochs"] == 0) & (accuracies["images"] == "all")]
    figure = by_classes(whole.sort_values("members"), lambda axes, rows: _panel(axes, rows, styles))
    save(figure, pdf, png)


def _panel(axes: Axes, whole: pd.DataFrame, styles: dict[str, dict[str, Any]]) -> None:
    for name, style in styles.items():
        rows = whole[whole["sampler"] == name]
        if len(rows) and name not in UNMOVED:
            with_intervals(axes, rows["members"], rows, style)
    label, line = FLAT["trained"]
    trained = whole[whole["sampler"] == "trained"]
    axes.plot(trained["members"], trained["accuracy"], color="black", ls=line, lw=1, label=label)
    axes.set_xscale("log", base=2)
    members = sorted(whole["members"].unique())
    axes.set_xticks(members, [f"{count:,}" for count in members])
    axes.minorticks_off()
    axes.set_xlabel("training members")
