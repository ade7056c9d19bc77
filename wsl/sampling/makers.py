"""Samplers as makers of whole models, loaded by name over the files of a run."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from wsl.files import Files
from wsl.images.inputs import mixed_images
from wsl.images.tasks import TaskImages
from wsl.sampling.generator import GeneratedModels
from wsl.sampling.making import DecodedModels, Maker, RecalibratedModels
from wsl.sampling.recalibration import Recalibration
from wsl.sampling.registry import load_sampler
from wsl.weights.codec import WeightCodec, load_codec
from wsl.zoo.index import open_zoo

REFERENCE = 240  # images of the mixture for batch-normalisation statistics


class Makers:
    """Loads makers; a context, since the zoo stays open.

    Args:
        train_index, fitted, autoencoder: the weight codec's files; the last two are for samplers of codes alone.
        class_means, packed: a file a class, or a list of them; bins: outcome bins.
        known: names of the classes that the zoo saw; a mixture of their training images gives batch-normalisation
            statistics to tasks with few images.
        recalibrate: re-estimate the statistics of decoded weights; strength: see ``Recalibration``.
        settings: of the sampler that will be loaded.
        device: ``cpu`` or ``cuda``.
        samplers: files of samplers, see ``wsl.sampling.registry.load_sampler``, and ``generator``.
    """

    def __init__(
        self,
        train_index: str | Path,
        class_means: Files,
        packed: Files,
        bins: str | Path,
        known: Sequence[str],
        recalibrate: bool,
        strength: float,
        settings: dict[str, Any],
        fitted: Sequence[str | Path] = (),
        autoencoder: str | Path | None = None,
        device: str = "cpu",
        **samplers: Any,
    ):
        self.train_index, self.fitted, self.autoencoder = train_index, fitted, autoencoder
        self.class_means, self.bins, self.known = class_means, bins, known
        self.recalibrate, self.strength = recalibrate, strength
        self.settings, self.samplers, self.device = settings, samplers, device
        self.images = TaskImages(packed)

    def __enter__(self):
        self.stack = ExitStack()
        self.zoo = self.stack.enter_context(open_zoo(self.train_index))
        self.layout = self.zoo.layout
        self.recalibration = None
        if self.recalibrate:
            reference = mixed_images(
                [self.images.files[name] for name in self.known], max(1, REFERENCE // len(self.known)), seed=0
            )
            self.recalibration = Recalibration(self.layout, reference, self.strength, self.device)
        return self

    def __exit__(self, *failure: object) -> None:
        self.stack.close()

    def load(self, name: str, recalibrate: bool = True) -> Maker:
        """Return the maker of a sampler, if need be without new batch-normalisation statistics."""
        if name == "generator":
            files = (self.samplers["generator"], self.layout, self.class_means)
            return GeneratedModels(*files, self.images, **self.settings, device=self.device)
        sampler = load_sampler(name, self.settings, self.class_means, self.bins, **self.samplers)
        models = DecodedModels(sampler, self.codec(), self.class_means)
        return self.recalibrated(models) if recalibrate else models

    def recalibrated(self, models: Maker) -> Maker:
        """Return a maker of the same models with new statistics, where the run asks for them."""
        return RecalibratedModels(models, self.images, self.recalibration) if self.recalibration else models

    def codec(self) -> WeightCodec:
        return load_codec(self.train_index, self.fitted, self.autoencoder)
