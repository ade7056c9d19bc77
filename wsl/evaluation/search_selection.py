"""The scores of all members for a user's images, from training images only, and the seconds that each method takes."""

import time
from collections.abc import Sequence
from pathlib import Path

import torch

from wsl.errors import ConfigError, DataError
from wsl.evaluation.search_data import RunSpaces
from wsl.evaluation.search_options import SearchOptions
from wsl.evaluation.search_scores import SCORES, Answers, score
from wsl.evaluation.search_zoos import Candidate, Inputs, Networks, SearchedZoo, weights_of
from wsl.images.objects import ImageClasses
from wsl.images.own import PREFIX, pack_own
from wsl.images.reading import join_task
from wsl.images.tasks import TaskImages

SHARED, DATASET = "shared-space", "nearest-dataset"


class Photos:
    """A user's images, packed once per size."""

    def __init__(self, images: ImageClasses, names: list[str], options: SearchOptions, work: Path):
        self.images, self.names, self.options, self.work = images, names, options, work
        self._packed: dict[int, list[Path]] = {}
        self.used, self.held_out = {}, {}

    def packed(self, size: int) -> list[Path]:
        """Return one file of packed images per class."""
        if size not in self._packed:
            paths = [self.work / f"{size}-{place}.h5" for place in range(len(self.names))]
            for name, path in zip(self.names, paths, strict=True):
                pack_own(self.images, name, path, size, self.options.held_out, self.options.seed)
            self._packed[size] = paths
            images = TaskImages(paths)
            for name in self.names:
                self.used[name] = len(images.of_class(PREFIX + name, self.options.images))
                self.held_out[name] = len(images.of_class(PREFIX + name, part="test"))
        return self._packed[size]

    def of(self, size: int, part: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return uint8 images (n, 3, size, size) of a part and their labels (n,); training images are limited."""
        task = join_task([PREFIX + name for name in self.names])
        return TaskImages(self.packed(size)).of_task(task, self.options.images if part == "train" else None, part)


class Selection:
    """The scores of all members by method, from training images, with the seconds that each method took."""

    def __init__(self, photos: Photos, zoos: Sequence[SearchedZoo], device: str):
        self.photos, self.device = photos, device
        self.scores: dict[str, dict[Candidate, float]] = {}
        self.seconds: dict[str, float] = {}
        self.left_out: dict[str, str] = {}
        self.networks, self.inputs = Networks(device), Inputs(photos.of)
        for zoo in zoos:
            self._by_spaces(zoo, f" of {zoo.name}" if len(zoos) > 1 else "")
        self._by_answers(zoos)

    def _by_spaces(self, zoo: SearchedZoo, suffix: str) -> None:
        """Score by the embeddings of a run; cosines of two runs cannot be compared."""
        methods = (SHARED + suffix, DATASET + suffix)
        begun = time.monotonic()
        try:
            size = next(iter(zoo.layouts.values())).image_size
            spaces = RunSpaces(zoo, self.photos.packed(size), self.photos.work, self.device)
        except (DataError, ConfigError) as error:
            self.left_out |= dict.fromkeys(methods, str(error))
            return
        embedding = time.monotonic() - begun
        for method, scores in zip(methods, (spaces.by_shared_space, spaces.by_dataset), strict=True):
            begun = time.monotonic()
            try:
                self.scores[method] = scores()
                self.seconds[method] = embedding + time.monotonic() - begun
            except DataError as error:
                self.left_out[method] = str(error)

    def _by_answers(self, zoos: Sequence[SearchedZoo]) -> None:
        """Run every member once on the training images, and score its answers."""
        running, seconds = 0.0, dict.fromkeys(SCORES, 0.0)
        self.scores |= {name: {} for name in SCORES}
        for zoo in zoos:
            for candidate, weights, _ in weights_of(zoo.candidates):
                begun = time.monotonic()
                layout = zoo.layouts[candidate.index]
                inputs, labels = self.inputs.of(layout, "train")
                answers = Answers(*self.networks.answers(weights, layout, inputs), labels)
                running += time.monotonic() - begun
                for name in SCORES:
                    begun = time.monotonic()
                    self.scores[name][candidate] = score(name, answers)
                    seconds[name] += time.monotonic() - begun
        self.seconds |= {name: running + seconds[name] for name in SCORES}

    def best(self, method: str, count: int) -> list[tuple[Candidate, float]]:
        """Return the best members by a method with their scores; equal scores in the order of the zoo."""
        return sorted(self.scores[method].items(), key=lambda item: -item[1])[:count]
