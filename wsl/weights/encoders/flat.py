"""The encoder `flat`: the weights themselves, to predict results from them."""

from wsl.weights.encoders.base import WEIGHT_ENCODERS, WeightEncoder


@WEIGHT_ENCODERS.register("flat")
class Flat(WeightEncoder):
    """The weights themselves; for probes, it is not compared as a code that decodes."""

    label = "weights"
    decodes = False

    def prepare(self, data):
        from wsl.weights.encoders._features import FlatWeights, prepare

        return prepare(FlatWeights(data.training.layout), data)

    @classmethod
    def load(cls, about, linear):
        from wsl.weights.encoders._features import FlatWeights

        return FlatWeights(linear.layout, **about)
