"""The encoder `noise`: the weights with noise, a scale for reconstructions."""

from pydantic import Field

from wsl.settings.sections import NonNegativeFloat
from wsl.weights.encoders.base import WEIGHT_ENCODERS, WeightEncoder


@WEIGHT_ENCODERS.register("noise")
class Noise(WeightEncoder):
    """The weights of a member with noise: on the bench it shows how much error the outputs of networks tolerate."""

    label = "weights with noise"
    colours = {"uniform": "#BBBBBB"}  # noqa: RUF012
    strength: NonNegativeFloat = Field(
        0.1,
        description="standard deviation of the noise, relative to the root mean square of each named parameter of the "
        "network; running statistics get none",
    )

    def prepare(self, data):
        from wsl.weights.encoders._features import prepare
        from wsl.weights.encoders._noise import NoisyWeights

        return prepare(NoisyWeights(data.training.layout, self.strength, data.job.seed), data)

    @classmethod
    def load(cls, about, linear):
        from wsl.weights.encoders._noise import NoisyWeights

        return NoisyWeights(linear.layout, **about)
