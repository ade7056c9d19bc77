"""Accuracy on held-out tasks: samplers beside what they must beat, by images looked at."""

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wsl.figures.style import BLUE, COLUMN, GREEN, GREY, ORANGE, PURPLE, RED, SKY, save

# What samplers must beat: label, colour, marker and line.
STYLES = {
    "prototypes": ("head of class prototypes", BLUE, "s", "-"),
    "probe": ("linear probe", SKY, "^", "-"),
    "body-prototypes": ("prototypes on the generator's body", GREEN, "v", "--"),
    "body-probe": ("linear probe on the generator's body", GREEN, "^", "--"),
    "nearest": ("nearest training member", PURPLE, "D", "-"),
    "noised": ("nearest, noised", PURPLE, "D", ":"),
    "mean": ("mean of the zoo", GREY, "x", ":"),
}
FLAT = {
    "trained": ("trained on the task", "-"),
    "reconstructed": ("trained, then reconstructed", "--"),
    "start": ("the start, untrained", ":"),
}
LEFT_OUT = "scratch"  # random weights: chance, as the start is
SAMPLED = ((ORANGE, "<"), (GREEN, ">"), (SKY, "p"), (PURPLE, "*"), (GREY, "P"))
TITLES = {"seen": "classes that the zoo saw", "unseen": "classes that no member saw"}


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw accuracy without fine-tuning against images a class, with 95 % intervals; trained models as a line."""
    accuracies = own_rows(pd.read_csv(table))
    styles = styles_of(accuracies)
    accuracies = accuracies[accuracies["epochs"] == 0]
    figure = by_classes(accuracies, lambda axes, rows: _panel(axes, rows, styles))
    save(figure, pdf, png)


def by_classes(accuracies: pd.DataFrame, draw_panel: Callable[[Axes, pd.DataFrame], None]) -> Figure:
    """Draw a panel of the rows of seen classes, and one of unseen classes where there are any; one legend for both."""
    kinds = [kind for kind in TITLES if kind in set(accuracies["classes"])]
    figure = Figure(figsize=(COLUMN * (1 + 0.9 * (len(kinds) - 1)) + 1.6, 3.0))
    panels = np.atleast_1d(figure.subplots(1, len(kinds), sharey=True))
    for axes, kind in zip(panels, kinds, strict=True):
        draw_panel(axes, accuracies[accuracies["classes"] == kind])
        axes.set_title(TITLES[kind])
    panels[0].set_ylabel("accuracy on test images")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def own_rows(accuracies: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the run that the table is of, without those of runs beside it."""
    return accuracies[accuracies["run"] == accuracies["run"].iloc[0]]


def styles_of(accuracies: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return how each rival and sampler is drawn, the same in every panel and figure; what is chosen stands out."""
    styles = {name: _style(*style, chosen=False) for name, style in STYLES.items()}
    chosen = set(accuracies.loc[accuracies["chosen"], "sampler"])
    samplers = [name for name in dict.fromkeys(accuracies["sampler"]) if name not in {*STYLES, *FLAT, LEFT_OUT}]
    looks = cycle(SAMPLED)
    for name in samplers:
        if name in chosen:
            styles[name] = _style(f"sampled: {name} (chosen)", RED, "o", "-", chosen=True)
        else:
            styles[name] = _style(f"sampled: {name}", *next(looks), "--", chosen=False)
    return styles


def _style(label: str, colour: str, marker: str, line: str, chosen: bool) -> dict[str, Any]:
    sizes = {"ms": 4, "lw": 2, "zorder": 3} if chosen else {"ms": 3, "lw": 1, "zorder": 2}
    return {"label": label, "color": colour, "marker": marker, "ls": line, "capsize": 2, **sizes}


def with_intervals(axes: Axes, x: Sequence[int], rows: pd.DataFrame, style: dict[str, Any]) -> None:
    """Draw accuracies and their intervals at ``x``."""
    reach = [rows["accuracy"] - rows["low"], rows["high"] - rows["accuracy"]]
    axes.errorbar(x, rows["accuracy"], yerr=reach, **style)


def _panel(axes: Axes, table: pd.DataFrame, styles: dict[str, dict[str, Any]]) -> None:
    counts = sorted({int(count) for count in table["images"] if count != "all"})
    places = {str(count): place for place, count in enumerate(counts)} | {"all": len(counts)}
    table = table.assign(place=[places[str(count)] for count in table["images"]]).sort_values("place")
    for sampler, style in styles.items():
        rows = table[table["sampler"] == sampler]
        if len(rows):
            with_intervals(axes, rows["place"], rows, style)
    for sampler, (label, style) in FLAT.items():
        rows = table[table["sampler"] == sampler]
        if len(rows):
            axes.axhline(rows["accuracy"].iloc[0], color="black", ls=style, lw=1, label=label)
    names = {"0": "names\nalone", "all": "all"}
    axes.set_xticks(list(places.values()), [names.get(count, count) for count in places])
    axes.set(xlabel="images a class that are looked at", ylim=(None, 1))
