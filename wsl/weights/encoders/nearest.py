"""The encoder `nearest`: the training snapshot with the most similar weights, a baseline for reconstructions."""

from wsl.errors import DataError
from wsl.weights.encoders.base import WEIGHT_ENCODERS, WeightEncoder

MOST = 2**28  # numbers of all training snapshots, which the file of the encoder holds


@WEIGHT_ENCODERS.register("nearest")
class Nearest(WeightEncoder):
    """The number of the training snapshot with the most similar weights; a member decodes to that snapshot.

    An encoder that keeps no more of a member than this baseline has learned nothing about it.
    """

    label = "nearest training snapshot"
    colours = {"uniform": "#999999"}  # noqa: RUF012

    def prepare(self, data):
        from wsl.weights.encoders._features import prepare
        from wsl.weights.encoders._nearest import NearestSnapshot

        training = data.training
        if (numbers := len(training) * training.layout.size) > MOST:
            raise DataError(
                f"weights.encoder: `nearest` holds all training snapshots, here {numbers:,} numbers, at most {MOST:,}; "
                "leave it out, lower zoo.training, or store fewer snapshots per member"
            )
        module = NearestSnapshot(training.layout, len(training))
        module.known.copy_(training.weights(range(len(training))))
        module.units.fit(module.known, "per-parameter", training.layout.owners)
        return prepare(module, data)

    @classmethod
    def load(cls, about, linear):
        from wsl.weights.encoders._nearest import NearestSnapshot

        return NearestSnapshot(linear.layout, **about)
