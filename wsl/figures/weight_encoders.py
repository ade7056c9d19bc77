"""How held-out members survive weight encoders, against the size of the latent."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wsl.figures.style import BLUE, CHANCE, COLUMN, GREEN, GREY, ORANGE, PURPLE, RED, SKY, save

COLOURS = {
    ("pca-ae", "uniform"): BLUE,
    ("pca-ae", "function"): SKY,
    ("pca", "uniform"): ORANGE,
    ("pca", "variance"): GREY,
    ("pca", "function"): RED,
    ("ae-pca", "uniform"): GREEN,
    ("contrastive", "uniform"): PURPLE,
    ("sane", "uniform"): "black",
}
PARTS = {"test": "seen classes", "unseen": "unseen classes"}


def draw(table: str | Path, pdf: str | Path, png: str | Path, chance: float) -> None:
    """Draw agreement with the originals, a panel a part: recalibrated with 95 % intervals, dotted as decoded.

    Crosses mark what a search by answers adds. Encoders of one kind and gate are joined.
    """
    rows = pd.read_csv(table)
    parts = [part for part in PARTS if part in set(rows["part"])]
    figure = Figure(figsize=(COLUMN * (0.5 + len(parts)), 2.8))
    for axes, part in zip(figure.subplots(1, len(parts), sharey=True, squeeze=False)[0], parts, strict=True):
        _panel(axes, rows[rows["part"] == part], chance)
        axes.set_title(PARTS[part])
    figure.axes[0].set_ylabel("agreement with the original")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center")
    save(figure, pdf, png)


def _panel(axes: Axes, rows: pd.DataFrame, chance: float) -> None:
    for (kind, gate), group in rows.groupby(["kind", "gate"], sort=False):
        own, colour = group.sort_values("latent_size"), COLOURS.get((kind, gate), GREY)
        label = kind if gate == "uniform" else f"{kind}, budget by {gate}"
        reach = [own["agreement_bn"] - own["low"], own["high"] - own["agreement_bn"]]
        sizes = own["latent_size"]
        axes.errorbar(sizes, own["agreement_bn"], reach, color=colour, marker="o", ms=3, elinewidth=0.8, label=label)
        axes.plot(sizes, own["agreement"], color=colour, ls=":", lw=1)
        if "agreement_searched" in own:
            axes.plot(sizes, own["agreement_searched"], "x", color=colour, ms=5)
    axes.axhline(chance, color=CHANCE, lw=0.8, ls="--", label="chance")
    axes.set_xscale("log", base=2)
    sizes = sorted(rows["latent_size"].unique())
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=60)
    axes.minorticks_off()
    axes.set_xlabel("numbers a model")
