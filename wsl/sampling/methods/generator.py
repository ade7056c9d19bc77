"""The generator: one body for all tasks, a head inferred for each task, scaled to the requested loss."""

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from wsl.errors import ConfigError
from wsl.sampling.methods.base import METHODS, Method
from wsl.sampling.settings import BodySettings
from wsl.settings.sections import NonNegativeFloat, PositiveInt, Section


class GeneratorSettings(Section):
    """The sampler `generator`: one body for all tasks, a head inferred for each task, scaled to the requested loss."""

    body: BodySettings = BodySettings()
    image_counts: Annotated[list[PositiveInt], Field(min_length=1)] = Field(
        [1, 2, 5, 10, 20, 50, 100, 200],
        description="numbers of images per class for which it learns to infer heads, at most as many as the smallest "
        "class has; with datasets.prompts it also learns to infer heads from class names",
    )
    names: bool = Field(
        False,
        description="also use class names in addition to images; needs datasets.prompts, and helps if CLIP knows the "
        "names",
    )
    temperature: NonNegativeFloat = Field(
        0.0, description="spread of heads between samples; 0: the most likely head, 1: the full posterior"
    )


@METHODS.register("generator")
class Generator(Method):
    """The body with a head inferred from the task's images or class names."""

    kind = "sampler"
    recalibrate = False  # `fit_body` estimates the body's statistics
    Settings = GeneratorSettings
    label, colour = "generator", "#D55E00"
    remark = (
        "The sampler `generator` reaches a loss only by rescaling its logits: another request changes the model's "
        "confidence, but not its accuracy."
    )
    learned = one_body = True
    fit, history = "wsl.sampling.generator.fit_generator", False
    at_sampling = ("temperature",)

    def __init__(self, settings, run):
        super().__init__(settings, run)
        from wsl.sampling.generator import HeadGenerator

        self.heads = HeadGenerator(run.files["fitted"], run, settings.temperature)

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        """Return flat weights (n_weights,), see ``HeadGenerator.sample``."""
        return self.heads.sample(task, loss, images, seed)

    @classmethod
    def check(cls, layout: Any) -> None:
        if len(layout.head) != 2:
            raise ConfigError(
                "sampling.samplers: `generator` infers weight and bias of a head, and heads of these networks have no "
                "bias; remove it, or choose another zoo.architecture"
            )

    @classmethod
    def fit_files(cls, run: Any, draw: int | str) -> dict[str, Any]:
        names = run.known_classes
        files = {"class_means": [*map(run.paths.class_mean, names)], "packed": [*map(run.paths.packed, names)]}
        return {"body": run.paths.body, **files}

    @classmethod
    def fit_values(cls, run: Any) -> dict[str, Any]:
        settings = cls.own_settings(run)
        return {"known": run.known_classes, "counts": [0, *settings.image_counts], "names": settings.names}
