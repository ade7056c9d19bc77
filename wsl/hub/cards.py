"""Cards of repositories on the Hugging Face Hub: metadata in YAML, and text in Markdown."""

from typing import Any

from wsl.evaluation.card import card, interval
from wsl.figures.methods import KINDS, kinds_in, method, strongest_baseline
from wsl.files.huggingface import hub
from wsl.files.plain import read_json
from wsl.hub.contents import Contents
from wsl.images.reading import task_classes
from wsl.zoo.imported import KEY
from wsl.zoo.index import Zoo, open_zoo
from wsl.zoo.member import Member

TAGS = ("wsl", "weight-space-learning")
TASK = "image-classification"
# Columns of a zoo's tables that are not hyper-parameters.
NOT_SETTINGS = {"architecture", "member", "task", "diverged", "digest", "part", "seed", "classes"}
MOST_NAMES = 20
LOAD = """\
## Load it

```python
from wsl.hub.model import HubModel

model = HubModel.from_pretrained("{repo}")
{call}
```

`model.safetensors` is a state dict{names}. `pip install weight-space-learning` installs `wsl`.{timm}
"""
CLASSIFY = "model.classify(image)  # PIL images"
CALL = "model(images)  # of the size that it was trained on, normalised by model.about['preprocessing']"
TIMM = ' Or without `wsl`: `timm.create_model("hf-hub:{repo}", pretrained=True)`.'
MEMBER = """\
# {title}

A network ({architecture}) that was trained to distinguish {classes} (in this order).

After epoch {epoch}, on validation images: accuracy {validation_accuracy:.1%}, loss {validation_loss:.3g} nats. Guessing
reaches {chance:.1%}.

| trained with | value |
|---|---|
{settings}

`member.h5` holds all snapshots, which `wsl inspect` describes, and `model.safetensors` the last one.
"""
SAMPLED = """\
# {title}

A network ({architecture}) that distinguishes {classes} (in this order).

The sampler `{sampler}` of the run `{run}` made it for a held-out task. It was not evaluated by itself; the report of
the run has the accuracy of the sampler.
"""
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

A config with `zoo: {{{key}: zoo}}` runs all stages of `wsl` on it. Each file in `members/` is a network in HDF5: flat
weights of its snapshots (`weights`), results (`snapshots`, `history`), hyper-parameters (the attribute `plan`), and the
names and shapes of parameters (`layout`). `pip install weight-space-learning` installs `wsl`.
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


def model_card(about: dict[str, Any], repo: str = "owner/name", license: str | None = None) -> str:
    """Return the card of a model of ``wsl sample``, or of a member that ``member_about`` describes.

    Args:
        about: metadata of its file.
        repo: owner and name of the repository.
        license: identifier of its licence on the Hub; None: the card states that none is given.
    """
    name = repo.rpartition("/")[2]
    text = card(name, about) if "estimates" in about else _text(name, about)
    values = [row["accuracy"] for row in about.get("estimates", {}).values()] or [about.get("validation_accuracy")]
    results = []
    if values[-1] is not None:
        images = "held-out images of its classes" if "estimates" in about else "validation images of its classes"
        results = [result(images, values[-1])]
    of_timm, library = timm_name(about["architecture"]), about["architecture"]["name"]
    if library == "resnet18":  # the names of its parameters are those of torchvision
        library = "torchvision"
    loading = LOAD.format(
        repo=repo,
        call=CLASSIFY if about["size"] else CALL,
        names=f" with the parameter names of {library}" if library in ("timm", "torchvision") else "",
        timm=TIMM.format(repo=repo) if of_timm else "",
    )
    further = ["timm"] if of_timm else []
    data = hub().ModelCardData(
        library_name="wsl",
        pipeline_tag=TASK,
        license=license,
        tags=[*TAGS, *further],
        **({"model_name": name, "eval_results": results} if results else {}),
    )
    return _card(data, f"{text}\n{loading}", license)


def timm_name(architecture: dict[str, Any]) -> str | None:
    """Return the name of a network that timm itself can load; None: it cannot.

    Args:
        architecture: its name here and its settings.
    """
    loadable = architecture["name"] == "timm" and architecture.get("channels", 3) == 3
    return architecture["model"] if loadable else None


def member_about(member: Member, architecture: dict[str, Any]) -> dict[str, Any]:
    """Return metadata of the last snapshot of a member, in the form of a model's."""
    last, layout = member.snapshots.iloc[-1], member.layout
    metrics = {key: float(last[key]) for key in ("validation_loss", "validation_accuracy")}
    plan = {key: value for key, value in member.plan.items() if key != "classes"}
    return {
        "architecture": architecture,
        "classes": list(member.plan["classes"]),
        "size": layout.image_size,
        "preprocessing": {**layout.normalisation._asdict(), "scale": "pixels / 255", "crop": "centre square"},
        "epoch": int(last["epoch"]),
        "plan": plan,
        **metrics,
    }


def _text(name: str, about: dict[str, Any]) -> str:
    """Return the text about a member, or about a model in a run's ``sampling/models``."""
    common = {
        "title": name,
        "architecture": _architecture(about["architecture"]),
        "classes": ", ".join(about["classes"]),
    }
    if "plan" not in about:
        return SAMPLED.format(**common, run=about.get("run"), sampler=about.get("sampler"))
    return MEMBER.format(
        **common,
        **{key: about[key] for key in ("epoch", "validation_accuracy", "validation_loss")},
        chance=1 / len(about["classes"]),
        settings="\n".join(f"| {key.replace('_', ' ')} | {value} |" for key, value in about["plan"].items()),
    )


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
    return _card(data, text, license)


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
    data = hub().ModelCardData(
        library_name="wsl",
        pipeline_tag=TASK,
        license=license,
        tags=[*TAGS],
        **({"model_name": name, "eval_results": results} if results else {}),
    )
    return _card(data, text, license)


def result(images: str, accuracy: float) -> Any:
    """Return an accuracy from 0 to 1 as a result of the metadata."""
    return hub().EvalResult(
        task_type=TASK,
        dataset_type="images",
        dataset_name=images,
        metric_type="accuracy",
        metric_value=round(float(accuracy), 4),
    )


def _card(data: Any, text: str, license: str | None) -> str:
    """Return metadata in YAML and text."""
    if license is None:
        text += "\nNo licence is given: ask the owner before you use this in your own work.\n"
    return f"---\n{data.to_yaml()}\n---\n\n{text}"


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
    if len(distinct) <= 5:
        return ", ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in distinct)
    if all(isinstance(value, int | float) for value in distinct):
        return f"{min(distinct):.4g} to {max(distinct):.4g}"
    return f"{len(distinct)} different"


def _architecture(architecture: dict[str, Any]) -> str:
    settings = [f"{key} {value}" for key, value in architecture.items() if key != "name"]
    return ", ".join([architecture["name"], *settings])
