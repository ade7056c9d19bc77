"""Small vision transformers, built by timm."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from wsl.errors import ConfigError
from wsl.settings.sections import PositiveFloat, PositiveInt
from wsl.zoo.architectures.base import ARCHITECTURES, Architecture, Channels


@ARCHITECTURES.register("vit")
class Vit(Architecture):
    """Vision transformer (Dosovitskiy et al. 2021) of any size, with timm's names of parameters."""

    patch: PositiveInt = Field(4, description="side of a patch in pixels; divides the side of the images")
    width: PositiveInt = Field(32, description="size of a token, a multiple of `heads`")
    depth: PositiveInt = Field(2, description="number of blocks")
    heads: PositiveInt = Field(2, description="attention heads per block")
    mlp_ratio: PositiveFloat = Field(2.0, description="units of a block's hidden layer per size of a token")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="dropout rate")
    channels: Channels = 3

    nonlinearity = "gelu"
    later = {"channels": 3}  # noqa: RUF012
    libraries = ("torch", "timm")

    @model_validator(mode="after")
    def _heads_share_a_token(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width: {self.width} is not a multiple of heads, {self.heads}; change one of them")
        return self

    def check(self, size):
        if size % self.patch:
            raise ConfigError(
                f"zoo.architecture.patch: images of {size} pixels cannot be cut into patches of {self.patch}; choose a "
                f"divisor, or set images.size to a multiple of {self.patch}"
            )

    def build(self, classes, size):
        from timm.models.vision_transformer import VisionTransformer

        self.check(size)
        return VisionTransformer(
            img_size=size,
            patch_size=self.patch,
            in_chans=self.channels,
            num_classes=classes,
            embed_dim=self.width,
            depth=self.depth,
            num_heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            drop_rate=self.dropout,
            proj_drop_rate=self.dropout,
        )
