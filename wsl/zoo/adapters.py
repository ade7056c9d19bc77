"""Settings of adapters: small trained parts on a frozen network."""

from typing import Self

from pydantic import Field, model_validator

from wsl.settings.sections import PositiveFloat, PositiveInt, Section


class Lora(Section):
    """Low-rank changes of matrices (Hu et al. 2022), with a head."""

    rank: PositiveInt | None = Field(None, description="rank of the change of each adapted matrix; empty: no adapters")
    alpha: PositiveFloat | None = Field(
        None, description="scale of the changes, which are multiplied by alpha / rank during training; empty: `rank`"
    )
    targets: list[str] | str | None = Field(
        None,
        description="adapted modules: names or ends of names (`[attn.qkv, mlp.fc1]`), or a regular expression for the "
        "whole name, as in peft; empty: all linear layers except the head, and all 1x1 convolutions without groups",
    )

    @model_validator(mode="after")
    def _has_a_rank(self) -> Self:
        if self.rank is None and (self.alpha or self.targets):
            raise ValueError("rank: adapters need one; set it, or remove alpha and targets")
        return self


class Adapter(Section):
    """Members that are adapters and heads on one frozen backbone."""

    lora: Lora = Lora()
