"""A baseline that has the scale of a sampler's weights, and nothing else of them."""

from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, Field

from wsl.errors import ConfigError
from wsl.sampling.methods.base import METHODS, Files, Method, sampler_name
from wsl.settings.sections import Section


class ShuffledSettings(Section):
    """The baseline `shuffled`: the models of a sampler with the numbers of each named parameter in random order."""

    of: Annotated[str, AfterValidator(sampler_name)] | None = Field(
        None, description="a compared sampler; empty: the baseline is not compared"
    )


@METHODS.register("shuffled")
class Shuffled(Method):
    """A sampler's model with the numbers of each named parameter in random order.

    Fine-tuning depends on the scale of the weights that it starts from. A sampler that is not better than this baseline
    after fine-tuning offers a better scale than random weights, and no more.
    """

    Settings = ShuffledSettings
    kind, recalibrate = "baseline", True
    label, colour, marker, line = "a sampler's model, shuffled", "#999999", "*", "--"

    def __init__(self, settings: Any, run: Any):
        super().__init__(settings, run)
        self.sampler = run.method(settings.of, run.choice.others[settings.of])

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray | None:
        """Return flat weights (n_weights,), running statistics as sampled, or None where the sampler returns it."""
        from wsl.randomness import stream

        weights = self.sampler.sample(task, loss, images, seed)
        if weights is None:
            return None
        shuffled, rng = weights.copy(), stream(seed, "shuffled", task)
        for entry in self.run.layout.entries:
            if not entry.running:
                shuffled[entry.columns] = rng.permutation(weights[entry.columns])
        return shuffled

    @classmethod
    def applies(cls, run: Any) -> bool:
        return cls.own_settings(run).of is not None

    @classmethod
    def check_config(cls, config: Any) -> None:
        sampler = config.sampling.of(cls.name).of
        if sampler is not None and sampler not in config.sampling.samplers:
            raise ConfigError(
                f"sampling.shuffled.of: {sampler} is not in sampling.samplers; add it there, or leave this empty"
            )

    @classmethod
    def builds_on(cls, run: Any) -> list[str]:
        return [cls.own_settings(run).of]

    @classmethod
    def files(cls, run: Any, draw: int | str) -> Files:
        return METHODS[cls.own_settings(run).of].files(run, 0)
