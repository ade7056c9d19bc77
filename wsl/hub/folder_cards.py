"""Cards of zoos and runs on the Hugging Face Hub."""

from typing import Any

from wsl.evaluation.card import interval
from wsl.figures.methods import KINDS, kinds_in, method, strongest_baseline
from wsl.files.huggingface import hub
from wsl.files.plain import read_json
from wsl.hub.cards import TAGS, model_metadata, result, with_metadata
from wsl.hub.contents import Contents
from wsl.images.reading import task_classes
from wsl.zoo.imported import KEY
from wsl.zoo.index import Zoo, open_zoo

# Columns of a zoo's tables that are not hyper-parameters.
NOT_SETTINGS = {"architecture", "member", "task", "diverged", "digest", "part", "seed", "batch_seed", "classes"}
MOST_NAMES, MOST_VALUES = 20, 5  # in a card
ZOO = """\
# {title}

A zoo of {count} networks with their results: data for learning from weights.

| part | networks | snapshots | classes of each | accuracy on validation images: lowest, median, highest |
|---|---|---|---|---|
{parts}

- architecture: {architecture}, {size:,} numbers per snapshot
- classes: {classes}

| hyper-parameter | values |
|---|---|
{settings}

## Use it

    wsl pull hf://datasets/{repo} --out zoo
    wsl inspect zoo/train.h5

A config with `zoo: {{{key}: zoo}}` runs all stages of `wsl` on it. Each file in `members/` holds one network or
several in HDF5: flat weights of their snapshots (`weights`), results (`snapshots`, `history`), hyper-parameters (`plan`
in `members`), and the names and shapes of parameters (`layout`). `pip install weight-space-learning` installs `wsl`.
"""
RUN = """\
# {title}

A run of `wsl`: a sampler of network weights, P(W | D, R), with everything that it was fitted to. The report is
[report.html](report.html).

{results}

## Use it

    wsl sample my-photos --from hf://{repo} --out model.safetensors

`my-photos` holds one folder of images per class. `wsl pull hf://{repo}` gets all files. `pip install
weight-space-learning` installs `wsl`.

## Not included

{left_out}
"""


def zoo_card(contents: Contents, repo: str, license: str | None = None) -> str:
    """Return the card of a zoo: members, architecture, hyper-parameters, classes and the spread of accuracies."""
    import pandas as pd

    rows, tables, count, layout = [], [], 0, None
    for name, path in contents.files.items():
        if name.endswith(".h5") and "/" not in name:
            with open_zoo(path) as zoo:
                rows.append(_part(name.removesuffix(".h5"), zoo))
                tables.append(zoo.members)
                count, layout = count + len(zoo.members), zoo.layout
    members = pd.concat(tables, ignore_index=True)
    classes = sorted({name for task in members["task"] for name in task_classes(task)})
    columns = [column for column in members if column not in NOT_SETTINGS]
    settings = {column: _values(members[column].dropna()) for column in columns}
    shown = ", ".join(classes[:MOST_NAMES]) + (f" and {len(classes) - MOST_NAMES} more" if classes[MOST_NAMES:] else "")
    text = ZOO.format(
        title=repo.rpartition("/")[2],
        count=count,
        parts="\n".join(rows),
        architecture=members["architecture"].iloc[0] if "architecture" in members else "unknown",
        size=layout.size,
        classes=shown,
        settings="\n".join(f"| {name.replace('_', ' ')} | {value} |" for name, value in settings.items() if value),
        repo=repo,
        key=KEY.rpartition(".")[2],
    )
    size = "n<1K" if count < 1000 else "1K<n<10K" if count < 10_000 else "10K<n<100K"
    data = hub().DatasetCardData(license=license, tags=[*TAGS, "model-zoo"], size_categories=[size])
    return with_metadata(text, data, license)


def run_card(contents: Contents, repo: str, license: str | None = None) -> str:
    """Return the card of a run: its sampler beside the strongest baseline, all methods, and what is not included."""
    numbers = read_json(contents.path / "summary.json")
    results = []
    if "accuracy" in numbers and numbers.get("chosen_sampler"):
        sampler = numbers["chosen_sampler"]
        for kind in kinds_in(numbers["accuracy"]):
            if sampler in numbers["accuracy"][kind]:
                results.append(result(f"held-out tasks of {KINDS[kind]}", numbers["accuracy"][kind][sampler]))
        text = _accuracies(numbers)
    else:
        text = "The numbers are in the report and in `summary.json`."
    name = repo.rpartition("/")[2]
    left_out = [f"- {what}: {why}" for what, why in contents.left_out.items()]
    text = RUN.format(title=name, results=text, repo=repo, left_out="\n".join(left_out))
    return with_metadata(text, model_metadata(name, license, results), license)


def _accuracies(numbers: dict[str, Any]) -> str:
    """Return all methods by their accuracy on each kind of held-out tasks, and a sentence about the sampler."""
    lines, sampler = [], numbers["chosen_sampler"]
    for kind in kinds_in(numbers["accuracy"]):
        accuracies, bounds = numbers["accuracy"][kind], numbers["accuracy_intervals"][kind]
        best = strongest_baseline(accuracies)
        if best is not None and sampler in accuracies:
            lines += [
                f"On held-out tasks of {KINDS[kind]}, the sampler `{sampler}` reaches {accuracies[sampler]:.1%}, and "
                f"the strongest baseline, {method(best).label}, {accuracies[best]:.1%}. Guessing reaches "
                f"{numbers['chance']:.1%}.",
                "",
            ]
        lines += ["| method | kind | accuracy | 95 % interval |", "|---|---|---|---|"]
        for name in sorted(accuracies, key=accuracies.get, reverse=True):
            low, high = bounds.get(name, (None, None))
            between = "" if low is None or high is None else interval({"low": low, "high": high})
            label, role = method(name).label, numbers["kinds"].get(name, "")
            lines.append(
                f"| {f'**{label}**' if name == sampler else label} | {role} | {accuracies[name]:.1%} | {between} |"
            )
        lines.append("")
    return "\n".join(lines).rstrip()


def _part(name: str, zoo: Zoo) -> str:
    """Return the row of a part."""
    accuracies = zoo.snapshots["validation_accuracy"][zoo.trained]
    spread = ", ".join(f"{accuracies.quantile(place):.1%}" for place in (0, 0.5, 1)) if len(accuracies) else ""
    return f"| {name} | {len(zoo.members)} | {len(zoo.snapshots)} | {zoo.layout.classes} | {spread} |"


def _values(column: Any) -> str:
    """Return the values of a hyper-parameter: all, if they are few, or the range of numbers."""
    distinct = sorted(set(column), key=str)
    if len(distinct) <= MOST_VALUES:
        return ", ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in distinct)
    if all(isinstance(value, int | float) for value in distinct):
        return f"{min(distinct):.4g} to {max(distinct):.4g}"
    return f"{len(distinct)} different"
