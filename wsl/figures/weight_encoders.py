"""Agreement of held-out members with their reconstructions by weight encoders, by the size of the latent."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wsl.figures.methods import encoder_colour
from wsl.figures.palette import GREY, PARTS
from wsl.figures.style import COLUMN, chance_line, draw_intervals, parts_in, save

FIGURE = {
    "title": "agreement by the size of the latent",
    "category": "Weight encoder",
    "order": 4,
    "inputs": lambda run: {"table": run.paths.table("weight_encoders")},
    "settings": lambda run: {"chance": 1 / run.config.zoo.classes_per_task},
    "when": lambda run: bool(run.config.evaluation.bench.encoders),
}
CLOSE = 1.2  # sizes nearer than this ratio share one tick
TOGETHER = 0.03  # agreements nearer than this share one label


def draw(table: str | Path, pdf: str | Path, png: str | Path, chance: float) -> None:
    """Draw agreement with the originals, one panel per part: recalibrated with 95 % intervals, dashes as decoded.

    Crosses mark the result of a search by outputs. Encoders of one kind and gate are joined. If several have the same
    size, the line goes through the best one; the others are hollow and named. A line across is the most similar
    training snapshot. The table is that of ``wsl.evaluation.encoder_tables``; ``chance`` is the agreement of two
    independent models. Encoders that do not decode are left out.
    """
    rows = pd.read_csv(table).dropna(subset="agreement_bn")
    parts = parts_in(rows, PARTS)
    figure = Figure(figsize=(2 * COLUMN, 3.3))
    for axes, part in zip(figure.subplots(1, len(parts), sharey=True, squeeze=False)[0], parts, strict=True):
        _panel(axes, rows[rows["part"] == part], chance)
        axes.set_title(PARTS[part][0])
    figure.axes[0].set_ylabel("agreement with the original")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, columnspacing=1.2)
    save(figure, pdf, png)


def _panel(axes: Axes, rows: pd.DataFrame, chance: float) -> None:
    copies = rows["kind"] == "nearest"  # a snapshot of the zoo has no size that could be compared
    for agreement in rows.loc[copies, "agreement_bn"].head(1):
        axes.axhline(agreement, color=GREY, lw=0.8, label="most similar training snapshot", zorder=0.5)
    rows = rows[~copies]
    for (kind, gate), group in rows.groupby(["kind", "gate"], sort=False):
        encoders, colour = group.sort_values(["latent_size", "agreement_bn"]), encoder_colour(kind, gate)
        best = encoders.drop_duplicates("latent_size", keep="last")
        others = encoders.drop(best.index)
        label = kind if gate == "uniform" else f"{kind}, budget by {gate}"
        style = {"color": colour, "marker": "o", "ms": 3, "elinewidth": 0.8}
        draw_intervals(axes, best["latent_size"], best, "agreement_bn", label=label, **style)
        axes.plot(best["latent_size"], best["agreement"], color=colour, ls=":", lw=1, marker="_", ms=5)
        draw_intervals(axes, others["latent_size"], others, "agreement_bn", ls="", mfc="w", **style)
        _name(axes, others[::-1], best, colour)
        searched = encoders.dropna(subset="agreement_searched") if "agreement_searched" in encoders else encoders[:0]
        if len(searched):
            style |= {"marker": "x", "ls": "", "ms": 5, "label": f"{label}, searched"}
            bounds = ("low_searched", "high_searched")
            draw_intervals(axes, searched["latent_size"], searched, "agreement_searched", bounds, **style)
    chance_line(axes, chance)
    axes.set_xscale("log", base=2)
    ticks: list[int] = []
    for size in sorted(rows["latent_size"].unique()):
        if not ticks or size >= CLOSE * ticks[-1]:
            ticks.append(size)
    axes.set_xticks(ticks, [f"{size:,}" for size in ticks], rotation=60)
    axes.minorticks_off()
    axes.set_xlabel("coefficients per model")


def _name(axes: Axes, others: pd.DataFrame, best: pd.DataFrame, colour: str) -> None:
    """Write the names of encoders next to their points; names that would overlap share a label."""
    ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
    for size, top in best[["latent_size", "agreement_bn"]].itertuples(index=False):
        labels: list[tuple[float, list[str]]] = [(top, [])]  # encoders close to the best one have no label
        for name, agreement in others.loc[others["latent_size"] == size, ["encoder", "agreement_bn"]].itertuples(False):
            if labels[-1][0] - agreement > TOGETHER:
                labels.append((agreement, []))
            labels[-1][1].append(name)
        for agreement, names in labels[1:]:
            axes.annotate(
                ", ".join(names), (size, agreement), (5, -2), textcoords="offset points", color=colour, fontsize=6.5,
                bbox=ground, zorder=1,
            )  # fmt: skip
