"""The encoder `vq`: chunks of weights as entries of a codebook, a VQ-VAE (Bedionita et al. 2025, IGPG)."""

from importlib.util import find_spec
from typing import Annotated, Literal

from pydantic import Field

from wsl.errors import ConfigError
from wsl.files.packages import install_hint
from wsl.settings.sections import NonNegativeFloat, PositiveFloat, PositiveInt, Whole
from wsl.weights.encoders.base import WEIGHT_ENCODERS, TrainedEncoder


@WEIGHT_ENCODERS.register("vq")
class Vq(TrainedEncoder):
    """A VQ-VAE over chunks of weights: z_W are entries of a codebook, so that a network is a sequence of codes."""

    label = "VQ-VAE"
    colours = {"uniform": "#8C564B"}  # noqa: RUF012
    per_token = True
    cut: Literal["channels", "flat"] = Field(
        "channels",
        description="chunks within output channels, with the last one padded, or of the flat weights, whatever the "
        "layers (IGPG)",
    )
    size: PositiveInt = Field(64, description="numbers per chunk")
    codes: PositiveInt = Field(1, description="codes per chunk")
    entries: Annotated[Whole, Field(ge=2)] = Field(512, description="entries of the codebook")
    dim: PositiveInt = Field(16, description="numbers per entry of the codebook; z_W has as many per code")
    width: Annotated[Whole, Field(ge=4, multiple_of=4)] = Field(64, description="width of the two transformers")
    depth: PositiveInt = Field(2, description="blocks of each transformer")
    quantiser: Literal["nearest", "gumbel"] = Field(
        "nearest",
        description="entries in training: the nearest, or drawn by their distances (IGPG); later always the nearest",
    )
    temperature: PositiveFloat = Field(
        1.0, description="of drawn entries (`gumbel`), at the start; it falls linearly to 0 over the epochs"
    )
    commitment: NonNegativeFloat = Field(0.25, description="weight of the distances of chunks to their entries")
    restart: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="an entry with less than this fraction of the mean use becomes a random chunk; 0: none does"
    )
    balance: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5,
        description="weights of the errors: named parameters by their sizes to the power of 1 - `balance`; 0: all "
        "numbers alike; 1: all named parameters alike",
    )

    def check(self, layout):
        if find_spec("vector_quantize_pytorch") is None:
            raise ConfigError(
                f"weights.encoder: vq needs the package vector-quantize-pytorch to be fitted; {install_hint('methods')}"
            )

    def prepare(self, data):
        from wsl.weights.encoders._vq_training import prepare

        return prepare(data, self)

    @classmethod
    def load(cls, about, linear):
        from wsl.weights.encoders._vq import VqEncoder

        return VqEncoder(**about)
