"""The metadata and files of a model for a user's own classes: what it is made from, its evaluation, its card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wsl import __version__
from wsl.errors import DataError
from wsl.evaluation.card import card
from wsl.evaluation.estimates import PIXEL_IMAGES, PIXELS, baselines, estimate
from wsl.files.atomic import written_whole
from wsl.files.outputs import card_path, check_model
from wsl.images.reading import task_classes
from wsl.sampling.description import Description
from wsl.sampling.methods.base import METHODS
from wsl.sampling.model_files import write_model
from wsl.sampling.peft_files import adapter_folder, write_adapter
from wsl.sampling.user_classes import UserModel
from wsl.zoo.layout import Layout
from wsl.zoo.network import whole_state

ACCURACY_COLUMNS = {"run", "classes", "sampler", "images", "epochs", "accuracy", "low", "high"}


def about_model(
    model: UserModel, run: str | Path, description: Description, weights: Mapping[str, np.ndarray], epochs: int = 0
) -> dict[str, Any]:
    """Evaluate a model and baselines, and return its metadata, which the card has in words.

    Args:
        model: as sampled.
        run: folder of its run.
        description: of its sampler.
        weights: flat weights (n_weights,) to evaluate, by ``as sampled`` and ``refined``.
        epochs: of training on the user's images.
    """
    estimates = {key: estimate(model, values) for key, values in weights.items()}
    return {
        **_description(model, description, epochs),
        "estimates": {key: value for key, value in estimates.items() if value},
        **_comparison(model, run, description),
        "provenance": {"wsl": __version__, "sampler_sha256": description.digest, "seed": model.seed},
    }


def check_delivery(out: str | Path, layout: Layout, force: bool = False) -> None:
    """Refuse a path for a model if a file or folder that ``deliver`` writes exists or cannot be written.

    Raises:
        DataError: see ``check_model``; or the folder of the adapter exists.
    """
    check_model(out, force)
    adapter = adapter_folder(out)
    if layout.frozen is not None and adapter.exists() and not force:
        raise DataError(f"{adapter} exists already; name another model, or replace it with --force")


def deliver(
    out: str | Path,
    weights: np.ndarray,
    layout: Layout,
    counters: np.ndarray,
    about: dict[str, Any],
    force: bool = False,
) -> None:
    """Write a model, its card and, for adapters, a folder that PEFT reads.

    Args:
        out: file of the model, see ``wsl.sampling.model_files.write_model``; its card: ``wsl.files.outputs.card_path``.
        weights: flat weights (n_weights,).
        layout: of the weights.
        counters: integer buffers (n_counters,).
        about: see ``about_model``.
        force: replace existing files.

    Raises:
        DataError: see ``check_delivery``.
    """
    check_delivery(out, layout, force)
    write_model(out, whole_state(weights, layout, counters), about)
    if layout.frozen is not None:
        write_adapter(adapter_folder(out), weights, layout)
    with written_whole(card_path(out)) as unfinished:
        unfinished.write_text(card(Path(out).name, about), encoding="utf-8")


def _description(model: UserModel, description: Description, epochs: int) -> dict[str, Any]:
    """Return the part of the metadata that does not depend on the evaluation."""
    used, held_out = (_counts(model, part) for part in ("train", "test"))
    sampler = description.choice.name
    remark = METHODS[sampler].remark
    recalibrated = description.choice.recalibrate and METHODS[sampler].recalibrate
    lacks = description.without_images and recalibrated and model.run.layout.normalises
    return {
        **{key: description.about[key] for key in ("run", "architecture", "size")},
        "classes": model.classes,
        "preprocessing": model.run.layout.normalisation.preprocessing,
        "request": {"validation_loss": model.loss},
        "sampler": sampler,
        **({"sampler_remark": remark} if remark else {}),
        **({"without_images": True} if lacks else {}),
        "made_from": {"images": sum(used.values()), "by_class": used, "names": bool(description.prompts)},
        "refined_epochs": epochs,
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
