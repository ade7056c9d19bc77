"""Facts about a run for captions and warnings, from its config and its plan."""

from pathlib import Path
from typing import Any

from wsl.evaluation.settings import CONTROL_REQUESTS, MAP_MEMBERS, NOVELTY_SAMPLES, NULL_REQUESTS
from wsl.paths import Paths
from wsl.runs.run import Run
from wsl.sampling.methods.base import METHODS
from wsl.zoo.borrowed import seen_from
from wsl.zoo.few_sets import DATASET, MEMBERS, count_sets, count_units
from wsl.zoo.imported import chosen_epochs

STARTS = {
    "independent": "random weights of its own, as in the thesis",
    "shared": "the same random weights",
    "finetuned": "the same trained backbone",
    "imported": "weights that the zoo's authors chose",
}
# The network that prototypes, probes and fine-tuning use.
BASES = {
    "independent": "a random start",
    "shared": "the random start that members share",
    "finetuned": "the backbone that members start from",
    "imported": "a random start",
}


def facts(run: Run) -> dict[str, Any]:
    """Return facts by name: text, numbers and truth values."""
    config = run.config
    zoo, evaluation = config.zoo, config.evaluation
    sets = {kind: count_units(run.plan, part) for kind, part in (("seen", "test"), ("unseen", "unseen"))}
    epochs = [str(count) for count in sorted(evaluation.finetuning.epochs)]
    return {
        "imported": "" if zoo.imported is None else str(zoo.imported),
        "borrowed": _other_run(run),
        "images": run.has_images,
        "one_task": run.one_task,
        "start": STARTS[zoo.regime],
        "base": BASES[zoo.regime],
        "members": len(run.plan),
        "classes": len(run.classes),
        "per_task": zoo.classes_per_task,
        "tasks": _on_tasks(run),
        "chance": f"{100 / zoo.classes_per_task:.1f} %",
        "snapshots": _snapshots(_names(run)),
        "snapshot_count": _snapshot_count(run),
        "sets": {kind: count for kind, (_, count) in sets.items() if count},
        "unit": run.unit,
        "held_out": _tasks(run, "test"),
        "unseen": _tasks(run, "unseen") if sets["unseen"][1] else "",
        "names": 0 in evaluation.image_counts,
        "tuned": f"{listed(epochs) or 'no'} epoch{'s' * (epochs != ['1'])}",
        "body": "generator" in config.sampling.samplers,
        "prompt_members": any(METHODS[name].from_prompts for name in config.sampling.samplers),
        "random_features": config.datasets.random_features,
        "requests": CONTROL_REQUESTS,
        "null_requests": NULL_REQUESTS,
        "samples": NOVELTY_SAMPLES,
        "map_members": MAP_MEMBERS,
        "map_method": "t-SNE",
        "mixed": run.mixed,
        "searched": evaluation.bench.search.steps > 0,
    }


def listed(words: list[str]) -> str:
    """Return words as a list in a sentence: ``1, 5 and all``."""
    return " and ".join([", ".join(words[:-1])] * (len(words) > 1) + words[-1:])


def _other_run(run: Run) -> dict[str, str]:
    """Return name, folder and report of the run whose zoo is used, and the classes left out; empty: its own zoo.

    The report is as seen from this run's.
    """
    if run.borrowed is None:
        return {}
    folder = run.borrowed.owner
    report = Path(Paths(str(folder)).report)
    about = {"run": folder.name, "folder": str(folder), "report": seen_from(run.paths.folder, report)}
    return {**about, "left_out": listed(run.config.zoo.leave_out)}


def _names(run: Run) -> list[str | int] | str:
    """Return the snapshots as the config lists them; of imported members, those that any of them has."""
    if run.imported is None:
        return run.config.zoo.snapshots
    return chosen_epochs(dict.fromkeys(name for row in run.plan for name in run.snapshots(row)))


def _snapshots(snapshots: list[str | int] | str) -> str:
    if snapshots == "geometric":
        return "epoch 0 (the start), epochs 1, 2, 4, 8 and so on, and max (the last epoch)"
    names = {"early": "early", "max": "max (the last epoch)", 0: "epoch 0 (the start)"}
    order = sorted(snapshots, key=lambda name: {"early": 0.5, "max": float("inf")}.get(name, name))
    return listed([names.get(name, f"epoch {name}") for name in order])


def _snapshot_count(run: Run) -> str:
    """Return the number of snapshots per member, ``3`` or ``4 to 6``: several names may be of the same epoch."""
    counts = sorted({len(run.snapshots(row)) for row in run.plan})
    return " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))


def _on_tasks(run: Run) -> str:
    size, unseen = run.config.zoo.classes_per_task, len(run.members("unseen"))
    if run.one_task:
        return f"one task of {size} classes"
    if all(DATASET in row for row in run.plan):
        seen, other = (len({row[DATASET] for row in run.plan if (row["part"] == "unseen") == part}) for part in (0, 1))
        words = f"{seen} dataset{'s' * (seen > 1)} of {size} classes"
        return words + f", {unseen} of them on {other} that no other member saw" * bool(unseen)
    words = f"tasks of {size} out of {len(run.groups['tasks'])} classes"
    if unseen:
        words += f", {unseen} of them on tasks of {size} out of {len(run.groups['unseen'])} unseen classes"
    return words


def _tasks(run: Run, part: str) -> str:
    tasks, sets = count_sets(run.plan, part)
    if run.unit == MEMBERS:
        return f"{tasks} member{'s' * (tasks > 1)} on {sets} task{'s' * (sets > 1)}"
    words = f"{tasks} task{'s' * (tasks > 1)}"
    if tasks == sets:
        return words + " with distinct sets of classes" * (tasks > 1)
    return f"{words} ({sets} set{'s' * (sets > 1)} of classes)"
