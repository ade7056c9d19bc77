"""Small vision transformers, built by timm."""

from __future__ import annotations

from math import isqrt
from typing import Annotated, Self

from pydantic import Field, model_validator

from wsl.errors import ConfigError, DataError
from wsl.settings.sections import PositiveFloat, PositiveInt
from wsl.zoo.architectures.base import ARCHITECTURES, Architecture, Channels, Recognised

HEADLESS = "the number of attention heads of these networks is not known; import the zoo again, with --set heads=N"


@ARCHITECTURES.register("vit")
class Vit(Architecture):
    """Vision transformer (Dosovitskiy et al. 2021) of any size, with timm's names of parameters."""

    patch: PositiveInt = Field(4, description="side of a patch in pixels; divides the side of the images")
    width: PositiveInt = Field(32, description="size of a token, a multiple of `heads`")
    depth: PositiveInt = Field(2, description="number of blocks")
    heads: PositiveInt | None = Field(
        2, description="attention heads per block; empty: not known, only in networks that others trained"
    )
    mlp_ratio: PositiveFloat = Field(2.0, description="units of a block's hidden layer per size of a token")
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        0.0, description="dropout rate; empty: not known, only in networks that others trained; acts as 0"
    )
    head_hidden: PositiveInt | None = Field(
        None, description="units of a hidden layer with ReLU between the features and the logits; empty: none"
    )
    channels: Channels = 3

    nonlinearity = "gelu"
    unseen = ("heads", "dropout")
    later = {"channels": 3, "head_hidden": None}  # noqa: RUF012
    libraries = ("torch", "timm")

    @model_validator(mode="after")
    def _heads_share_a_token(self) -> Self:
        if self.width % (self.heads or 1):
            raise ValueError(f"width: {self.width} is not a multiple of heads, {self.heads}; change one of them")
        return self

    def check(self, size):
        if self.heads is None:
            raise ConfigError("zoo.architecture.heads: not given; give the number of attention heads")
        if size % self.patch:
            raise ConfigError(
                f"zoo.architecture.patch: images of {size} pixels cannot be cut into patches of {self.patch}; choose a "
                f"divisor, or set images.size to a multiple of {self.patch}"
            )

    def build(self, classes, size):
        from timm.models.vision_transformer import VisionTransformer
        from torch import nn

        if self.heads is None:
            raise DataError(HEADLESS)
        self.check(size)
        network = VisionTransformer(
            img_size=size,
            patch_size=self.patch,
            in_chans=self.channels,
            num_classes=classes,
            embed_dim=self.width,
            depth=self.depth,
            num_heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            drop_rate=self.dropout or 0.0,
            proj_drop_rate=self.dropout or 0.0,
        )
        if self.head_hidden is not None:
            layers = nn.Linear(self.width, self.head_hidden), nn.ReLU(), nn.Linear(self.head_hidden, classes)
            network.head = nn.Sequential(*layers)
        return network

    def _built_layout(self, classes, size):
        known = self if self.heads else self.model_copy(update={"heads": 1})  # names and shapes do not depend on it
        return Architecture._built_layout(known, classes, size)._replace(architecture=self.text())

    @classmethod
    def own_names(cls, names):
        return {name: name.removeprefix("vit.") for name in names}  # of the ViT model zoo (Falk et al. 2025)

    @classmethod
    def recognise(cls, shapes):
        patches, places = shapes.get("patch_embed.proj.weight", ()), shapes.get("pos_embed", ())
        hidden = shapes.get("blocks.0.mlp.fc1.bias", ())
        first = shapes.get("head.0.weight", ())  # of two layers
        head = shapes.get("head.2.weight" if first else "head.weight", ())
        if [len(shape) for shape in (patches, places, hidden, head)] != [4, 3, 1, 2] or places[1] < 2:
            return None
        width, patch, (units,) = patches[0], patches[-1], hidden
        ratio = next((ratio for ratio in (units / width, (units + 0.5) / width) if int(width * ratio) == units), 1.0)
        depth = len({name.split(".")[1] for name in shapes if name.startswith("blocks.")})
        settings = {"patch": patch, "width": width, "depth": depth, "mlp_ratio": ratio}
        settings |= {"heads": None, "dropout": None, "head_hidden": first[0] if first else None}
        settings |= {"channels": patches[1]} if patches[1] == 1 else {}
        network = Recognised(cls(**settings), head[0], isqrt(places[1] - 1) * patch)
        return network if shapes == {entry.name: entry.shape for entry in network.layout.entries} else None
