"""Write a found member with its new head as a model, with a card."""

from pathlib import Path
from typing import Any

import pandas as pd

from wsl import __version__
from wsl.errors import DataError
from wsl.evaluation.card import USE, interval, judged_on
from wsl.evaluation.search import Found
from wsl.files.atomic import written_whole
from wsl.files.outputs import card_path, check_model
from wsl.images.reading import task_classes
from wsl.sampling.model_files import write_model
from wsl.settings.sections import plain
from wsl.zoo.network import whole_state, with_head
from wsl.zoo.recognition import architecture_of

CARD = """\
# {name}

A network ({architecture}) that distinguishes {classes} (in this order): member {member} of the zoo {zoo}, which was
trained on {task}, with a new head.

- found by: {method}, on {used} training images
- head: {head}, fitted to the same images; the rest of the network is unchanged

## Accuracy on held-out images

On {evaluated}.

| model | accuracy | 95 % interval |
|---|---|---|
{rows}

The held-out images chose neither the member nor the head.

"""
CARD += USE
HEADS = {"probe": "linear probe (logistic regression)", "prototypes": "class prototypes"}


def write_found(table: pd.DataFrame, method: str, head: str, out: str | Path, force: bool = False) -> dict[str, Any]:
    """Write the best member of a method, with its new head, as a model file with a card.

    Args:
        table: of ``wsl.evaluation.search.search``.
        method: by which the member was found.
        head: kind of the new head.
        out: ``.safetensors``, ``.pt`` or ``.pth``.
        force: replace existing files.

    Returns:
        The model's metadata.

    Raises:
        DataError: the method was left out, heads of the network have no bias, or a file exists or cannot be written.
    """
    check_model(out, force)
    if method not in table.attrs["found"]:
        reason = table.attrs["left_out"].get(method, f"there are {', '.join(table.attrs['found'])}")
        raise DataError(f"{method} found no member: {reason}; name another method by --by")
    found: Found = table.attrs["found"][method]
    architecture = architecture_of(found.layout).whole
    layout = architecture.layout(len(table.attrs["classes"]), found.layout.image_size)
    state = with_head(whole_state(found.weights, found.layout, found.counters), layout, *found.head)
    row = table[(table["method"] == method) & (table["rank"] == 1)].iloc[0]
    about = _about(table, found, row, head) | {"architecture": plain(architecture)}
    write_model(out, state, about)
    with written_whole(card_path(out)) as unfinished:
        unfinished.write_text(_card(Path(out).name, about, str(architecture)), encoding="utf-8")
    return about


def _about(table: pd.DataFrame, found: Found, row: pd.Series, head: str) -> dict[str, Any]:
    def estimate(row: pd.Series) -> dict[str, float]:
        return {key: float(row[key]) for key in ("accuracy", "low", "high", "images")}

    baselines = table[(table["kind"] == "baseline") & table["low"].notna()]
    held_out = table.attrs["held_out"]
    return {
        "classes": table.attrs["classes"],
        "size": found.layout.image_size,
        "preprocessing": found.layout.normalisation.preprocessing,
        "zoo": found.candidate.zoo,
        "member": found.candidate.member,
        "task": task_classes(found.candidate.task),
        "found_by": row["method"],
        "head": head,
        "made_from": {"images": sum(table.attrs["used"].values()), "by_class": table.attrs["used"]},
        "held_out": {"images": sum(held_out.values()), "by_class": held_out},
        "refined_epochs": 0,
        "estimates": {"with a new head": estimate(row)} if row["images"] > 0 else {},
        "baselines": {row["model"]: estimate(row) for _, row in baselines.iterrows()},
        "provenance": {"wsl": __version__},
    }


def _card(name: str, about: dict[str, Any], architecture: str) -> str:
    rows = [(f"**{label}**", one) for label, one in about["estimates"].items()] + [*about["baselines"].items()]
    rows = sorted(rows, key=lambda row: -row[1]["accuracy"])
    return CARD.format(
        name=name,
        architecture=architecture,
        classes=", ".join(about["classes"]),
        task=", ".join(about["task"]),
        method=about["found_by"],
        head=HEADS[about["head"]],
        used=about["made_from"]["images"],
        evaluated=judged_on(about),
        rows="\n".join(f"| {label} | {one['accuracy']:.1%} | {interval(one)} |" for label, one in rows),
        **{key: about[key] for key in ("member", "zoo", "size")},
        **{key: list(about["preprocessing"][key]) for key in ("mean", "std")},
    )
