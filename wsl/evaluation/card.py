"""The model card: a model's metadata in words, also for the terminal."""

from typing import Any

from wsl.sampling.methods.base import METHODS

USE = """\
## Use

Scale and centre-crop an image to {size} x {size} pixels, divide by 255, and normalise channels by mean {mean} and
standard deviation {std}. The largest of its outputs is the class.

The model knows only these classes and assigns every other image to one of them.
"""
CARD = """\
# {name}

A network ({architecture}) that distinguishes {classes} (in this order), {way}.

## Made from

- {source}
- the run `{run}`, by its sampler `{sampler}`
- {loss}

## Accuracy on held-out images

{accuracies}

{remarks}

"""
CARD += USE
PIXELS = "logistic regression on raw pixels"


def card(name: str, about: dict[str, Any]) -> str:
    """Return a model card in Markdown.

    Args:
        name: of the model's file.
        about: its metadata, see ``wsl.evaluation.delivery.deliver``.
    """
    epochs, architecture = about["refined_epochs"], about["architecture"]
    settings = [f"{key} {value}" for key, value in architecture.items() if key != "name"]
    return CARD.format(
        name=name,
        architecture=", ".join([architecture["name"], *settings]),
        **{key: about[key] for key in ("run", "sampler", "size")},
        classes=", ".join(about["classes"]),
        way=f"sampled, then trained for {_count(epochs, 'epoch')}" if epochs else "as sampled, without training",
        source=source(about),
        loss=losses(about),
        accuracies=_table(about) or "Unknown: no image was held out.",
        remarks="\n".join(f"- {remark}" for remark in [*remarks(about), *warnings(about)]),
        **{key: list(about["preprocessing"][key]) for key in ("mean", "std")},
    )


def ranking(about: dict[str, Any]) -> list[tuple[str, dict[str, float], bool]]:
    """Return label, estimate and whether it is the model, of the model and its baselines, the most accurate first."""
    epochs = _count(about["refined_epochs"], "epoch")
    labels = {"as sampled": "this model, as sampled", "refined": f"this model, trained for {epochs}"}
    rows = [(labels.get(name, f"this model, {name}"), estimate, True) for name, estimate in about["estimates"].items()]
    rows += [(label(name), estimate, False) for name, estimate in about.get("baselines", {}).items()]
    return sorted(rows, key=lambda row: -row[1]["accuracy"])


def label(name: str) -> str:
    """Return the label of a baseline, or its name if it is in a plug-in that is not loaded."""
    if name == "pixels":
        return PIXELS
    return METHODS[name].card_label or METHODS[name].label or name if name in METHODS else name


def judged_on(about: dict[str, Any]) -> str:
    """Return the number of held-out images per class, and the accuracy of guessing."""
    counts = ", ".join(f"{count} {name}" for name, count in about["held_out"]["by_class"].items())
    images, chance = _count(about["held_out"]["images"], "held-out image"), 1 / len(about["classes"])
    return f"{images} ({counts}); guessing reaches {chance:.1%}"


def source(about: dict[str, Any]) -> str:
    """Return a description of the images, or names, that a model was made from."""
    images = about["made_from"]["images"]
    if not images:
        return "the names of its classes, without any image"
    counts = ", ".join(f"{count} {name}" for name, count in about["made_from"]["by_class"].items())
    return f"{_count(images, 'image')} ({counts})"


def losses(about: dict[str, Any]) -> str:
    """Return the requested loss and the losses reached on held-out images, if any."""
    requested = f"requested validation loss: {about['request']['validation_loss']:.3g} nats"
    reached = [
        f"{estimate['loss']:.3g} nats{' after training' if name == 'refined' else ''}"
        for name, estimate in about["estimates"].items()
    ]
    return f"{requested}; reached on the held-out images: {', '.join(reached)}" if reached else requested


def interval(estimate: dict[str, float]) -> str:
    """Return an estimate's 95 % interval."""
    return f"{estimate['low']:.1%} to {estimate['high']:.1%}"


def remarks(about: dict[str, Any]) -> list[str]:
    """Return remarks on the sampler and on the estimates."""
    lines = []
    if remark := about.get("sampler_remark"):
        lines.append(remark)
    if about["estimates"]:
        lines.append(
            "All rows use the same training images and the same held-out images; intervals are Wilson's 95 % intervals."
        )
    if most := about.get("pixel_images"):
        lines.append(f"The regression on raw pixels uses the first {most:,} training images of each class.")
    if about["baselines_left_out"]:
        names = ", ".join(map(label, about["baselines_left_out"]))
        lines.append(f"Left out, since the run has no file for it: {names}.")
    return lines


def warnings(about: dict[str, Any]) -> list[str]:
    """Return reasons to distrust the model or the estimate of its accuracy."""
    lines, without = [], about["held_out"]["classes_without"]
    if not about["made_from"]["images"]:
        lines.append("There are no images, so nothing shows how accurate the model is.")
    elif not about["estimates"]:
        lines.append("No image was held out, so nothing shows how accurate the model is.")
    elif without:
        lines.append(f"No image was held out of: {', '.join(without)}. The accuracies do not cover these classes.")
        if len(without) == len(about["classes"]) - 1:
            lines.append("All held-out images show one class: they do not show whether the model distinguishes any.")
    if about.get("without_images"):
        statistics = "are those of your images alone" if about["made_from"]["images"] else "are as decoded"
        lines.append(
            f"The run was pushed without its packed images, so batch-normalisation statistics {statistics}: the "
            "original run gives another model."
        )
    for task in about["held_out_tasks"]:
        if task["above_chance"]:
            continue
        which = f"The run's sampler `{about['sampler']}` reaches {task['accuracy']:.1%}"
        where = f"on the run's held-out tasks of {task['classes']} classes, where guessing reaches {task['chance']:.1%}"
        if task["low"] is None:
            lines.append(f"{which} {where}, but too few held-out tasks give no interval: it may be at chance.")
        else:
            lines.append(f"{which} ({interval(task)}) {where}: it is at chance, so expect no more of this model.")
    return lines


def _table(about: dict[str, Any]) -> str:
    if not about["estimates"]:
        return ""
    lines = [f"On {judged_on(about)}.", "", "| model | accuracy | 95 % interval | images |", "|---|---|---|---|"]
    for name, estimate, is_model in ranking(about):
        name = f"**{name}**" if is_model else name
        lines.append(f"| {name} | {estimate['accuracy']:.1%} | {interval(estimate)} | {estimate['images']} |")
    return "\n".join(lines)


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
