"""Deliver a model for somebody's own classes: sampled, maybe fine-tuned, judged on images held out, written."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from wsl.evaluation.card import card
from wsl.evaluation.estimates import PIXEL_IMAGES, PIXELS, baselines, estimate
from wsl.evaluation.protocol import fine_tuned
from wsl.evaluation.standing import standing
from wsl.files import written_whole
from wsl.images.reading import MEAN, STD, task_classes
from wsl.outputs import card_path, check_model
from wsl.sampling.model_files import write_model
from wsl.sampling.own import OwnModel, sample_own
from wsl.zoo.network import state_dict


def deliver_own(
    run: str | Path,
    out: str | Path,
    folder: Path | None = None,
    classes: Sequence[str] | None = None,
    outcome: str | float | None = None,
    held_out: float = 0.2,
    refine: int = 0,
    seed: int | None = None,
    device: str = "cpu",
    force: bool = False,
) -> dict[str, Any]:
    """Sample a model, judge it beside baselines, and write it with a card.

    Args:
        run: see ``wsl.sampling.own.sample_own``, as ``folder``, ``classes``, ``outcome``, ``held_out``, ``seed`` and
            ``device``.
        out: file of the model, see ``wsl.sampling.model_files.write_model``; its card: ``wsl.outputs.card_path``.
        folder: of class folders of images.
        classes: which of its folders, or names.
        outcome: validation loss asked for, nats.
        held_out: share of each class's images to judge by.
        refine: epochs of training on the images that the model was made from; 0: none.
        seed: of what is random.
        device: ``cpu`` or ``cuda``.
        force: replace existing files.

    Returns:
        The model's metadata, which its card puts in words.

    Raises:
        DataError: the files exist already or cannot be written, or see ``sample_own``.
    """
    check_model(out, force)
    model, about = sample_own(run, folder, classes, outcome, held_out, seed, device)
    estimates = {"as sampled": estimate(model, model.weights)}
    weights = model.weights
    if refine:
        tuned = fine_tuned(weights, model.task, model.images, model.layout, [refine], **about.finetuning, device=device)
        weights = tuned[refine]
        estimates["refined"] = estimate(model, weights)
    beside, left_out = baselines(model, about.baselines, device)
    counts = {part: _counts(model, part) for part in ("train", "test")}
    made_from = sum(counts["train"].values())
    content = {
        **{key: about.about[key] for key in ("run", "architecture", "size")},
        "classes": model.classes,
        "preprocessing": {"mean": MEAN, "std": STD, "scale": "pixels / 255", "crop": "centre square"},
        "request": {"validation_loss": model.loss},
        "sampler": about.sampler,
        "made_from": {"images": made_from, "by_class": counts["train"], "names": bool(about.prompts)},
        "refined_epochs": refine,
        "held_out": {
            "images": sum(counts["test"].values()),
            "by_class": counts["test"],
            "classes_without": [name for name, count in counts["test"].items() if not count],
        },
        "estimates": {key: value for key, value in estimates.items() if value},
        "baselines": beside,
        **({"pixel_images": PIXEL_IMAGES} if PIXELS in beside and max(counts["train"].values()) > PIXEL_IMAGES else {}),
        "baselines_left_out": left_out,
        "held_out_tasks": standing(run, about.sampler, 1 / len(model.classes), names_alone=not made_from),
        "provenance": {
            "wsl": version("wsl"),
            "sampler_sha256": about.digest,
            "seed": about.seed if seed is None else seed,
        },
    }
    check_model(out, force)  # another call may have written them meanwhile
    write_model(out, state_dict(weights, model.layout, model.counters), content)
    with written_whole(card_path(out)) as beside_it:
        beside_it.write_text(card(Path(out).name, content), encoding="utf-8")
    return content


def _counts(model: OwnModel, part: str) -> dict[str, int]:
    names = task_classes(model.task)
    return {name: len(model.images.of_class(own, part=part)) for name, own in zip(model.classes, names, strict=True)}
