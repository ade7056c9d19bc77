"""The encoder `statistics`: layer statistics, which predict results well (Unterthiner et al. 2020)."""

from wsl.weights.encoders._described import Described
from wsl.weights.encoders.base import WEIGHT_ENCODERS


@WEIGHT_ENCODERS.register("statistics")
class Statistics(Described):
    """Mean, variance and quantiles of each named parameter (Unterthiner et al. 2020); for probes, it cannot decode."""

    label, module = "layer statistics", "LayerStatistics"
