"""Agreement of held-out members with their reconstructions, one row per weight encoder, from the best to the worst."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wsl.figures.dots import unit
from wsl.figures.methods import encoder_colour
from wsl.figures.palette import PARTS
from wsl.figures.style import COLUMN, chance_line, parts_in, row_axes, save

FIGURE = {
    "title": "agreement of each weight encoder",
    "category": "Weight encoder",
    "order": 3,
    "inputs": lambda run: {"table": run.paths.table("weight_encoders")},
    "settings": lambda run: {"chance": 1 / run.config.zoo.classes_per_task},
    "when": lambda run: bool(run.config.evaluation.bench.encoders),
}
ROW, AROUND = 0.17, 0.85  # inches: height of a row, and of everything above and below the rows


def draw(table: str | Path, pdf: str | Path, png: str | Path, chance: float) -> None:
    """Draw agreement with the originals, one panel per part: recalibrated with 95 % intervals.

    Labels name the encoder and the numbers in its latent. Rows are in the order of the first part. Crosses mark the
    result of a search by outputs. The table is that of ``wsl.evaluation.encoder_tables``; ``chance`` is the agreement
    of two independent models. Encoders that do not decode are left out.
    """
    rows = pd.read_csv(table).dropna(subset="agreement_bn")
    parts = parts_in(rows, PARTS)
    order = rows[rows["part"] == parts[0]].sort_values("agreement_bn", kind="stable")
    labels = [f"{name} ({size:,})" for name, size in zip(order["encoder"], order["latent_size"], strict=True)]
    figure = Figure(figsize=(COLUMN * (0.6 + 0.7 * len(parts)), AROUND + ROW * len(order)))
    for axes, part in zip(figure.subplots(1, len(parts), sharey=True, squeeze=False)[0], parts, strict=True):
        row_axes(axes, labels)
        _panel(axes, rows[rows["part"] == part].set_index("encoder").reindex(order["encoder"]))
        chance_line(axes, 100 * chance, vertical=True)
        axes.set_title(PARTS[part][0])
    over = unit(rows.assign(tasks=rows["members"]))  # each member has one task
    below = f"agreement with the original, %\nbars: 95 % intervals over {over}; dashes: chance"
    if "agreement_searched" in rows and rows["agreement_searched"].notna().any():
        below += "\ncrosses: after a search by outputs"
    figure.supxlabel(below, fontsize=8)
    save(figure, pdf, png)


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    for row, encoder in enumerate(rows.itertuples()):
        colour = encoder_colour(encoder.kind, encoder.gate)
        axes.plot([100 * encoder.low, 100 * encoder.high], [row, row], color=colour, lw=1.1)
        axes.plot(100 * encoder.agreement_bn, row, "o", color=colour, ms=3.4)
        if pd.notna(getattr(encoder, "agreement_searched", None)):
            axes.plot(100 * encoder.agreement_searched, row, "x", color=colour, ms=5)
