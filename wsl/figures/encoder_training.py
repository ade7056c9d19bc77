"""First and last losses of the compared weight encoders, and of the shared encoder on their latents."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from wsl.figures.palette import CHANCE, TRAIN, VALIDATION
from wsl.figures.style import COLUMN, chance_line, row_axes, save

FIGURE = {
    "title": "training of the weight encoders, and of the shared encoder on their latents",
    "category": "Weight encoder",
    "order": 5,
    "inputs": lambda run: {"table": run.paths.measured("encoder_histories")},
    "when": lambda run: bool(run.config.evaluation.bench.encoders),
}
ROW = 0.2  # inches
APART = 0.17  # fraction of a row: training above, validation below its middle
PARTS = {"train": (TRAIN, APART), "validation": (VALIDATION, -APART)}
TITLES = {
    "encoder": "weight encoder: loss, relative to the\nfirst epoch's validation loss",
    "shared": "shared encoder on its latents:\nNT-Xent, nats",
}


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw losses of the first, the kept and the last epoch: one row per encoder, training above validation.

    Full curves of tens of encoders would be illegible in one figure. Losses of different encoders have different units,
    so they are relative. The table is that of ``wsl.evaluation.encoder_tables``.
    """
    histories = pd.read_csv(table)
    lengths = histories.groupby(["training", "encoder"], sort=False).size()
    trained = lengths[lengths > 1].reset_index()
    names = {training: trained.loc[trained["training"] == training, "encoder"].tolist() for training in TITLES}
    shown = {training: encoders for training, encoders in names.items() if encoders}
    height = ROW * max(map(len, shown.values())) + 1.0
    figure = Figure(figsize=(2 * COLUMN if len(shown) > 1 else 1.3 * COLUMN, height))
    panels = np.atleast_1d(figure.subplots(1, len(shown)))
    for axes, (training, encoders) in zip(panels, shown.items(), strict=True):
        rows = histories[histories["training"] == training]
        _panel(axes, rows, encoders, relative=training == "encoder")
        axes.set_title(TITLES[training])
    keys = [Line2D([], [], color=colour, marker="o", ms=4, label=part) for part, (colour, _) in PARTS.items()]
    first = Line2D([], [], ls="", marker="|", ms=6, color="black", label="first epoch")
    last = Line2D([], [], ls="", marker="o", ms=4, color="black", label="last epoch")
    kept = Line2D([], [], ls="", marker="o", ms=6, mfc="none", color="black", label="kept")
    chance = [Line2D([], [], color=CHANCE, lw=0.8, ls="--", label="chance")] if "shared" in shown else []
    figure.legend(handles=[*keys, first, last, kept, *chance], loc="outside lower center", ncols=6, columnspacing=1.2)
    save(figure, pdf, png)


def _panel(axes: Axes, histories: pd.DataFrame, names: list[str], relative: bool) -> None:
    for row, name in enumerate(names[::-1]):
        history = histories[histories["encoder"] == name].sort_values("epoch")
        scale = history["validation_loss"].iloc[0] if relative else 1.0
        for part, (colour, above) in PARTS.items():
            losses, y = history[f"{part}_loss"] / scale, row + above
            axes.plot([losses.iloc[0], losses.iloc[-1]], [y, y], color=colour, lw=1.2)
            axes.plot(losses.iloc[0], y, marker="|", ms=5, color=colour)
            axes.plot(losses.iloc[-1], y, marker="o", ms=3.5, color=colour)
        kept = history.loc[history["kept"], "validation_loss"] / scale
        axes.plot(kept, [row - APART] * len(kept), ls="", marker="o", ms=6, mfc="none", mew=0.8, color="black")
    if not relative and "validation_chance" in histories:
        chance_line(axes, histories["validation_chance"].iloc[0], vertical=True)
    losses = histories.loc[histories["encoder"].isin(names), ["train_loss", "validation_loss"]].to_numpy()
    if relative and losses.min() > 0:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    row_axes(axes, names[::-1])
