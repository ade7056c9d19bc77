"""The encoder `statistics`: layer statistics, which predict results well (Unterthiner et al. 2020)."""

from wsl.weights.encoders.base import WEIGHT_ENCODERS, WeightEncoder


@WEIGHT_ENCODERS.register("statistics")
class Statistics(WeightEncoder):
    """Mean, variance and quantiles of each named parameter (Unterthiner et al. 2020); for probes, it cannot decode."""

    label = "layer statistics"
    decodes = False

    def prepare(self, data):
        from wsl.weights.encoders._features import LayerStatistics, prepare

        return prepare(LayerStatistics(data.training.layout), data)

    @classmethod
    def load(cls, about, linear):
        from wsl.weights.encoders._features import LayerStatistics

        return LayerStatistics(linear.layout, **about)
