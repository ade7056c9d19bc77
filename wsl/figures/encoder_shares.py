"""How much of the compression a first, non-linear stage should do before PCA (section 5.1 of the thesis)."""

from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from wsl.figures.style import COLUMN, save
from wsl.figures.weight_encoders import PARTS


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw recalibrated agreement against the share of the first stage: a line per latent size, a panel per part.

    Args:
        table: CSV, see ``wsl.evaluation.encoder_tables``; encoders without a share are left out, and sizes without an
            encoder of two stages.
        pdf: vector file to write.
        png: bitmap to write.
    """
    rows = pd.read_csv(table).dropna(subset="share")
    sizes = sorted(rows.loc[rows["share"] > 0, "latent_size"].unique())
    colours = dict(zip(sizes, matplotlib.colormaps["viridis"].resampled(len(sizes) + 1).colors, strict=False))
    parts = [part for part in PARTS if part in set(rows["part"])]
    figure = Figure(figsize=(min(COLUMN * (0.5 + 0.8 * len(parts)), 2 * COLUMN), 2.4))
    for axes, part in zip(figure.subplots(1, len(parts), sharey=True, squeeze=False)[0], parts, strict=True):
        for size, colour in colours.items():
            own = rows[(rows["part"] == part) & (rows["latent_size"] == size)].sort_values("share")
            reach = [own["agreement_bn"] - own["low"], own["high"] - own["agreement_bn"]]
            axes.errorbar(
                own["share"], own["agreement_bn"], reach, color=colour, marker="o", ms=3, elinewidth=0.8,
                label=f"{size:,} numbers",
            )  # fmt: skip
        axes.set(title=PARTS[part], xlabel="share of the first stage")
    figure.axes[0].set_ylabel("agreement with the original")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center")
    save(figure, pdf, png)
