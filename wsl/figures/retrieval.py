"""Retrieval in the shared space: recall of a snapshot's own weights, and of its own (D, R)."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from wsl.evaluation.intervals import SHARE, interval
from wsl.figures.dots import unit
from wsl.figures.palette import PARTS
from wsl.figures.style import COLUMN, draw_intervals, save

FIGURE = {
    "title": "retrieval of held-out members",
    "category": "Shared space",
    "order": 3,
    "inputs": lambda run: {"curves": run.paths.measured("retrieval_curves")},
    "when": lambda run: run.config.evaluation.properties and not run.one_task,
}
TITLES = {"pairs to weights": "(D, R) → W", "weights to pairs": "W → (D, R)"}
SHIFT = 1.02  # of the two parts along the axis of k, in opposite directions


def draw(curves: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw recall@k in both directions: means over sets of classes or members, with intervals, each as a point; chance.

    The table is that of ``wsl.evaluation.retrieval``.
    """
    table = pd.read_csv(curves)
    figure = Figure(figsize=(2 * COLUMN, 2.8))
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, (direction, title) in zip(panels, TITLES.items(), strict=True):
        for part, (label, colour) in PARTS.items():
            rows = table[(table["direction"] == direction) & (table["part"] == part)]
            if rows.empty:
                continue
            shift = SHIFT ** (1 if part == "unseen" else -1)
            axes.plot(shift * rows["k"], rows["recall"], ".", color=colour, alpha=0.35, ms=4, mew=0)
            groups = rows.groupby("k")["recall"]
            means = pd.DataFrame([{"k": k, **interval(group.to_numpy(), SHARE)._asdict()} for k, group in groups])
            look = {"color": colour, "marker": "o", "ms": 2.5, "lw": 1, "elinewidth": 0.9}
            draw_intervals(
                axes, shift * means["k"], means, "mean", label=f"{label} ({rows['k'].max()} snapshots)", **look
            )
            chance = rows.drop_duplicates("k")
            axes.plot(chance["k"], chance["chance"], color=colour, lw=0.8, ls=":", label=f"chance, {label}")
        axes.set(title=title, xscale="log", ylim=(-0.02, 1.03))
        axes.xaxis.set_major_formatter("{x:g}")
    panels[0].set_ylabel("recall@k")
    counts = table.groupby("part")["set"].agg(sets="nunique", tasks="nunique").assign(unit=table.get("unit"))
    figure.supxlabel(f"k (bars: 95 % intervals over {unit(counts)})", fontsize=8)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    save(figure, pdf, png)
