"""The contents of the report, in order: its figures, from ``wsl.figures.catalogue``, and its tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wsl.figures.catalogue import Figure
from wsl.runs.run import Run


@dataclass(frozen=True)
class Table:
    """A table, ``tables/<name>.csv`` with the caption ``workflow/report/<name>.rst``.

    Attributes:
        name: of its file.
        category: one of ``wsl.figures.catalogue.CATEGORIES``.
        title: a few words.
        when: whether it is in the report of a run.
    """

    name: str
    category: str
    title: str
    when: Callable[[Run], bool] = lambda run: True


def _properties(run: Run) -> bool:
    return run.config.evaluation.properties


def _bench(run: Run) -> bool:
    return bool(run.config.evaluation.bench.encoders)


# In the order of the report.
TABLES = {
    table.name: table
    for table in (
        Table("reconstruction", "Weight encoder", "Table 4.1: reconstruction on training data"),
        Table("accuracy", "Sampling", "accuracy on held-out tasks"),
        Table("recalibration", "Sampling", "effect of re-estimated batch-normalisation statistics"),
        Table("control", "Sampling", "control by R: validation losses requested and reached", _properties),
        Table("novelty", "Sampling", "novelty and diversity of sampled models", _properties),
        Table("refinement", "Sampling", "a few gradient steps on the code or on all weights", _properties),
        Table("retrieval", "Shared space", "retrieval of held-out members", _properties),
        Table("weight_encoders", "Weight encoder", "comparison of weight encoders", _bench),
        Table("probes", "Weight encoder", "probes of latents", _bench),
        Table("pca", "Weight encoder", "compression of each named parameter"),
        Table("members", "Zoo", "members: plan and results"),
        Table("classes", "Images", "images of each class"),
    )
}


def contents(run: Run, figures: Sequence[Figure]) -> list[dict[str, str]]:
    """Return ``kind``, ``name``, ``category`` and ``title`` of the run's figures in the report, then of its tables."""
    shown = [("figure", figure) for figure in figures if figure.shown]
    shown += [("table", table) for table in TABLES.values() if table.when(run)]
    return [{"kind": kind, "name": item.name, "category": item.category, "title": item.title} for kind, item in shown]
