"""How well weight encoders preserve held-out members, against the size of the latent."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wsl.figures.methods import encoder_colour
from wsl.figures.palette import CHANCE
from wsl.figures.style import COLUMN, save

PARTS = {"test": "seen classes", "unseen": "unseen classes"}
CLOSE = 1.2  # sizes nearer than this share one tick
TOGETHER = 0.03  # agreements nearer than this share one label


def draw(table: str | Path, pdf: str | Path, png: str | Path, chance: float) -> None:
    """Draw agreement with the originals, a panel per part: recalibrated with 95 % intervals, dotted as decoded.

    Crosses mark the result of a search by answers. Encoders of one kind and gate are joined. If several have the same
    size, the line goes through the best; the others are hollow, with their names beside them.

    Args:
        table: CSV, see ``wsl.evaluation.encoder_tables``.
        pdf: vector file to write.
        png: bitmap to write.
        chance: agreement of two models that answer independently.
    """
    rows = pd.read_csv(table)
    parts = [part for part in PARTS if part in set(rows["part"])]
    figure = Figure(figsize=(2 * COLUMN, 3.3))
    for axes, part in zip(figure.subplots(1, len(parts), sharey=True, squeeze=False)[0], parts, strict=True):
        _panel(axes, rows[rows["part"] == part], chance)
        axes.set_title(PARTS[part])
    figure.axes[0].set_ylabel("agreement with the original")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, columnspacing=1.2)
    save(figure, pdf, png)


def _panel(axes: Axes, rows: pd.DataFrame, chance: float) -> None:
    for (kind, gate), group in rows.groupby(["kind", "gate"], sort=False):
        own, colour = group.sort_values(["latent_size", "agreement_bn"]), encoder_colour(kind, gate)
        best = own.drop_duplicates("latent_size", keep="last")
        others = own.drop(best.index)
        label = kind if gate == "uniform" else f"{kind}, budget by {gate}"
        style = {"color": colour, "marker": "o", "ms": 3, "elinewidth": 0.8}
        sizes = best["latent_size"]
        axes.errorbar(sizes, best["agreement_bn"], _reach(best, "_bn", ""), label=label, **style)
        axes.plot(sizes, best["agreement"], color=colour, ls=":", lw=1)
        axes.errorbar(others["latent_size"], others["agreement_bn"], _reach(others, "_bn", ""), ls="", mfc="w", **style)
        _name(axes, others[::-1], best, colour)
        searched = own.dropna(subset="agreement_searched") if "agreement_searched" in own else own[:0]
        if len(searched):
            reach = _reach(searched, "_searched", "_searched")
            axes.errorbar(
                searched["latent_size"], searched["agreement_searched"], reach, color=colour, fmt="x", ms=5,
                elinewidth=0.8, label=f"{label}, searched",
            )  # fmt: skip
    axes.axhline(chance, color=CHANCE, lw=0.8, ls="--", label="chance", zorder=0.5)  # below names of encoders
    axes.set_xscale("log", base=2)
    shown: list[int] = []
    for size in sorted(rows["latent_size"].unique()):
        if not shown or size >= CLOSE * shown[-1]:
            shown.append(size)
    axes.set_xticks(shown, [f"{size:,}" for size in shown], rotation=60)
    axes.minorticks_off()
    axes.set_xlabel("numbers per model")


def _name(axes: Axes, others: pd.DataFrame, best: pd.DataFrame, colour: str) -> None:
    """Write the names of encoders beside them, from the best to the worst; those that lie together share a label."""
    for size, top in best[["latent_size", "agreement_bn"]].itertuples(index=False):
        labels: list[tuple[float, list[str]]] = [(top, [])]  # what lies with the best has no label
        for name, agreement in others.loc[others["latent_size"] == size, ["encoder", "agreement_bn"]].itertuples(False):
            if labels[-1][0] - agreement > TOGETHER:
                labels.append((agreement, []))
            labels[-1][1].append(name)
        for agreement, names in labels[1:]:
            place = (size, agreement)
            ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
            axes.annotate(
                ", ".join(names),
                place,
                (5, -2),
                textcoords="offset points",
                color=colour,
                fontsize=6.5,
                bbox=ground,
                zorder=1,
            )


def _reach(rows: pd.DataFrame, measured: str, interval: str) -> list[pd.Series]:
    """Return how far intervals extend below and above agreements."""
    agreement = rows[f"agreement{measured}"]
    return [agreement - rows[f"low{interval}"], rows[f"high{interval}"] - agreement]
