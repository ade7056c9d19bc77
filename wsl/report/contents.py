"""The contents of the report, in order: its figures, from ``wsl.figures.catalogue``, and its tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wsl.figures.catalogue import Figure
from wsl.runs.run import Run
from wsl.zoo.few_sets import few_sets


@dataclass(frozen=True)
class Table:
    """A table, ``tables/<name>.csv`` with the caption ``workflow/report/<name>.rst``.

    Attributes:
        name: of its file.
        category: one of ``wsl.figures.catalogue.CATEGORIES``.
        title: a few words.
        when: whether it is in the report of a run.
        needs_images: whether it is made from images, and left out of a run without them.
    """

    name: str
    category: str
    title: str
    when: Callable[[Run], bool] = lambda run: True
    needs_images: bool = True

    def shown(self, run: Run) -> bool:
        """Return whether it is in the report of a run."""
        return self.when(run) and (run.has_images or not self.needs_images)


def _properties(run: Run) -> bool:
    return run.config.evaluation.properties


def _bench(run: Run) -> bool:
    return bool(run.config.evaluation.bench.encoders)


def _groups(run: Run) -> bool:
    return _bench(run) and bool(run.config.evaluation.bench.by)


def _probes(run: Run) -> bool:
    return _bench(run) or not run.has_images


def _datasets_differ(run: Run) -> bool:
    return _properties(run) and not run.one_task


# In the order of the report.
TABLES = {
    table.name: table
    for table in (
        Table("reconstruction", "Weight encoder", "Table 4.1: reconstruction on training data"),
        Table("accuracy", "Sampling", "accuracy on held-out tasks"),
        Table("recalibration", "Sampling", "effect of re-estimated batch-normalisation statistics"),
        Table("specialisation", "Sampling", "gain over the best body for all tasks"),
        Table("control", "Sampling", "control by D and R: losses and accuracies asked and reached", _properties),
        Table("novelty", "Sampling", "novelty and diversity of sampled models", _properties),
        Table("refinement", "Sampling", "a few gradient steps on the code or on all weights", _properties),
        Table("retrieval", "Shared space", "retrieval of held-out members", _datasets_differ),
        Table("weight_encoders", "Weight encoder", "comparison of weight encoders", _bench),
        Table("encoder_groups", "Weight encoder", "weight encoders, by hyper-parameters of members", _groups),
        Table("probes", "Weight encoder", "probes of latents", _probes, needs_images=False),
        Table("pca", "Weight encoder", "compression of each named parameter", needs_images=False),
        Table("members", "Zoo", "members: plan and results", needs_images=False),
        Table("classes", "Images", "images of each class"),
    )
}


def contents(run: Run, figures: Sequence[Figure]) -> list[dict[str, str]]:
    """Return ``kind``, ``name``, ``category`` and ``title`` of the run's figures in the report, then of its tables."""
    shown = [("figure", figure) for figure in figures if figure.shown]
    shown += [("table", table) for table in TABLES.values() if table.shown(run)]
    return [{"kind": kind, "name": item.name, "category": item.category, "title": item.title} for kind, item in shown]


def planned_warnings(run: Run) -> list[str]:
    """Return what a run leaves out or measures imprecisely, and why, one sentence each."""
    if not run.has_images:
        return [
            "images.source is none, so datasets, the shared encoder, samplers and outputs on images are left out; "
            "alignment, PCA, the weight encoder, its latents and probes of them are made."
        ]
    lines = few_sets(run.plan)
    if run.one_task and _properties(run):
        lines.append("retrieval is left out, since all members have one task: no dataset identifies a member.")
    return lines
