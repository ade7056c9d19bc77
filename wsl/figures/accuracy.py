"""Accuracy on held-out tasks: samplers beside what they must beat, by images looked at."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wsl.figures.style import BLUE, COLUMN, GREEN, GREY, ORANGE, PURPLE, RED, SKY, save

# What everybody would try first stands out; the rest is there for comparison.
STYLES = {
    "prototypes": ("head of class prototypes", BLUE, "s", "-"),
    "probe": ("linear probe", SKY, "^", "-"),
    "body-prototypes": ("prototypes on the generator's body", GREEN, "v", "--"),
    "nearest": ("nearest training member", PURPLE, "D", "-"),
    "noised": ("nearest, noised", PURPLE, "D", ":"),
    "mean": ("mean of the zoo", GREY, "x", ":"),
}
OTHERS = (GREY, ORANGE, GREEN, PURPLE, SKY)
TITLES = {"seen": "classes that the zoo saw", "unseen": "classes that no member saw"}


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw accuracy without fine-tuning against images a class, with 95 % intervals; trained models as a line."""
    accuracies = own_rows(pd.read_csv(table))
    accuracies = accuracies[accuracies["epochs"] == 0]
    kinds = [kind for kind in TITLES if kind in set(accuracies["classes"])]
    figure = Figure(figsize=(COLUMN * (1 + 0.9 * (len(kinds) - 1)) + 1.6, 3.0))
    panels = np.atleast_1d(figure.subplots(1, len(kinds), sharey=True))
    for axes, kind in zip(panels, kinds, strict=True):
        _panel(axes, accuracies[accuracies["classes"] == kind])
        axes.set_title(TITLES[kind])
    panels[0].set_ylabel("accuracy on test images")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper")
    save(figure, pdf, png)


def own_rows(accuracies: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the run that the table is of, without those of runs beside it."""
    return accuracies[accuracies["run"] == accuracies["run"].iloc[0]]


def _panel(axes: Axes, table: pd.DataFrame) -> None:
    counts = sorted({int(count) for count in table["images"] if count != "all"})
    places = {str(count): place for place, count in enumerate(counts)} | {"all": len(counts)}
    samplers = dict.fromkeys(table.loc[~table["sampler"].isin([*STYLES, *FLAT]), "sampler"])
    plain = iter(OTHERS * 3)
    for sampler in [*STYLES, *samplers]:
        rows = table[table["sampler"] == sampler]
        if rows.empty:
            continue
        chosen = bool(rows["chosen"].any())
        label, colour, marker, line = STYLES.get(sampler, (f"sampled: {sampler}", next(plain), ".", "--"))
        if chosen:
            label, colour, marker, line = f"sampled: {sampler} (chosen)", RED, "o", "-"
        x = [places[str(count)] for count in rows["images"]]
        reach = [rows["accuracy"] - rows["low"], rows["high"] - rows["accuracy"]]
        axes.errorbar(
            x, rows["accuracy"], yerr=reach, color=colour, marker=marker, ms=4 if chosen else 3, ls=line, capsize=2,
            lw=2 if chosen else 1, label=label, zorder=3 if chosen else 2,
        )  # fmt: skip
    for sampler, (label, style) in FLAT.items():
        rows = table[table["sampler"] == sampler]
        if len(rows):
            axes.axhline(rows["accuracy"].iloc[0], color="black", ls=style, lw=1, label=label)
    names = {"0": "names\nalone", "all": "all"}
    axes.set_xticks(list(places.values()), [names.get(count, count) for count in places])
    axes.set(xlabel="images a class that are looked at", ylim=(None, 1))


FLAT = {
    "trained": ("trained on the task", "-"),
    "reconstructed": ("trained, then reconstructed", "--"),
    "start": ("the start, untrained", ":"),
}
