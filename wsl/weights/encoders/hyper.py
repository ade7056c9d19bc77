"""The encoder `hyper`: hyper-representations of whole networks (Schürholt et al. 2022)."""

from pydantic import Field

from wsl.errors import ConfigError
from wsl.settings.sections import PositiveInt
from wsl.weights.encoders._token_settings import LossPer, TokenSettings
from wsl.weights.encoders.base import WEIGHT_ENCODERS
from wsl.weights.encoders.tokens import tokens_of

MOST = 1024  # tokens of a network


@WEIGHT_ENCODERS.register("hyper")
class Hyper(TokenSettings):
    """A transformer over all tokens of a network, with one latent that a linear map makes of them (Schürholt 2022)."""

    label = "hyper-representation"
    colours = {"uniform": "#882255"}  # noqa: RUF012
    latent: PositiveInt = Field(128, description="size of the weight latent z_W")
    loss: LossPer = Field("parameter", description=TokenSettings.model_fields["loss"].description)

    def check(self, layout):
        super().check(layout)
        tokens = len(tokens_of(layout, self.size, self.norms).places)
        if tokens > MOST:
            raise ConfigError(
                f"weights.encoder: `hyper` reads whole networks of at most {MOST:,} tokens, and those of this zoo have "
                f"{tokens:,}; choose `sane`, which reads windows, raise weights.encoder.size, or set "
                "weights.encoder.norms to shared"
            )

    def module(self, layouts, size, latent):
        about = {"layouts": layouts, "size": size, "latent": latent, "norms": self.norms}
        return self.load({**about, "shape": (self.width, self.depth, self.heads)}, None)

    @classmethod
    def load(cls, about, linear):
        from wsl.weights.encoders._token_hyper import HyperEncoder

        return HyperEncoder(**about)
