"""Baselines that return the training member with the most similar dataset, without or with noise."""

from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, Field

from wsl.errors import ConfigError
from wsl.sampling.methods.base import METHODS, Method, sampler_name
from wsl.settings.sections import NonNegativeFloat, Section


class NoisedSettings(Section):
    """The baseline `noised`: the nearest member with noise."""

    noise: NonNegativeFloat | Annotated[str, AfterValidator(sampler_name)] = Field(
        0.1,
        description="standard deviation of the noise relative to that of each named parameter; or the name of a "
        "compared sampler: noise of the L2 norm that its models have, on average, as distance from the nearest "
        "training snapshot",
    )


@METHODS.register("nearest")
class Nearest(Method):
    """The max snapshot of the training member with the most similar dataset, in the class order that fits best.

    If members share tasks whose class order is fixed, it is the best of them by validation loss.
    """

    kind, recalibrate = "baseline", True
    label, colour, marker = "nearest member", "#999999", "D"
    of_members = True

    def __init__(self, settings, run):
        super().__init__(settings, run)
        from wsl.sampling.prompt_members import PromptMembers

        self.members = PromptMembers(run)

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray:
        """Return flat weights (n_weights,), see ``Method.sample``."""
        from wsl.sampling.prompt_members import read_members

        dataset = self.run.class_means.embed([task], images)[0]
        return read_members(self.run, [self.members.nearest(dataset, loss, names=images == 0)])[0]


@METHODS.register("noised")
class Noised(Nearest):
    """The nearest member with noise."""

    Settings = NoisedSettings
    label, marker, line = "nearest member, noised", "d", "--"

    def __init__(self, settings, run):
        super().__init__(settings, run)
        self.length = None  # of the noise; None: not known, or relative to each named parameter
        if isinstance(settings.noise, str):
            import pandas as pd

            self.length = float(pd.read_csv(run.files["novelty"])["l2"].mean())

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray | None:
        """Return flat weights (n_weights,), or None if all models of the sampler are non-finite."""
        from wsl.randomness import stream

        weights, rng = super().sample(task, loss, images, seed), stream(seed, "noise", task)
        if self.length is None:
            return weights + self._noise(weights, rng, self.settings.noise)
        noise = self._noise(weights, rng, 1.0)
        return None if np.isnan(self.length) else weights + np.float32(self.length / np.linalg.norm(noise)) * noise

    def _noise(self, weights: np.ndarray, rng: np.random.Generator, relative: float) -> np.ndarray:
        """Return noise (n_weights,), relative to the deviation of each named parameter; none on running statistics."""
        noise = np.zeros_like(weights)
        for entry in self.run.layout.entries:
            if not entry.running:
                values = weights[entry.columns]
                noise[entry.columns] = relative * values.std() * rng.standard_normal(len(values)).astype(np.float32)
        return noise

    @classmethod
    def check_config(cls, config: Any) -> None:
        noise = config.sampling.of(cls.name).noise
        if isinstance(noise, str) and noise not in config.sampling.samplers:
            raise ConfigError(
                f"sampling.noised.noise: {noise} is not in sampling.samplers, so the distance of its models is not "
                "measured; add it there, or give a number"
            )

    @classmethod
    def files(cls, run: Any, draw: int | str) -> dict[str, Any]:
        noise = cls.own_settings(run).noise
        return {"novelty": run.paths.novelty(noise, 0)} if isinstance(noise, str) else {}
