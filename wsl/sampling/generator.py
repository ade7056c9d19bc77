"""The generator: one body for all tasks, a head inferred for each, scaled to the outcome asked for."""

import logging
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import torch
from torch.nn import functional

from wsl.images.inputs import normalised
from wsl.images.reading import task_classes
from wsl.sampling.head import Inference, KnownClasses, cosine_head, fit_inference, loss_curve, scale_for
from wsl.sampling.making import TaskImages
from wsl.tensors import read_tensors, write_tensors
from wsl.zoo.layout import Layout
from wsl.zoo.network import SlimResNet18, flatten, resnet18

log = logging.getLogger(__name__)
BATCH = 512
# From so many images a class a task's own training images say how large its losses are; below, other tasks' do.
CALIBRATE_FROM = 20


class ClipFeatures:
    """CLIP features of training images and names, centred and scaled by those of known classes.

    Args:
        class_means: a file a class, see ``wsl.datasets.class_means.embed_class``.
    """

    def __init__(self, class_means: Sequence[str | Path]):
        self.images: dict[str, torch.Tensor] = {}
        self.texts: dict[str, torch.Tensor] = {}
        for path in class_means:
            with h5py.File(path) as file:
                name = file.attrs["class"]
                self.images[name] = functional.normalize(torch.from_numpy(file["features"][...]), dim=1)
                if "text" in file:
                    self.texts[name] = functional.normalize(torch.from_numpy(file["text"][...]), dim=0)


@torch.no_grad()
def body_features(network: SlimResNet18, images: torch.Tensor, device: str) -> torch.Tensor:
    """Return what the head sees (n, F) of uint8 images (n, 3, h, w)."""
    return torch.cat([network.features(normalised(batch.to(device))).cpu() for batch in images.split(BATCH)])


def fit_generator(
    body: str | Path,
    class_means: Sequence[str | Path],
    packed: Sequence[str | Path],
    known: Sequence[str],
    out: str | Path,
    counts: Sequence[int],
    seed: int,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Fit what infers heads, for each number of images, on the classes that the zoo knows.

    Args:
        body: a state dict, see ``wsl.sampling.body.fit_body``.
        class_means, packed: a file a class.
        known: names of the classes to fit to; no unseen one.
        out: safetensors file that holds the body too.
        counts: numbers of images a class; 0 stands for names and is left out where classes have no text.
        seed: of random subsets, folds and tasks.
        device: ``cpu`` or ``cuda``; threads: CPU threads.
    """
    torch.set_num_threads(threads)
    state, _ = read_tensors(body)
    classes, features = state["fc.weight"].shape
    network = resnet18(features // 8, classes).to(device).eval()
    network.load_state_dict(state)
    images, clips = TaskImages(packed), ClipFeatures(class_means)
    bodies = [body_features(network, images.of_class(name), device) for name in known]
    validation = [body_features(network, images.of_class(name, part="validation"), device) for name in known]
    centre = torch.cat([clips.images[name] for name in known]).mean(0)
    texts = torch.stack([clips.texts[name] for name in known]) if clips.texts else None
    scale = torch.cat(bodies).std(0).mean() / (torch.cat([clips.images[name] for name in known]) - centre).std(0).mean()
    about = KnownClasses(
        bodies=_equally_many(bodies),
        clips=_equally_many([(clips.images[name] - centre) * scale for name in known]),
        validation=_equally_many(validation),
        texts=None if texts is None else (texts - texts.mean(0)) * scale,
    )
    tensors = {f"body/{name}": value for name, value in state.items()}
    tensors |= {"clip/centre": centre, "clip/scale": scale}
    if texts is not None:
        tensors["text/centre"] = texts.mean(0)
    most = about.bodies.shape[1]
    usable = sorted({min(count, most) for count in counts if count or texts is not None})
    accuracies = {}
    for count in usable:
        fitted = fit_inference(about, count, classes, seed)
        accuracies[count] = fitted.accuracy
        for key in ("slope", "intercept", "spread", "curve"):
            tensors[f"{count}/{key}"] = getattr(fitted, key)
    write_tensors(out, tensors, {"counts": usable, "accuracy": accuracies, "known": list(known)})


class GeneratedModels:
    """A ``Maker`` of whole models: the generator's body with an inferred head.

    Args:
        path: of the generator, see ``fit_generator``.
        layout: of flat weights.
        class_means: a file a class; images: of all classes.
        temperature: of the posterior of class means; 0 gives its mean, and the same model for every seed.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(
        self,
        path: str | Path,
        layout: Layout,
        class_means: Sequence[str | Path],
        images: TaskImages,
        temperature: float = 0.0,
        device: str = "cpu",
    ):
        tensors, about = read_tensors(path)
        self.state = {name.removeprefix("body/"): value for name, value in tensors.items() if name.startswith("body/")}
        self.inferences = {
            count: Inference(
                **{key: tensors[f"{count}/{key}"] for key in ("slope", "intercept", "spread", "curve")},
                accuracy=about["accuracy"][str(count)],
            )
            for count in about["counts"]
        }
        self.tensors, self.layout, self.images = tensors, layout, images
        self.temperature, self.device = temperature, device
        self.clips = ClipFeatures(class_means)
        classes, features = self.state["fc.weight"].shape
        self.network = resnet18(features // 8, classes).to(device).eval()
        self.network.load_state_dict(self.state)
        self._bodies: dict[str, torch.Tensor] = {}

    def make(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        """Return flat weights (n_weights,), see ``wsl.sampling.making.Maker.make``.

        Raises:
            ValueError: no images and no names, or nothing fitted for names.
        """
        names = task_classes(task)
        inference = self._inference(images)
        means = self._seen(names, images) @ inference.slope + inference.intercept
        if self.temperature:
            noise = torch.randn(means.shape, generator=torch.Generator().manual_seed(seed))
            means = means + self.temperature * noise @ inference.spread.T
        weight = cosine_head(means)
        curve = inference.curve
        if images is None or images >= CALIBRATE_FROM:
            own = torch.cat([self._body(name)[:images] for name in names])
            labels = torch.cat([torch.full((len(self._body(name)[:images]),), i) for i, name in enumerate(names)])
            curve = loss_curve(own @ weight.T, labels)
        scale = scale_for(loss, curve)
        return flatten({**self.state, "fc.weight": scale * weight, "fc.bias": torch.zeros(len(weight))}, self.layout)[0]

    def _inference(self, images: int | None) -> Inference:
        if images == 0:
            if 0 not in self.inferences:
                raise ValueError("no generator was fitted for names: set datasets.prompts, with a model that has texts")
            return self.inferences[0]
        fitted = [count for count in self.inferences if count]
        wanted = images or max(fitted)
        return self.inferences[min(fitted, key=lambda count: abs(np.log(count / wanted)))]

    def _seen(self, names: Sequence[str], images: int | None) -> torch.Tensor:
        centre, scale = self.tensors["clip/centre"], self.tensors["clip/scale"]
        if images == 0:
            texts = torch.stack([self.clips.texts[name] for name in names])
            return (texts - self.tensors["text/centre"]) * scale
        bodies = torch.stack([self._body(name)[:images].mean(0) for name in names])
        clips = torch.stack([(self.clips.images[name][:images].mean(0) - centre) * scale for name in names])
        return torch.cat([bodies, clips], dim=1)

    def _body(self, name: str) -> torch.Tensor:
        if name not in self._bodies:
            self._bodies[name] = body_features(self.network, self.images.of_class(name), self.device)
        return self._bodies[name]


def _equally_many(classes: list[torch.Tensor]) -> torch.Tensor:
    least = min(len(rows) for rows in classes)
    return torch.stack([rows[:least] for rows in classes])
