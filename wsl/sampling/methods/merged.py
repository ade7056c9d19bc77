"""Baselines on merged bodies: each way to merge of ``wsl.sampling.merging`` with each kind of head."""

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from wsl.sampling.merging.base import MERGES, Merge
from wsl.sampling.methods.base import METHODS, Files, Method
from wsl.sampling.methods.constant import start_file
from wsl.sampling.methods.task_heads import FrozenBody, Probe, Prototypes

if TYPE_CHECKING:
    from wsl.sampling.features import BodyFeatures
    from wsl.zoo.network import State


def _compared(run: Any, merge: type[Merge], head: str) -> bool:
    merging = run.config.sampling.merging
    has_bias = len(run.layout.head) == 2
    return has_bias and merge.name in merging.methods and head in merging.heads


class OnMergedBody(FrozenBody):
    """Prototypes or a probe on a merged body."""

    merge: ClassVar[type[Merge]]
    uses_zoo = True

    def __init__(self, settings: Any, run: Any):
        Method.__init__(self, settings, run)
        from wsl.sampling.merged_body import MergedBody

        self.merged = MergedBody(run, run.files["merged"])

    def body_for(self, task: str, images: int | None) -> tuple["State", "BodyFeatures"]:
        return self.merged.of_task(task, images)

    @classmethod
    def files(cls, run: Any, draw: int | str) -> Files:
        return {"merged": run.paths.merged(cls.merge.name), **(start_file(run) if cls.merge.by_task else {})}


class InferenceOnMergedBody(Method):
    """The generator's inference of heads on a merged body."""

    merge: ClassVar[type[Merge]]
    kind, recalibrate = "baseline", False
    fit, history = "wsl.sampling.generator.fit_generator", False

    def __init__(self, settings: Any, run: Any):
        super().__init__(settings, run)
        from wsl.sampling.generator import HeadGenerator

        self.heads = HeadGenerator(run.files["fitted"], run, temperature=0.0)

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray | None:
        """Return flat weights (n_weights,), or None without images if the inference was not fitted to names."""
        return None if images == 0 and 0 not in self.heads.inferences else self.heads.sample(task, loss, images, seed)

    @classmethod
    def fit_files(cls, run: Any, draw: int | str) -> Files:
        return {**METHODS["generator"].fit_files(run, draw), "body": run.paths.merged(cls.merge.name)}

    @classmethod
    def fit_values(cls, run: Any) -> dict[str, Any]:
        return METHODS["generator"].fit_values(run)


HEADS = {
    "prototypes": ("prototypes on", "Prototypes on", "#4D4D4D", OnMergedBody, Prototypes),
    "probe": ("probe on", "A probe on", "#808080", OnMergedBody, Probe),
    "inference": ("inferred head on", "An inferred head on", "#B3B3B3", InferenceOnMergedBody),
}


def add_baselines(merge: type[Merge]) -> None:
    """Register the baselines on the bodies of a way to merge.

    A body for each task has no inferred heads: their regression would have to be fitted for each task.
    """
    for head, (label, sentence, colour, *bases) in HEADS.items():
        if merge.by_task and head == "inference":
            continue
        attributes = {
            "merge": merge,
            "applies": classmethod(lambda cls, run, head=head: _compared(run, cls.merge, head)),
            "label": f"{label} {merge.label}",
            "card_label": "",
            "colour": colour,
            "marker": merge.marker,
            "line": ":",
            "own_images": None,
            "one_body": not merge.by_task,
            "__doc__": f"{sentence} the merged body of `{merge.name}`.",
            "__module__": merge.__module__,
        }
        METHODS.register(f"{merge.name}-{head}")(type(f"{merge.__name__}{head.title()}", tuple(bases), attributes))


MERGES.tell(add_baselines)
