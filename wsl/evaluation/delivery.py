"""Deliver a model for a user's own classes: sample, optionally train, evaluate and write it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wsl import __version__
from wsl.errors import DataError
from wsl.evaluation.card import card
from wsl.evaluation.estimates import PIXEL_IMAGES, PIXELS, baselines, estimate
from wsl.evaluation.protocol import fine_tuned
from wsl.evaluation.settings import FineTuning
from wsl.files.atomic import written_whole
from wsl.files.outputs import card_path, check_model
from wsl.images.reading import task_classes
from wsl.sampling.description import Description, load_description
from wsl.sampling.methods.base import METHODS
from wsl.sampling.model_files import write_model
from wsl.sampling.peft_files import adapter_folder, write_adapter
from wsl.sampling.user_classes import Request, UserModel, sampled_model
from wsl.zoo.network import whole_state

ACCURACY_COLUMNS = {"run", "classes", "sampler", "images", "epochs", "accuracy", "low", "high"}


def deliver(
    run: str | Path, out: str | Path, request: Request, device: str = "cpu", force: bool = False
) -> dict[str, Any]:
    """Sample a model, evaluate it and baselines, and write it with a card.

    Args:
        run: folder of a finished run.
        out: file of the model, see ``wsl.sampling.model_files.write_model``; its card: ``wsl.files.outputs.card_path``.
        request: the classes and their images.
        device: ``cpu`` or ``cuda``.
        force: replace existing files.

    Returns:
        The model's metadata, which the card has in words.

    Raises:
        DataError: the files exist or cannot be written, or see ``load_description`` and ``sampled_model``.
    """
    check_model(out, force)
    description = load_description(run)
    description.check_sampler(run)
    with sampled_model(run, description, request, device) as model:
        adapter = adapter_folder(out) if model.run.layout.frozen is not None else None
        if adapter and adapter.exists() and not force:
            raise DataError(f"{adapter} exists already; name another model, or replace it with --force")
        weights, estimates = model.weights, {"as sampled": estimate(model, model.weights)}
        if request.refine:
            settings = FineTuning(**description.finetuning, epochs=[request.refine])
            inputs = weights, model.task, model.run.images, model.run.layout
            weights = fine_tuned(*inputs, settings, device)[request.refine]
            estimates["refined"] = estimate(model, weights)
        content = {
            **_description(model, description, request),
            "estimates": {key: value for key, value in estimates.items() if value},
            **_comparison(model, run, description),
            "provenance": {"wsl": __version__, "sampler_sha256": description.digest, "seed": model.seed},
        }
        check_model(out, force)  # another process may have written the files meanwhile
        write_model(out, whole_state(weights, model.run.layout, model.run.counters), content)
        if adapter:
            write_adapter(adapter, weights, model.run.layout)
    with written_whole(card_path(out)) as unfinished:
        unfinished.write_text(card(Path(out).name, content), encoding="utf-8")
    return content


def _description(model: UserModel, description: Description, request: Request) -> dict[str, Any]:
    """Return the part of the metadata that does not depend on the evaluation."""
    used, held_out = (_counts(model, part) for part in ("train", "test"))
    sampler = description.choice.name
    remark = METHODS[sampler].remark
    recalibrated = description.choice.recalibrate and METHODS[sampler].recalibrate
    lacks = description.without_images and recalibrated and any(entry.running for entry in model.run.layout.entries)
    return {
        **{key: description.about[key] for key in ("run", "architecture", "size")},
        "classes": model.classes,
        "preprocessing": {
            **model.run.layout.normalisation._asdict(),
            "scale": "pixels / 255",
            "crop": "centre square",
        },
        "request": {"validation_loss": model.loss},
        "sampler": sampler,
        **({"sampler_remark": remark} if remark else {}),
        **({"without_images": True} if lacks else {}),
        "made_from": {"images": sum(used.values()), "by_class": used, "names": bool(description.prompts)},
        "refined_epochs": request.refine,
        "held_out": {
            "images": sum(held_out.values()),
            "by_class": held_out,
            "classes_without": [name for name, count in held_out.items() if not count],
        },
    }


def _comparison(model: UserModel, run: str | Path, description: Description) -> dict[str, Any]:
    """Return the baselines' accuracies on the user's images, and the sampler's on held-out tasks of the run."""
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


def standing(run: str | Path, sampler: str, chance: float, names_alone: bool = False) -> list[dict[str, Any]]:
    """Return the accuracy of the sampler on held-out tasks of its run, from ``tables/accuracy.csv``.

    Args:
        run: folder of a finished run.
        sampler: by name.
        chance: accuracy of guessing.
        names_alone: of models from names, if the run has measured them; otherwise of models from all images.

    Returns:
        One entry per kind of classes, ``seen`` or ``unseen``: ``classes``, ``accuracy``, ``low`` and ``high`` (95 %,
        None for a single set of classes), ``chance``, and ``above_chance``: whether the interval lies above it. Empty
        if the run has no such table.
    """
    path = Path(run, "tables", "accuracy.csv")
    if not path.is_file():
        return []
    table = pd.read_csv(path, dtype={"images": str})
    if not set(table.columns) >= ACCURACY_COLUMNS or table.empty:
        return []
    rows = (table["run"] == table["run"].iloc[0]) & (table["sampler"] == sampler) & (table["epochs"] == 0)
    table = table[rows & table["classes"].isin(["seen", "unseen"])]
    images = "0" if names_alone and (table["images"] == "0").any() else "all"
    entries = []
    for row in table[table["images"] == images].to_dict("records"):
        low, high = (float(row[key]) if np.isfinite(row[key]) else None for key in ("low", "high"))
        scores = {"accuracy": float(row["accuracy"]), "low": low, "high": high}
        above = low is not None and low > chance
        entries.append({"classes": row["classes"], **scores, "chance": chance, "above_chance": above})
    return entries
