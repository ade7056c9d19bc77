"""Held-out members compared with what a weight encoder makes of them."""

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from wsl.evaluation.distances import Spread, learned
from wsl.evaluation.intervals import class_set
from wsl.evaluation.outputs import Runner, accuracy, compare, disagreement
from wsl.files.hdf5 import part_of
from wsl.files.plain import Files
from wsl.images.inputs import normalised
from wsl.images.reading import task_classes
from wsl.images.tasks import TaskImages
from wsl.randomness import integer_seed
from wsl.sampling.recalibration import Recalibration
from wsl.weights.answers import search_latent
from wsl.weights.codec import WeightCodec
from wsl.weights.settings import Search
from wsl.weights.snapshots import read_snapshots
from wsl.zoo.index import Zoo, open_zoo

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Compared:
    """Files that reconstructions of members are compared with; see ``wsl.evaluation.encoders.BenchInputs``."""

    train_index: str | Path
    held_out: Sequence[str | Path]
    packed: Files


def compare_members(
    codec: WeightCodec, inputs: Compared, search: Search, seed: int, device: str, scale: np.ndarray | None = None
) -> pd.DataFrame:
    """Compare held-out members with what an encoder decodes: rows of ``wsl.evaluation.encoders.measure_encoder``.

    ``original_diversity`` is the fraction of validation images on which two members differ, averaged over all pairs of
    members of a part with one set of classes; ``diversity`` is that of the decoded, recalibrated models. Both are NaN
    for a member that is alone. ``spread`` compares distances of weights instead, as Meynent et al. (2025) do.

    With deviations ``scale`` (n_weights,), also return ``error``, the mean squared error of weights in these units.
    """
    comparison = Comparison(codec, inputs, search, seed, device)
    tables = []
    for path in inputs.held_out:
        with open_zoo(path) as zoo:
            rows = comparison.of_part(zoo, scale).assign(part=part_of(path))
        log.info("%s: %d members measured", part_of(path), len(rows))
        tables.append(rows[["part", *rows.columns[:-1]]])
    return pd.concat(tables, ignore_index=True)


class Comparison:
    """Compares parts of a zoo; the arguments are those of ``compare_members``."""

    def __init__(self, codec: WeightCodec, inputs: Compared, search: Search, seed: int, device: str):
        self.codec, self.inputs, self.search, self.seed, self.device = codec, inputs, search, seed, device
        self.layout, self.images = codec.linear.layout, TaskImages(inputs.packed)
        self.mask, self.runner = learned(self.layout), Runner(self.layout, device)
        self.recalibrate = Recalibration(self.layout, torch.empty(0), 0.0, device)

    @cached_property
    def known(self) -> np.ndarray:
        """z_W of fully trained training members (members, latent)."""
        with open_zoo(self.inputs.train_index) as zoo:
            return np.concatenate(
                [self.codec.encode(read_snapshots(zoo, rows)) for rows in self.runner.groups(zoo.trained)]
            )

    @property
    def units(self) -> np.ndarray:
        """Deviation of each number of z_W over fully trained training members (latent,)."""
        return self.known.std(axis=0)

    def _facts(self, latents: np.ndarray) -> dict[str, float]:
        """Return what the encoder tells of z_W of a part (members, latent), and of the training members."""
        own, known = self.codec.facts(latents), self.codec.facts(self.known)
        return {f"fact_{name}": value for name, value in own.items()} | {
            f"fact_train_{name}": value for name, value in known.items()
        }

    def of_part(self, zoo: Zoo, scale: np.ndarray | None) -> pd.DataFrame:
        """Return one row per fully trained member, in the order of the index."""
        spread, original_spread, rows, latents = Spread(), Spread(), {}, []
        predictions: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = defaultdict(list)
        trained = zoo.snapshots.loc[zoo.trained]
        for task, places in trained.groupby("task", sort=False).groups.items():
            for group in self.runner.groups(places.to_numpy()):
                weights = read_snapshots(zoo, group)
                started = time.perf_counter()
                latents.append(self.codec.encode(weights))
                decoded = self.codec.decode(latents[-1])
                seconds = (time.perf_counter() - started) / len(group)
                for vector, original in zip(decoded, weights, strict=True):
                    spread.add(vector[self.mask])
                    original_spread.add(original[self.mask])
                members = [int(member) for member in trained.loc[group, "member"]]
                scores, outputs = self._scores(task, members, weights, decoded)
                predictions[class_set(task)].append(_in_sorted_order(task, *outputs))
                if scale is not None:
                    scores["error"] = np.square((decoded - weights) / scale).mean(axis=1)
                about = {"member": members, "task": task, "decode_seconds": seconds}
                table = pd.DataFrame({**about, **scores}, index=group)
                rows |= table.to_dict("index")
        table = pd.DataFrame.from_dict(rows, orient="index").loc[zoo.trained].reset_index(drop=True)
        for place, name in enumerate(("original_diversity", "diversity")):
            values = {}
            for classes, pairs in predictions.items():
                values[classes] = disagreement(torch.cat([pair[place] for pair in pairs]))
            table[name] = table["task"].map(class_set).map(values)
        spreads = float(spread) / max(float(original_spread), 1e-300)
        return table.assign(spread=spreads, **(self._facts(np.concatenate(latents)) if latents else {}))

    def _scores(
        self, task: str, members: Sequence[int], weights: np.ndarray, decoded: np.ndarray
    ) -> tuple[dict[str, list[float]], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Return metrics of members of one task, and predictions (m, n) of originals and recalibrated models."""
        training_images, _ = self.images.of_task(task)
        inputs, labels = self.images.of_task(task, part="validation")
        inputs = normalised(inputs, self.layout.normalisation)
        original = self.runner.logits_of(weights, inputs)
        scores = {"original_accuracy": [accuracy(logits, labels) for logits in original]}
        plain = self.runner.logits_of(decoded, inputs)
        variants = {"": plain, "_bn": plain}
        if self.layout.normalises:
            recalibrated = [self.recalibrate(vector, training_images) for vector in decoded]
            variants["_bn"] = self._logits(recalibrated, inputs)
        if self.search.steps:
            found = [self._searched(*one, training_images) for one in zip(members, weights, strict=True)]
            variants["_searched"] = self._logits(found, inputs)
        for suffix, outputs in variants.items():
            metrics = [
                {**compare(theirs, ours), "accuracy": accuracy(ours, labels)}
                for theirs, ours in zip(original, outputs, strict=True)
            ]
            scores |= {f"{name}{suffix}": [values[name] for values in metrics] for name in metrics[0]}
        return scores, (original.argmax(2), variants["_bn"].argmax(2), labels)

    def _logits(self, vectors: Sequence[np.ndarray], inputs: torch.Tensor) -> torch.Tensor:
        return self.runner.logits_of(np.stack(vectors), inputs)

    def _searched(self, member: int, weights: np.ndarray, images: torch.Tensor) -> np.ndarray:
        """Return the recalibrated model of a latent that was searched for by outputs."""
        seed = integer_seed(self.seed, "search", member)
        latent = search_latent(self.codec.encoder, self.layout, weights, self.units, images, self.search, seed)
        return self.recalibrate(self.codec.decode(latent[None])[0], images)


def _in_sorted_order(
    task: str, original: torch.Tensor, decoded: torch.Tensor, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return predictions (m, n) with classes and images in the order of class names, so that tasks can be compared."""
    classes = task_classes(task)
    ranks = torch.tensor([sorted(classes).index(name) for name in classes])
    order = torch.argsort(ranks[labels], stable=True)
    return ranks[original][:, order], ranks[decoded][:, order]
