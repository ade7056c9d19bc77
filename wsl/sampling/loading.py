"""Open the files of a run and load methods over them."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field

from wsl.datasets.class_means import ClassMeansByCount
from wsl.images.inputs import mixed_images
from wsl.images.tasks import TaskImages
from wsl.sampling.features import BodyFeatures
from wsl.sampling.methods.base import METHODS, Method
from wsl.sampling.prompt_members import PromptSettings
from wsl.sampling.recalibration import Recalibration
from wsl.settings.sections import Section
from wsl.weights.codec import WeightCodec, load_codec
from wsl.zoo.index import Zoo, open_zoo
from wsl.zoo.layout import Layout
from wsl.zoo.network import flatten, state_dict
from wsl.zoo.recognition import architecture_of

REFERENCE = 240  # images of the mixture for batch-normalisation statistics
State = dict[str, torch.Tensor]


class MethodFiles:
    """Input files of every job that loads a method.

    Args:
        index: of the training members.
        class_means: one file per class, or a list of them.
        packed: packed images, one file per class, or a list of them.
        bins: outcome bins.
        held_out: indices of held-out members.
        others: the files of ``Method.files``, by name: ``files["encoder"]``.
    """

    def __init__(
        self,
        index: str | Path,
        class_means: Any,
        packed: Any,
        bins: str | Path,
        held_out: Sequence[str | Path] = (),
        **others: Any,
    ):
        self.index, self.class_means, self.packed, self.bins = index, class_means, packed, bins
        self.held_out, self.others = held_out, others

    def __getitem__(self, name: str) -> Any:
        return self.others[name]

    def all(self) -> dict[str, Any]:
        """Return all files by name, except those of held-out members."""
        common = {key: getattr(self, key) for key in ("index", "class_means", "packed", "bins")}
        return common | self.others

    def __contains__(self, name: object) -> bool:
        return name in self.others


class Choice(Section):
    """The method that a job loads."""

    name: str  # of the method
    draw: int = 0  # number of its fit
    settings: dict[str, Any] = Field(default_factory=dict)  # see ``Method.Settings``
    known: list[str]  # classes that the zoo saw; their training images are the reference of ``Recalibration``
    recalibrate: bool = True  # re-estimate batch-normalisation statistics for methods with ``Method.recalibrate``
    prompt_members: PromptSettings = PromptSettings()  # of methods with ``Method.from_prompts``
    others: dict[str, dict[str, Any]] = Field(default_factory=dict)  # settings of methods, see ``Method.builds_on``


class OpenRun:
    """A context manager that opens the files of a run once for all methods.

    Attributes:
        zoo: the training members.
        layout: of flat weights.
        images: of all classes.
        class_means: dataset embeddings from any number of images.
        recalibration: re-estimates statistics; None if the run does not, or networks have none.
        member: the held-out member that references are asked for; None: any with the task.
    """

    def __init__(self, files: MethodFiles, choice: Choice, device: str = "cpu"):
        self.files, self.choice, self.device = files, choice, device
        self.member: int | None = None
        self.images, self.class_means = TaskImages(files.packed), ClassMeansByCount(files.class_means)
        self._frozen: dict[str, tuple[State, BodyFeatures]] = {}

    def __enter__(self) -> "OpenRun":
        self._stack = ExitStack()
        self.zoo = self._stack.enter_context(open_zoo(self.files.index))
        self.layout = self.zoo.layout
        self.recalibration = None
        if self.choice.recalibrate and self.layout.normalises:
            known = [self.images.files[name] for name in self.choice.known]
            reference = torch.empty(0)  # of a run that was pushed without its images
            if known:
                reference = mixed_images(known, max(1, REFERENCE // len(known)), seed=0)
            self.recalibration = Recalibration(self.layout, reference, device=self.device)
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    def load(self) -> Method:
        """Return the chosen method, with re-estimated batch-normalisation statistics if it needs them."""
        return self.recalibrated(self.load_as_decoded())

    def load_as_decoded(self) -> Method:
        """Return the chosen method with batch-normalisation statistics as decoded."""
        return self.method(self.choice.name, self.choice.settings)

    def method(self, name: str, settings: dict[str, Any] | None = None) -> Method:
        """Return any method, with statistics as decoded."""
        entry = METHODS[name]
        return entry(entry.Settings.model_validate(settings or {}), self)

    def recalibrated(self, method: Method) -> Any:
        """Return the method with re-estimated statistics if it needs them, and with weights that training can reach."""
        if self.layout.frozen is not None:
            method = Attainable(method, self.layout)
        if self.recalibration is None or not method.recalibrate:
            return method
        return Recalibrated(method, self.images, self.recalibration)

    @cached_property
    def held_out(self) -> list[Zoo]:
        """The zoos of held-out members."""
        return [self._stack.enter_context(open_zoo(path)) for path in self.files.held_out]

    @cached_property
    def codec(self) -> WeightCodec:
        """The weight encoder."""
        return load_codec(self.files.index, self.files["pca"], self.files["encoder"])

    @property
    def counters(self) -> np.ndarray:
        """Integer buffers (n_counters,) of sampled models, see ``Zoo.typical_counters``."""
        return self.zoo.typical_counters

    def decode(self, codes: np.ndarray, space: str) -> np.ndarray:
        """Return flat weights (n, n_weights) of codes (n, code) in the space ``latent`` or ``coefficients``."""
        return self.codec.decode(codes) if space == "latent" else self.codec.linear.decode(codes)

    def frozen(self, name: str, read: Callable[["OpenRun"], State]) -> tuple[State, BodyFeatures]:
        """Return a state dict and its features of images, cached for all methods that freeze the same body."""
        if name not in self._frozen:
            state = read(self)
            self._frozen[name] = state, BodyFeatures(state, self.layout, self.images, self.device)
        return self._frozen[name]


class Attainable:
    """A method of which each model is replaced by the nearest that training can reach, see ``Architecture``."""

    def __init__(self, method: Method, layout: Layout):
        self.method, self.layout, self.recalibrate = method, layout, method.recalibrate

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray | None:
        """Return flat weights (n_weights,), see ``Method.sample``."""
        weights = self.method.sample(task, loss, images, seed)
        if weights is None:
            return None
        state = architecture_of(self.layout).attainable(state_dict(weights, self.layout))
        return flatten(state, self.layout)[0]


class Recalibrated:
    """A method whose models get batch-normalisation statistics re-estimated from the images that may be used."""

    def __init__(self, method: Method, images: TaskImages, recalibration: Recalibration):
        self.method, self.images, self.recalibration = method, images, recalibration

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray | None:
        """Return flat weights (n_weights,), see ``Method.sample``."""
        weights = self.method.sample(task, loss, images, seed)
        return None if weights is None else self.recalibration(weights, self.images.of_task(task, images)[0])
