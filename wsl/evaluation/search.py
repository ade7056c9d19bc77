"""Search zoos for the members that suit a user's images best, and measure what the found members are worth.

Members are chosen on training images only. Their worth is the accuracy of a new head on held-out images, beside
baselines with the same head.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch

from wsl.errors import DataError
from wsl.evaluation.estimates import TINY, accuracy_of
from wsl.evaluation.search_options import SearchOptions
from wsl.evaluation.search_selection import Photos, Selection
from wsl.evaluation.search_zoos import Candidate, SearchedZoo, network_name, weights_of
from wsl.files.tensors import read_tensors
from wsl.images.objects import ImagesLike, images_of
from wsl.images.own import own_classes
from wsl.randomness import stream
from wsl.sampling.methods.constant import random_weights
from wsl.sampling.methods.task_heads import Prototypes, body_state, fit_probe
from wsl.zoo.layout import Layout
from wsl.zoo.network import flatten

RANDOM = 10  # members drawn at random for comparison
HEADS = {"probe": fit_probe, "prototypes": Prototypes.head}
DEFAULTS = SearchOptions()
COLUMNS = ["model", "kind", "method", "rank", "score", "zoo", "part", "member", "classes", "architecture"]
COLUMNS += ["accuracy", "low", "high", "images"]


@dataclass(frozen=True)
class Found:
    """A member with a new head.

    Attributes:
        candidate: the member.
        layout: of its network, with its own head.
        weights: flat (n_weights,), with its own head.
        counters: integer buffers.
        head: weight (classes, F) and bias (classes,) of the new head.
    """

    candidate: Candidate
    layout: Layout
    weights: np.ndarray
    counters: np.ndarray
    head: tuple[torch.Tensor, torch.Tensor]


def search(
    images: ImagesLike, zoos: Sequence[str | Path], options: SearchOptions = DEFAULTS, device: str = "cpu"
) -> pd.DataFrame:
    """Search zoos for the members that suit a folder of images best.

    Args:
        images: a folder that holds a folder of images for each class, or other images by class, see
            ``wsl.images.objects.images_of``.
        zoos: folders of runs, or that ``wsl import`` wrote.
        options: how many members to evaluate, and how.
        device: ``cpu`` or ``cuda``.

    Returns:
        One row per method and found member, and per baseline: ``model`` (in words), ``kind`` (``member`` or
        ``baseline``), ``method`` and ``rank`` by which a member was found, ``score``, ``zoo``, ``part``, ``member``,
        ``classes`` (its task) and ``architecture``; ``accuracy`` on held-out images with a new head, Wilson's 95 %
        interval ``low`` to ``high``, and the number of ``images``. ``attrs`` holds ``classes``, ``used`` and
        ``held_out`` (images by class), ``seconds`` and ``mean_accuracy`` by method, ``left_out`` (reasons by method),
        ``members`` (number), and ``found`` (``Found`` by method, the best of each).

    Raises:
        DataError: a folder cannot be used.
    """
    given, wanted = images_of(images), options.classes or None
    names = own_classes(given, wanted, len(wanted or given.names))
    if len(names) < 2:
        raise DataError(
            f"{given.place} has {len(names)} class folders; give one with a folder for each of two or more classes"
        )
    searched = [SearchedZoo(path, options.size) for path in zoos]
    with tempfile.TemporaryDirectory(prefix="wsl-") as work:
        photos = Photos(given, names, options, Path(work))
        chosen = Selection(photos, searched, device)
        return Worth(photos, searched, chosen, options, device).table()


class Worth:
    """Accuracies of new heads on held-out images: of the found members, of random ones, and of baselines."""

    def __init__(
        self, photos: Photos, zoos: Sequence[SearchedZoo], chosen: Selection, options: SearchOptions, device: str
    ):
        self.photos, self.zoos, self.chosen, self.options, self.device = photos, zoos, chosen, options, device
        everyone = [candidate for zoo in zoos for candidate in zoo.candidates]
        order = stream(options.seed, "search").permutation(len(everyone))[:RANDOM]
        self.drawn = [everyone[place] for place in order]
        layouts = {index: layout for zoo in zoos for index, layout in zoo.layouts.items()}
        ranked = [one for method in chosen.scores for one, _ in chosen.best(method, options.best)]
        self.found: dict[Candidate, Found] = {}
        self.estimates: dict[Candidate, dict[str, float]] = {}
        for candidate, weights, opened in weights_of([*dict.fromkeys([*ranked, *self.drawn])]):
            layout = layouts[candidate.index]
            head, self.estimates[candidate] = self._evaluated(weights, layout)
            self.found[candidate] = Found(candidate, layout, weights, opened.counters[candidate.row], head)

    def _evaluated(self, weights: np.ndarray, layout: Layout) -> tuple[Any, dict[str, float]]:
        """Return a head fitted to the training images, and its accuracy on held-out images."""
        networks = self.chosen.networks
        train, test = (self.chosen.inputs.of(layout, part) for part in ("train", "test"))
        features, _ = networks.answers(weights, layout, train[0])
        if not features.isfinite().all():
            size = (len(self.photos.names), features.shape[1])
            return (torch.zeros(size), torch.zeros(size[0])), {}
        return self._fitted(features, train[1], lambda: networks.answers(weights, layout, test[0])[0], test[1])

    def _fitted(
        self, features: torch.Tensor, labels: torch.Tensor, held_out: Callable[[], torch.Tensor], truth: torch.Tensor
    ) -> tuple[Any, dict[str, float]]:
        weight, bias = HEADS[self.options.head]([features[labels == place] for place in range(len(self.photos.names))])
        return (weight, bias), accuracy_of(held_out() @ weight.T + bias, truth) if len(truth) else {}

    def table(self) -> pd.DataFrame:
        """Return the result of ``search``."""
        rows, means = [], {}
        for method in self.chosen.scores:
            best = self.chosen.best(method, self.options.best)
            for rank, (candidate, value) in enumerate(best, 1):
                rows.append(
                    {**self._about(candidate), "kind": "member", "method": method, "rank": rank, "score": value}
                )
            accuracies = [self.estimates[one].get("accuracy", np.nan) for one, _ in best]
            means[method] = float(np.mean(accuracies)) if accuracies else np.nan
        rows.append({**self._about(self.drawn[0]), "kind": "baseline", "model": "a random member"})
        drawn = [self.estimates[one].get("accuracy", np.nan) for one in self.drawn]
        name = f"mean of {len(drawn)} random members"
        rows += [{"kind": "baseline", "model": name, "accuracy": float(np.mean(drawn))}, *self._baselines()]
        table = pd.DataFrame(rows).reindex(columns=COLUMNS)
        table.attrs = {
            "classes": self.photos.names,
            "used": dict(self.photos.used),
            "held_out": dict(self.photos.held_out),
            "seconds": self.chosen.seconds,
            "mean_accuracy": means,
            "left_out": self.chosen.left_out,
            "members": sum(len(zoo.candidates) for zoo in self.zoos),
            "found": {method: self.found[self.chosen.best(method, 1)[0][0]] for method in self.chosen.scores},
        }
        return table

    def _about(self, candidate: Candidate) -> dict[str, Any]:
        about = {key: getattr(candidate, key) for key in ("zoo", "part", "member")}
        architecture = network_name(self.found[candidate].layout)
        name = f"{candidate.member:05d}" + (f" of {candidate.zoo}" if len(self.zoos) > 1 else "")
        about |= {"model": f"member {name}", "classes": candidate.task, "architecture": architecture}
        return about | self.estimates[candidate]

    def _baselines(self) -> list[dict[str, Any]]:
        """Return the rows of raw pixels, and of each zoo's start (or random weights) and body of generated models."""
        rows = [{"model": "raw pixels", **self._pixels()}]
        for zoo in self.zoos:
            of_zoo = f" of {zoo.name}" if len(self.zoos) > 1 else ""
            for layout in dict.fromkeys(zoo.layouts.values()):
                index = next(index for index, one in zoo.layouts.items() if one == layout)
                of = of_zoo + (f" ({network_name(layout)})" if len(set(zoo.layouts.values())) > 1 else "")
                if index in zoo.start:
                    weights, name = flatten(read_tensors(zoo.start[index])[0], layout)[0], "the members' common start"
                else:
                    weights, name = random_weights(layout, "start", 0), "random weights"
                rows.append({"model": name + of, **self._evaluated(weights, layout)[1]})
            rows += self._body(zoo, of_zoo)
        return [{"kind": "baseline", **row} for row in rows]

    def _body(self, zoo: SearchedZoo, of: str) -> list[dict[str, Any]]:
        file = zoo.run and zoo.run / "sampling" / "body.safetensors"
        layout = next(iter(zoo.layouts.values()))
        if not file or not file.is_file() or layout.frozen:
            return []
        weights = flatten(body_state(SimpleNamespace(files={"body": file})), layout)[0]
        return [{"model": f"the generator's body{of}", **self._evaluated(weights, layout)[1]}]

    def _pixels(self) -> dict[str, float]:
        """Return the accuracy of the head on pixels in [0, 1], of images scaled down to ``TINY`` pixels."""
        size = min(min(layout.image_size for zoo in self.zoos for layout in zoo.layouts.values()), TINY)
        size = max(size, 8)

        def pixels(part: str) -> tuple[torch.Tensor, torch.Tensor]:
            images, labels = self.photos.of(size, part)
            return images.flatten(1).float() / 255, labels

        (train, labels), (test, truth) = pixels("train"), pixels("test")
        return self._fitted(train, labels, lambda: test, truth)[1]
