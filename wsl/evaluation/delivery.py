"""Deliver a model for a user's own classes: sampled, optionally trained, judged on held-out images, written."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from wsl.evaluation.card import card
from wsl.evaluation.estimates import PIXEL_IMAGES, PIXELS, baselines, estimate
from wsl.evaluation.protocol import fine_tuned
from wsl.evaluation.settings import FineTuning
from wsl.evaluation.standing import standing
from wsl.files.atomic import written_whole
from wsl.files.outputs import card_path, check_model
from wsl.images.reading import MEAN, STD, task_classes
from wsl.sampling.description import Description, load_description
from wsl.sampling.methods.base import METHODS
from wsl.sampling.model_files import write_model
from wsl.sampling.user_classes import Request, UserModel, sampled_model
from wsl.zoo.network import state_dict


def deliver(
    run: str | Path, out: str | Path, request: Request, device: str = "cpu", force: bool = False
) -> dict[str, Any]:
    """Sample a model, judge it and baselines, and write it with a card.

    Args:
        run: folder of a finished run.
        out: file of the model, see ``wsl.sampling.model_files.write_model``; its card: ``wsl.files.outputs.card_path``.
        request: the classes and their images.
        device: ``cpu`` or ``cuda``.
        force: replace existing files.

    Returns:
        The model's metadata; its card has the same in words.

    Raises:
        DataError: the files exist already or cannot be written, or see ``load_description`` and ``sampled_model``.
    """
    check_model(out, force)
    description = load_description(run)
    description.check_sampler(run)
    with sampled_model(run, description, request, device) as model:
        weights, estimates = model.weights, {"as sampled": estimate(model, model.weights)}
        if request.refine:
            settings = FineTuning(**description.finetuning, epochs=[request.refine])
            images, layout = model.run.images, model.run.layout
            weights = fine_tuned(weights, model.task, images, layout, settings, device)[request.refine]
            estimates["refined"] = estimate(model, weights)
        content = {
            **_made(model, description, request),
            "estimates": {key: value for key, value in estimates.items() if value},
            **_comparison(model, run, description),
            "provenance": {"wsl": version("wsl"), "sampler_sha256": description.digest, "seed": model.seed},
        }
        check_model(out, force)  # another call may have written them meanwhile
        write_model(out, state_dict(weights, model.run.layout, model.run.counters), content)
    with written_whole(card_path(out)) as unfinished:
        unfinished.write_text(card(Path(out).name, content), encoding="utf-8")
    return content


def _made(model: UserModel, description: Description, request: Request) -> dict[str, Any]:
    """Return what the model is, what it was made from and what was held out."""
    used, held_out = (_counts(model, part) for part in ("train", "test"))
    about, sampler = description.about, description.choice.name
    remark = METHODS[sampler].remark
    return {
        **{key: about[key] for key in ("run", "architecture", "size")},
        "classes": model.classes,
        "preprocessing": {"mean": MEAN, "std": STD, "scale": "pixels / 255", "crop": "centre square"},
        "request": {"validation_loss": model.loss},
        "sampler": sampler,
        **({"sampler_remark": remark} if remark else {}),
        "made_from": {"images": sum(used.values()), "by_class": used, "names": bool(description.prompts)},
        "refined_epochs": request.refine,
        "held_out": {
            "images": sum(held_out.values()),
            "by_class": held_out,
            "classes_without": [name for name, count in held_out.items() if not count],
        },
    }


def _comparison(model: UserModel, run: str | Path, description: Description) -> dict[str, Any]:
    """Return the baselines on the user's images, and the sampler's accuracy on the run's own held-out tasks."""
    estimates, left_out = baselines(model)
    used = _counts(model, "train")
    capped = PIXELS in estimates and max(used.values()) > PIXEL_IMAGES
    chance = 1 / len(model.classes)
    return {
        "baselines": estimates,
        **({"pixel_images": PIXEL_IMAGES} if capped else {}),
        "baselines_left_out": left_out,
        "held_out_tasks": standing(run, description.choice.name, chance, names_alone=not any(used.values())),
    }


def _counts(model: UserModel, part: str) -> dict[str, int]:
    names = zip(model.classes, task_classes(model.task), strict=True)
    return {name: len(model.run.images.of_class(packed, part=part)) for name, packed in names}
