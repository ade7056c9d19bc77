"""A sampled model: a network for a user's classes, with its card and its evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsl.api.options import one_thread
from wsl.api.views import Markdown, as_html, as_text
from wsl.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch
    from torch import nn

    from wsl.api.data import Data
    from wsl.api.run import FinishedRun
    from wsl.images.objects import ImagesLike
    from wsl.images.reading import Normalisation
    from wsl.sampling.user_classes import UserClasses
    from wsl.zoo.layout import Layout

BATCH = 512  # images per forward pass
SAMPLED, REFINED = "as sampled", "refined"


@dataclass(frozen=True)
class Preprocess:
    """The transform from an image to a network's input: centre square, scaled, normalised.

    It also is a transform for datasets of torchvision.

    Attributes:
        size: side of the input, pixels.
        normalisation: means and standard deviations of the channels.
    """

    size: int
    normalisation: Normalisation

    def __call__(self, images: Any) -> torch.Tensor:
        """Return the input (3, size, size) of an image, or the inputs (n, 3, size, size) of a list of images.

        Args:
            images: PIL image, array or path of a file; or a list of them. See ``wsl.images.objects.picture``.

        Raises:
            DataError: an image cannot be used.
        """
        import numpy as np
        import torch

        from wsl.images.inputs import normalised
        from wsl.images.objects import one_image

        several = isinstance(images, list | tuple)
        given = list(images) if several else [images]
        pixels = [one_image(image, self.size, f"image {place}")[0] for place, image in enumerate(given)]
        shape = (len(given), self.size, self.size, 3)
        batch = torch.from_numpy(np.array(pixels, dtype=np.uint8).reshape(shape)).permute(0, 3, 1, 2)
        inputs = normalised(batch, self.normalisation)
        return inputs if several else inputs[0]


@dataclass(frozen=True)
class Made:
    """How a model was made."""

    run: FinishedRun
    data: Data
    layout: Layout  # of the weights
    counters: np.ndarray  # integer buffers (n_counters,)
    loss: float  # requested validation loss, nats
    seed: int
    refine: int  # epochs of training on the user's images


class SampledModel:
    """A network for a user's classes, sampled from (D, R) by a finished run. ``FinishedRun.sample`` makes it.

    Attributes:
        classes: in the order of the network's outputs.
        loss: the requested validation loss, nats.
        seed: of the sample.
    """

    def __init__(self, made: Made, weights: Mapping[str, np.ndarray]):
        self._made, self._flat = made, dict(weights)
        self.classes, self.loss, self.seed = list(made.data.classes), made.loss, made.seed

    @property
    def flat(self) -> np.ndarray:
        """The weights as one vector (n_weights,), as weight encoders read them."""
        return self._flat[REFINED if self._made.refine else SAMPLED]

    @cached_property
    def weights(self) -> dict[str, torch.Tensor]:
        """The state dict of the network."""
        from wsl.zoo.network import whole_state

        return whole_state(self.flat, self._made.layout, self._made.counters)

    @cached_property
    def network(self) -> nn.Module:
        """The network with its weights, in evaluation mode. Changes of it do not change the other attributes."""
        from wsl.sampling.model_files import model_layout
        from wsl.zoo.network import network_for

        about = {**self._made.run.description.about, "classes": self.classes}
        about["preprocessing"] = self._made.layout.normalisation._asdict()
        network = network_for(model_layout("the model", self.weights, about))
        network.load_state_dict(self.weights)
        return network.to(self._made.run.device).eval()

    @property
    def preprocess(self) -> Preprocess:
        """The transform from PIL images to the network's inputs."""
        return Preprocess(self._made.run.description.about["size"], self._made.layout.normalisation)

    def predict_proba(self, images: Any) -> pd.DataFrame:
        """Return the probability of each class.

        Args:
            images: an image or a list of images: PIL images, arrays, or paths of files.

        Returns:
            One row per image, one column per class.

        Raises:
            DataError: an image cannot be used.
        """
        import pandas as pd
        import torch

        images = list(images) if isinstance(images, list | tuple) else [images]
        preprocess, rows = self.preprocess, []
        with torch.no_grad():
            for start in range(0, len(images), BATCH):
                inputs = preprocess(images[start : start + BATCH]).to(self._made.run.device)
                rows += self.network(inputs).softmax(1).cpu().tolist()
        named = all(isinstance(image, str | Path) for image in images)
        return pd.DataFrame(rows, columns=self.classes, index=list(map(str, images)) if named else None)

    def predict(self, images: Any) -> list[str]:
        """Return the name of the most probable class of each image, see ``predict_proba``."""
        return list(self.predict_proba(images).idxmax(axis=1))

    @cached_property
    def about(self) -> dict[str, Any]:
        """The metadata of the model's file: what it is made from, its evaluation on held-out images, its origin."""
        return self._evaluated(self._made.data.user)

    @property
    def card(self) -> Markdown:
        """The model card, in Markdown."""
        from wsl.evaluation.card import card

        return Markdown(card(f"{self._made.run.name}: {', '.join(self.classes)}", self.about))

    def evaluate(self, images: ImagesLike | None = None) -> pd.DataFrame:
        """Evaluate the model, and baselines that use the same training images, on test images.

        Args:
            images: test images by class, see ``FinishedRun.embed``; images that equal training images are left out.
                None: the images that ``embed`` held out.

        Returns:
            One row per model, the most accurate first: ``accuracy`` with Wilson's 95 % interval ``low`` to ``high``;
            ``loss``, mean cross-entropy in nats (of the model only); number of ``images``; whether it is a
            ``baseline``.

        Raises:
            DataError: there are no test images, or they cannot be used.
        """
        import pandas as pd

        from wsl.evaluation.card import ranking

        about = self.about if images is None else self._evaluated(self._made.data.user.with_test(images))
        if not about["estimates"]:
            raise DataError("no image was held out, so there is nothing to evaluate on; give test images")
        rows = [{"model": label, "loss": None, **scores, "baseline": not own} for label, scores, own in ranking(about)]
        return pd.DataFrame(rows).set_index("model")[["accuracy", "low", "high", "loss", "images", "baseline"]]

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write the model and its card, the same files as those of ``wsl sample``.

        Args:
            path: ``.safetensors``, or ``.pt`` for ``torch.load``; the card has the same name with ``.md`` appended.
            force: replace existing files.

        Returns:
            The path of the model.

        Raises:
            DataError: a file exists or cannot be written.
        """
        from wsl.evaluation.delivery import check_delivery, deliver

        check_delivery(path, self._made.layout, force)
        deliver(path, self.flat, self._made.layout, self._made.counters, self.about, force)
        return Path(path)

    def push_to_hub(self, repository: str, **options: Any) -> str:
        """Send the model and its card to the Hugging Face Hub.

        Args:
            repository: ``owner/name``.
            options: those of ``wsl.hub.pushing.Target``, for example ``private=True``.

        Returns:
            The address of the repository.

        Raises:
            DataError: the libraries of the Hub are not installed, or the Hub refuses.
        """
        from wsl.files.huggingface import hub

        hub()
        from wsl.hub.pushing import Target, push_model

        return push_model((self.weights, self.about), Target(repository, **options))

    def _evaluated(self, user: UserClasses) -> dict[str, Any]:
        from wsl.evaluation.delivery import about_model
        from wsl.sampling.user_classes import UserModel, open_with

        made, description = self._made, self._made.run.description
        with one_thread(), open_with(description, user, made.run.device) as opened:
            model = UserModel(self._flat[SAMPLED], self.classes, user.task, self.loss, self.seed, opened)
            return about_model(model, made.run.path, description, self._flat, made.refine)

    def _facts(self) -> dict[str, Any]:
        made = self._made
        facts: dict[str, Any] = {"run": made.run.name, "sampler": made.run.description.choice.name}
        facts["classes"] = ", ".join(self.classes)
        facts |= {"loss": round(self.loss, 4), "seed": self.seed}
        return {**facts, "refine": made.refine} if made.refine else facts

    def __repr__(self) -> str:
        return as_text("SampledModel", self._facts())

    def _repr_html_(self) -> str:
        table = self.evaluate() if "about" in vars(self) and self.about["estimates"] else None
        return as_html("Sampled model", self._facts(), table)
