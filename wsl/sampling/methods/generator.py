"""The generator: one body for all tasks, a head inferred for each task, scaled to the requested loss."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from wsl.files.plain import Files
from wsl.jobs.job import Job
from wsl.sampling.methods.base import METHODS, Method
from wsl.sampling.settings import BodySettings
from wsl.settings.sections import NonNegativeFloat, PositiveInt, Section


class GeneratorSettings(Section):
    """The sampler `generator`: one body for all tasks, a head inferred for each task, scaled to the requested loss."""

    body: BodySettings = BodySettings()
    image_counts: Annotated[list[PositiveInt], Field(min_length=1)] = Field(
        [1, 2, 5, 10, 20, 50, 100, 200],
        description="numbers of images per class for which it learns to infer heads, at most as many as the smallest "
        "class has; also class names, where datasets.prompts is set",
    )
    names: bool = Field(
        False,
        description="also use class names besides images; needs datasets.prompts, and helps where CLIP knows them",
    )
    temperature: NonNegativeFloat = Field(
        0.0, description="spread of heads between samples; 0: the most likely head, 1: the full posterior"
    )


@METHODS.register("generator")
class Generator(Method):
    """The body with a head inferred from the task's images or class names."""

    kind = "sampler"
    recalibrate = False  # the body has statistics of its own
    Settings = GeneratorSettings
    label, colour = "generator", "#D55E00"
    remark = (
        "The sampler `generator` reaches a loss only by rescaling its logits: another request changes the model's "
        "confidence, but not its accuracy."
    )
    learned = True
    fit, history = "fit_generator", False
    at_sampling = ("temperature",)

    def __init__(self, settings, run):
        super().__init__(settings, run)
        from wsl.sampling.generator import HeadGenerator

        self.heads = HeadGenerator(run.files["fitted"], run, settings.temperature)

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        """Return flat weights (n_weights,), see ``Method.sample``.

        Raises:
            ValueError: no images and no names, or nothing fitted for names.
        """
        return self.heads.sample(task, loss, images, seed)

    @classmethod
    def fit_files(cls, run: Any, draw: int | str) -> dict[str, Any]:
        names = run.known_classes
        files = {"class_means": [*map(run.paths.class_mean, names)], "packed": [*map(run.paths.packed, names)]}
        return {"body": run.paths.body, **files}

    @classmethod
    def fit_values(cls, run: Any) -> dict[str, Any]:
        own = cls.own_settings(run)
        return {"known": run.known_classes, "counts": [0, *own.image_counts], "names": own.names}


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
        out: safetensors file that holds the body too.
        known: names of the classes to fit to, without unseen ones.
        counts: numbers of images per class; 0 means names, and is left out where classes have no text.
        names: also infer from a class's name besides its images.
        job: its seed is that of random subsets, folds and tasks.
    """
    from wsl.sampling.generator import infer_heads

    infer_heads(body, class_means, packed, out, known, counts, names, job)
