"""A baseline in one file: the median of the training members."""

import numpy as np

from wsl.sampling.methods.base import METHODS, Method
from wsl.zoo.index import read_snapshot


@METHODS.register("toy-median")
class Median(Method):
    """The median of the training members' max snapshots."""

    kind, recalibrate = "baseline", True
    label, colour, marker = "toy median of the zoo", "#777777", "p"

    def __init__(self, settings, run):
        super().__init__(settings, run)
        self.weights = np.median([read_snapshot(run.zoo, row) for row in run.zoo.trained], axis=0).astype(np.float32)

    def sample(self, task, loss, images=None, seed=0):
        return self.weights
