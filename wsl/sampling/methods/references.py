"""References: the held-out members as trained, and encoded and decoded."""

from typing import Any

import numpy as np

from wsl.sampling.methods.base import METHODS, Method, codec_files


@METHODS.register("trained")
class Trained(Method):
    """The held-out members, each trained on all training images of its task."""

    kind, recalibrate = "reference", False
    label, colour, marker = "trained on the task", "black", "P"
    uses_images = False

    def __init__(self, settings, run):
        super().__init__(settings, run)
        self.rows: dict[str, dict[int, tuple[Any, int]]] = {}  # by task and member
        for zoo in run.held_out:
            for row in zoo.trained:
                task, member = zoo.snapshots.loc[row, ["task", "member"]]
                self.rows.setdefault(task, {})[int(member)] = (zoo, int(row))

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray | None:
        """Return the member's weights, or None if it diverged."""
        from wsl.zoo.index import read_snapshot

        members = self.rows.get(task, {})
        # Several members may have one task, as in a zoo of one data set.
        row = next(reversed(members.values()), None) if self.run.member is None else members.get(self.run.member)
        return read_snapshot(*row) if row else None


@METHODS.register("reconstructed")
class Reconstructed(Trained):
    """The held-out members, encoded and decoded: shows the loss from compression alone."""

    recalibrate = True
    label, marker, line = "trained, reconstructed", "X", "--"

    def sample(self, task: str, loss: float, images: int | None = None, seed: int = 0) -> np.ndarray | None:
        """Return the decoded weights, or None if the member diverged."""
        weights = super().sample(task, loss, images, seed)
        if weights is None:
            return None
        return self.run.codec.decode(self.run.codec.encode(weights[None]))[0]

    @classmethod
    def files(cls, run: Any, draw: int | str) -> dict[str, Any]:
        return codec_files(run)
