"""The sampler `generator`: fit the inference of heads, and infer heads for tasks."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from wsl.files.hdf5 import open_hdf5
from wsl.files.plain import Files, listed
from wsl.files.tensors import read_tensors, write_tensors
from wsl.images.reading import task_classes
from wsl.images.tasks import TaskImages
from wsl.jobs.job import Job
from wsl.sampling.features import BodyFeatures
from wsl.sampling.head import Inference, KnownClasses, fit_inference, loss_curve, scale_for
from wsl.sampling.methods.base import finite
from wsl.zoo.layout import layout_from_text
from wsl.zoo.network import flatten, with_head

CALIBRATE_FROM = 20  # images per class from which a task's own images calibrate its loss, instead of other tasks'
CALIBRATION_FOLDS = 4
FITTED = ("slope", "intercept", "doubt", "scatter", "curve")


class ClipFeatures:
    """CLIP features of training images and names, each of length 1, from files of ``embed_classes``."""

    def __init__(self, class_means: Files):
        self.images: dict[str, torch.Tensor] = {}
        self.texts: dict[str, torch.Tensor] = {}
        for path in listed(class_means):
            with open_hdf5(path) as file:
                name = file.attrs["class"]
                self.images[name] = functional.normalize(torch.from_numpy(file["features"][...]), dim=1)
                if "text" in file:
                    self.texts[name] = functional.normalize(torch.from_numpy(file["text"][...]), dim=0)


def body_of(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the body's state dict among a generator's tensors."""
    return {name.removeprefix("body/"): value for name, value in tensors.items() if name.startswith("body/")}


def fit_generator(
    body: str | Path,
    class_means: Files,
    packed: Files,
    out: str | Path,
    known: list[str],
    counts: list[int],
    names: bool = False,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Fit the inference of heads for each number of images, on the classes that the zoo knows.

    Args:
        body: a state dict, see ``wsl.sampling.body.fit_body``.
        class_means: one file per class, or a list of them.
        packed: packed images, one file per class, or a list of them.
        out: safetensors file that also holds the body.
        known: names of the classes that the zoo saw.
        counts: numbers of images per class; 0 stands for names and is left out if the classes have no text.
        names: also infer from a class's name, in addition to its images.
        job: seed of random subsets, folds and tasks.
    """
    torch.set_num_threads(job.threads)
    state, body_about = read_tensors(body)
    layout = layout_from_text(body_about["layout"])
    features, clips = BodyFeatures(state, layout, TaskImages(packed), job.device), ClipFeatures(class_means)
    images = [clips.images[name] for name in known]
    tensors = {f"body/{name}": value for name, value in state.items()}
    tensors |= {"clip/centre": torch.cat(images).mean(0), "clip/scale": torch.cat(images).std(0).mean()}
    clip_features, texts = (_equally_many(images) - tensors["clip/centre"]) / tensors["clip/scale"], None
    if clips.texts:
        texts = torch.stack([clips.texts[name] for name in known])
        tensors |= {"text/centre": texts.mean(0), "text/scale": texts.std(0).mean()}
        texts = (texts - tensors["text/centre"]) / tensors["text/scale"]
        if names:
            texts_of_images = texts[:, None].expand(-1, clip_features.shape[1], -1)
            clip_features = torch.cat([clip_features, texts_of_images], dim=2)
    classes = KnownClasses(
        clips=clip_features,
        bodies=_equally_many([features.of_class(name) for name in known]),
        validation=_equally_many([features.of_class(name, "validation") for name in known]),
        texts=texts,
    )
    usable = sorted({min(count, classes.bodies.shape[1]) for count in counts if count or texts is not None})
    accuracies = {}
    for count in usable:
        fitted = fit_inference(classes, count, layout.classes, job.seed)
        accuracies[count] = fitted.accuracy
        for key in FITTED:
            tensors[f"{count}/{key}"] = getattr(fitted, key)
    write_tensors(out, tensors, {"counts": usable, "accuracy": accuracies, "known": known, "names": names})


class HeadGenerator:
    """Infers heads for the generator's body.

    Args:
        path: of the generator, see ``fit_generator``.
        run: an ``OpenRun`` of ``wsl.sampling.loading``.
        temperature: of the posterior of class means; at 0 every seed gives the posterior mean.
    """

    def __init__(self, path: str | Path, run: Any, temperature: float):
        tensors, about = read_tensors(path)
        self.state = body_of(tensors)
        self.inferences = {
            count: Inference(
                **{key: tensors[f"{count}/{key}"].double() for key in FITTED}, accuracy=about["accuracy"][str(count)]
            )
            for count in about["counts"]
        }
        self.tensors, self.names = tensors, about["names"]
        self.layout, self.temperature = run.layout, temperature
        self.bodies = BodyFeatures(self.state, run.layout, run.images, run.device)
        self.clips = ClipFeatures(run.files.class_means)

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        """Return flat weights (n_weights,), see ``wsl.sampling.methods.base.Method.sample``.

        Raises:
            ValueError: no images and no names, or nothing fitted for names.
        """
        inference = self._inference(images)
        features = [rows.double() for rows in self.bodies.of_task(task, images)]
        clip_features = self._clip_features(task, images)
        means, covariance = inference.posterior(clip_features, features)
        if self.temperature:
            noise = torch.randn(means.shape, generator=torch.Generator().manual_seed(seed), dtype=means.dtype)
            means = means + self.temperature * noise @ _root(covariance).T
        weight, bias = inference.head(means, features)
        calibrated = len(features[0]) >= CALIBRATE_FROM
        scale = scale_for(loss, _cross_fitted(inference, clip_features, features) if calibrated else inference.curve)
        state = with_head(self.state, self.layout, scale * weight, scale * bias)
        return finite(flatten(state, self.layout)[0], self.layout, task)

    def _inference(self, images: int | None) -> Inference:
        if images == 0:
            if 0 not in self.inferences:
                raise ValueError(
                    "the generator was not fitted for names: set datasets.prompts, with a CLIP that reads text"
                )
            return self.inferences[0]
        fitted = [count for count in self.inferences if count]
        wanted = images or max(fitted)
        return self.inferences[min(fitted, key=lambda count: abs(np.log(count / wanted)))]

    def _clip_features(self, task: str, images: int | None) -> torch.Tensor:
        names, parts = task_classes(task), []
        if images != 0:
            means = torch.stack([self.clips.images[name][:images].mean(0) for name in names])
            parts.append((means - self.tensors["clip/centre"]) / self.tensors["clip/scale"])
        if images == 0 or self.names:
            texts = torch.stack([self.clips.texts[name] for name in names])
            parts.append((texts - self.tensors["text/centre"]) / self.tensors["text/scale"])
        return torch.cat(parts, dim=1).double()


def _cross_fitted(inference: Inference, clip_features: torch.Tensor, features: list[torch.Tensor]) -> torch.Tensor:
    """Return the cross-validated loss curve of heads on the task's images."""
    logits, labels = [], []
    for fold in range(CALIBRATION_FOLDS):
        others = [rows[torch.arange(len(rows)) % CALIBRATION_FOLDS != fold] for rows in features]
        weight, bias = inference.head(inference.posterior(clip_features, others)[0], others)
        for label, rows in enumerate(features):
            logits.append(rows[fold::CALIBRATION_FOLDS] @ weight.T + bias)
            labels.append(torch.full((len(logits[-1]),), label))
    return loss_curve(torch.cat(logits), torch.cat(labels))


def _root(covariance: torch.Tensor) -> torch.Tensor:
    """Return a root (F, F) of a covariance, which may be slightly indefinite or asymmetric from rounding."""
    values, vectors = torch.linalg.eigh((covariance + covariance.T) / 2)
    return vectors * values.clamp(min=0).sqrt()


def _equally_many(classes: list[torch.Tensor]) -> torch.Tensor:
    least = min(len(rows) for rows in classes)
    return torch.stack([rows[:least] for rows in classes])
