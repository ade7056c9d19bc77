"""The encoder `flat`: the weights themselves, to predict results from them."""

from wsl.weights.encoders._described import Described
from wsl.weights.encoders.base import WEIGHT_ENCODERS


@WEIGHT_ENCODERS.register("flat")
class Flat(Described):
    """The weights themselves; for probes, it is not compared as a code that decodes."""

    label, module = "weights", "FlatWeights"
