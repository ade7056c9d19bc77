"""Figure 4.1b: outputs of held-out models and their reconstructions, during the training of the weight encoder."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from wsl.figures.palette import BLUE
from wsl.figures.style import COLUMN, chance_line, save

FIGURE = {
    "title": "4.1b: outputs on synthetic images",
    "category": "Weight encoder",
    "order": 2,
    "inputs": lambda run: {"measured": run.paths.measured("reconstruction_over_training")},
    "settings": lambda run: {"chance": 1 / run.config.zoo.classes_per_task},
    "when": lambda run: run.runnable,
    "needs_images": False,  # noise is enough
}
METRICS = {"agreement": (0.0, 1.03), "cosine": (-1.05, 1.05), "correlation": (-1.05, 1.05)}
START = "epoch0"  # the snapshot before any training


def draw(measured: str | Path, pdf: str | Path, png: str | Path, chance: float) -> None:
    """Draw one panel per metric: the mean over held-out trained snapshots, and the middle half of them shaded.

    The table is that of ``wsl.evaluation.reconstruction.over_training``; ``chance`` is the agreement of two independent
    models.
    """
    table = pd.read_csv(measured)
    table = table[table["snapshot"] != START]  # an untrained model contains nothing to reconstruct
    figure = Figure(figsize=(2 * COLUMN, 2.2))
    for axes, (metric, limits) in zip(figure.subplots(1, len(METRICS)), METRICS.items(), strict=True):
        groups = table.groupby("epoch")[metric]
        mean = groups.mean()
        axes.plot(mean, color=BLUE, marker="o", ms=3, label="mean")
        axes.fill_between(
            mean.index, groups.quantile(0.25), groups.quantile(0.75), color=BLUE, alpha=0.18, lw=0,
            label="middle half of snapshots",
        )  # fmt: skip
        chance_line(axes, chance if metric == "agreement" else 0.0, "unrelated models (chance)")
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xlim(0, None)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set(ylim=limits, title=metric, xlabel="epoch of the weight encoder")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    save(figure, pdf, png)
