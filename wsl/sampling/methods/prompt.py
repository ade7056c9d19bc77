"""Baselines from prompt members: one as it is, and a mix of two. See ``wsl.sampling.prompt_members``."""

from abc import abstractmethod
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from wsl.sampling.methods.base import METHODS, Method
from wsl.settings.sections import Section


class InterpolationSettings(Section):
    """The baseline `interpolation`: the weights of two prompt members, mixed."""

    place: Literal["halfway", "uniform"] = Field(
        "halfway", description="place on the line between both: in the middle, or uniformly random"
    )


class FromPrompts(Method):
    """A baseline from the first prompt members of a request.

    Attributes:
        members: their number.
    """

    kind, recalibrate = "baseline", True
    colour = "#999999"
    from_prompts = of_members = True
    members: ClassVar[int]

    def __init__(self, settings: Any, run: Any):
        super().__init__(settings, run)
        from wsl.sampling.prompt_members import PromptMembers

        self.prompts = PromptMembers(run)

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray | None:
        """Return flat weights (n_weights,), or None if the zoo has fewer members."""
        from wsl.sampling.prompt_members import read_members

        dataset, settings = self.run.class_means.embed([task], images)[0], self.run.choice.prompt_members
        chosen = self.prompts.choose(dataset, loss, seed, settings, images == 0, self.members)[: self.members]
        return self.mixed(read_members(self.run, chosen), seed) if len(chosen) == self.members else None

    @abstractmethod
    def mixed(self, weights: np.ndarray, seed: int) -> np.ndarray:
        """Return flat weights (n_weights,) from those of the prompt members (members, n_weights)."""

    @classmethod
    def applies(cls, run: Any) -> bool:
        return any(METHODS[name].from_prompts for name in run.config.sampling.samplers)


@METHODS.register("prompt")
class Prompt(FromPrompts):
    """A prompt member as it is; fine-tuning trains it on."""

    label, marker, line = "prompt member", "h", "-."
    members = 1

    def mixed(self, weights: np.ndarray, seed: int) -> np.ndarray:
        return weights[0]


@METHODS.register("interpolation")
class Interpolation(FromPrompts):
    """A point on the line between two prompt members."""

    Settings = InterpolationSettings
    label, marker, line = "interpolation of two members", "p", "-."
    members = 2

    def mixed(self, weights: np.ndarray, seed: int) -> np.ndarray:
        from wsl.randomness import stream

        place = 0.5 if self.settings.place == "halfway" else stream(seed, "interpolation").uniform()
        return np.float32((1 - place) * weights[0] + place * weights[1])
