"""Cards of models and members on the Hugging Face Hub: metadata in YAML, and text in Markdown."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from wsl.evaluation.card import card
from wsl.files.huggingface import hub
from wsl.zoo.member import Member

TAGS = ("wsl", "weight-space-learning")
TASK = "image-classification"
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
    if values[-1] is not None and isfinite(values[-1]):
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
    return with_metadata(f"{text}\n{loading}", model_metadata(name, license, results, further), license)


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
        "preprocessing": layout.normalisation.preprocessing,
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


def result(images: str, accuracy: float) -> Any:
    """Return an accuracy from 0 to 1 as a result of the metadata."""
    return hub().EvalResult(
        task_type=TASK,
        dataset_type="images",
        dataset_name=images,
        metric_type="accuracy",
        metric_value=round(float(accuracy), 4),
    )


def model_metadata(name: str, license: str | None, results: list[Any], tags: Sequence[str] = ()) -> Any:
    """Return the metadata of a repository of a model or a run."""
    measured = {"model_name": name, "eval_results": results} if results else {}
    return hub().ModelCardData(library_name="wsl", pipeline_tag=TASK, license=license, tags=[*TAGS, *tags], **measured)


def with_metadata(text: str, data: Any, license: str | None) -> str:
    """Return a card: metadata in YAML, and text."""
    if license is None:
        text += "\nNo licence is given: ask the owner before you use this in your own work.\n"
    return f"---\n{data.to_yaml()}\n---\n\n{text}"


def _architecture(architecture: dict[str, Any]) -> str:
    settings = [f"{key} {value}" for key, value in architecture.items() if key != "name"]
    return ", ".join([architecture["name"], *settings])
