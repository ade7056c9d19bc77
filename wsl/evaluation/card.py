"""The card that lies beside a model."""

from typing import Any

from wsl.images.reading import MEAN, STD

CARD = """\
# {name}

A {architecture} of width {width} that tells apart {classes} (in this order), {way}.

## Made from

- {source}
- the run `{run}`, by its sampler `{sampler}`, asked for a validation loss of {loss:.3g} nats

## Accuracy on images held out

{accuracies}

## Use

Scale and centre-crop an image to {size} x {size} pixels, divide by 255, and normalise channels by mean {mean} and
deviation {std}. The largest of its outputs is the class.

It knows nothing but these classes, and whatever else it is shown it takes for one of them.
"""


def card(name: str, about: dict[str, Any]) -> str:
    """Return a model card in Markdown.

    Args:
        name: of the model's file.
        about: its metadata, see ``wsl.evaluation.own.deliver_own``.
    """
    images, epochs = about["made_from"]["images"], about["refined_epochs"]
    return CARD.format(
        name=name,
        **{key: about[key] for key in ("architecture", "width", "run", "sampler", "size")},
        classes=", ".join(about["classes"]),
        way=f"sampled, then trained for {epochs} epochs" if epochs else "as sampled, without training",
        source=f"{images} images" if images else "the names of its classes",
        loss=about["request"]["validation_loss"],
        accuracies="\n".join(_line(*one) for one in about["estimates"].items()) or "- none: no image was held out",
        mean=list(MEAN),
        std=list(STD),
    )


def _line(kind: str, one: dict[str, float]) -> str:
    interval = f"95 % interval {one['low']:.1%} to {one['high']:.1%}"
    return f"- {kind}: {one['accuracy']:.1%} of {one['images']} images ({interval})"
