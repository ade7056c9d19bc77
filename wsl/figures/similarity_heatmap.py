"""Figure 4.3: cosine similarity of weight latents and projections of (D, R) pairs."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from wsl.figures.style import COLUMN, save

FIGURE = {
    "title": "4.3: weight latents and (D, R) pairs",
    "category": "Shared space",
    "order": 2,
    "inputs": lambda run: {"similarities": run.paths.similarities},
}
TITLES = {"train": "training members", "test": "held-out members"}


def draw(similarities: str | Path, pdf: str | Path, png: str | Path) -> None:
    """Draw a heat map of training members, as in the thesis, and one of held-out members.

    The table has one row per weight latent and pair.
    """
    table = pd.read_csv(similarities)
    figure = Figure(figsize=(2 * COLUMN, 2.5))
    for axes, (part, title) in zip(figure.subplots(1, 2), TITLES.items(), strict=True):
        part_table = table[table["part"] == part]
        grid = part_table.pivot(index="weights_member", columns=["pair_member", "pair_snapshot"], values="cosine")
        grid = grid.sort_index(axis=1)
        image = axes.pcolormesh(grid.to_numpy(), cmap="RdBu_r", vmin=-1, vmax=1)
        axes.invert_yaxis()
        names = [f"{member} {snapshot}" for member, snapshot in grid.columns]
        axes.set_xticks(np.arange(grid.shape[1]) + 0.5, names, rotation=90)
        axes.set_yticks(np.arange(len(grid)) + 0.5, grid.index)
        axes.set_title(title)
        axes.set_xlabel("(D, R) pair: member and snapshot")
        axes.set_ylabel("weight latent (max)")
        for row, member in enumerate(grid.index):  # frame the pairs of the same member
            columns = np.flatnonzero(grid.columns.get_level_values(0) == member)
            axes.add_patch(Rectangle((columns[0], row), len(columns), 1, fill=False, lw=1.2, clip_on=False))
    bar = figure.colorbar(image, ax=figure.axes, label="cosine similarity")
    bar.solids.set(rasterized=False, edgecolor="face")
    save(figure, pdf, png)
