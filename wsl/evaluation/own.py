"""Deliver a model for somebody's own classes: sampled, maybe fine-tuned, judged on images held out, written."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from wsl.evaluation.card import card
from wsl.evaluation.outputs import Runner
from wsl.evaluation.protocol import fine_tuned
from wsl.files import written_whole
from wsl.images.inputs import normalised
from wsl.images.reading import MEAN, STD
from wsl.sampling.own import OwnModel, sample_own
from wsl.tensors import write_tensors
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
) -> dict[str, Any]:
    """Sample a model, write it as a state dict with a card beside it, and return what its metadata say.

    Args:
        run, folder, classes, outcome, held_out, seed, device: see ``wsl.sampling.own.sample_own``.
        out: safetensors file; the card is the same name with ``.md``.
        refine: epochs of training on the images that the model was made from; 0: none.

    Raises:
        DataError: see ``sample_own``.
    """
    model, about = sample_own(run, folder, classes, outcome, held_out, seed, device)
    estimates = {"as sampled": estimate(model, model.weights)}
    weights = model.weights
    if refine:
        tuned = fine_tuned(weights, model.task, model.images, model.layout, [refine], **about.finetuning, device=device)
        weights = tuned[refine]
        estimates["refined"] = estimate(model, weights)
    counts = {part: len(model.images.of_task(model.task, part=part)[0]) for part in ("train", "test")}
    shown = {key: about.about[key] for key in ("run", "architecture", "width", "size")}
    content = {
        **shown,
        "classes": model.classes,
        "preprocessing": {"mean": MEAN, "std": STD, "scale": "pixels / 255", "crop": "centre square"},
        "request": {"validation_loss": model.loss},
        "sampler": about.sampler,
        "made_from": {"images": counts["train"], "names": bool(about.prompts)},
        "refined_epochs": refine,
        "estimates": {key: value for key, value in estimates.items() if value},
        "provenance": {
            "wsl": version("wsl"),
            "sampler_sha256": about.digest,
            "seed": about.seed if seed is None else seed,
        },
    }
    write_tensors(out, state_dict(weights, model.layout, model.counters), content)
    with written_whole(Path(out).with_suffix(".md")) as beside:
        beside.write_text(card(Path(out).name, content), encoding="utf-8")
    return content


def estimate(model: OwnModel, weights: np.ndarray) -> dict[str, float] | None:
    """Return a model's accuracy on the images held out, with Wilson's 95 % interval; None where there are none."""
    images, labels = model.images.of_task(model.task, part="test")
    if not len(images):
        return None
    right = Runner(model.layout).logits(weights, normalised(images)).argmax(1) == labels
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return {"accuracy": right.float().mean().item(), "low": interval.low, "high": interval.high, "images": len(right)}
