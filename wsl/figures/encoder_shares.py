"""Agreement by the fraction of the compression that a first, non-linear stage does (section 5.1 of the thesis)."""

from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from wsl.figures.palette import PARTS
from wsl.figures.style import COLUMN, draw_intervals, parts_in, save

FIGURE = {
    "title": "agreement by the share of the first stage",
    "category": "Weight encoder",
    "order": 6,
    "inputs": lambda run: {"table": run.paths.table("weight_encoders")},
    "when": lambda run: (
        bool(run.config.evaluation.bench.encoders)
        and any(weights.encoder.name == "ae-pca" for weights in run.config.encoders().values())
    ),
}


def draw(table: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw recalibrated agreement by the share of the first stage: one line per latent size, one panel per part.

    The table is that of ``wsl.evaluation.encoder_tables``; encoders without a share are left out, and so are sizes
    without an encoder of two stages.
    """
    rows = pd.read_csv(table).dropna(subset="share")
    sizes = sorted(rows.loc[rows["share"] > 0, "latent_size"].unique())
    colours = dict(zip(sizes, matplotlib.colormaps["viridis"].resampled(len(sizes) + 1).colors, strict=False))
    parts = parts_in(rows, PARTS)
    figure = Figure(figsize=(min(COLUMN * (0.5 + 0.8 * len(parts)), 2 * COLUMN), 2.4))
    for axes, part in zip(figure.subplots(1, len(parts), sharey=True, squeeze=False)[0], parts, strict=True):
        for size, colour in colours.items():
            line = rows[(rows["part"] == part) & (rows["latent_size"] == size)].sort_values("share")
            look = {"color": colour, "marker": "o", "ms": 3, "elinewidth": 0.8, "label": f"{size:,} coefficients"}
            draw_intervals(axes, line["share"], line, "agreement_bn", **look)
        axes.set(title=PARTS[part][0], xlabel="share of the first stage")
    figure.axes[0].set_ylabel("agreement with the original")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right center")
    save(figure, pdf, png)
