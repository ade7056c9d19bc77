"""Low-rank adapters of a frozen network (LoRA, Hu et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from wsl.errors import DataError
from wsl.settings.sections import PositiveInt, one_of
from wsl.zoo import adapters
from wsl.zoo.architectures.base import ARCHITECTURES, Architecture

if TYPE_CHECKING:
    import torch
    from torch import nn

    from wsl.zoo.layout import Layout


@ARCHITECTURES.register("lora")
class Lora(Architecture, adapters.Lora):
    """Low-rank adapters and a head on a frozen network; set by `zoo.adapter`.

    The weights of such a network are the *changes* of the adapted matrices, B A alpha / rank, with the matrices'
    shapes, and the head. Any factors B and A with the same product are the same network. Everything else is frozen: it
    comes from the file ``Layout.frozen``, and is not in state dicts.
    """

    rank: PositiveInt = Field(4, description="rank of the change of each adapted matrix")
    base: one_of(ARCHITECTURES, "resnet18") = Field(description="the frozen network")

    @model_validator(mode="after")
    def _base_is_whole(self) -> Self:
        if self.base.whole is not self.base:
            raise ValueError("base: give a whole network, not adapters")
        return self

    @property
    def sized(self):
        """Whether shapes depend on the size of images."""
        return self.base.sized

    @property
    def nonlinearity(self):
        """The activation of the frozen network."""
        return self.base.nonlinearity

    @property
    def libraries(self):
        """Packages whose versions may change the network."""
        return self.base.libraries

    @property
    def whole(self):
        return self.base

    @property
    def scale(self) -> float:
        """The factor of the products B A."""
        return (self.alpha or self.rank) / self.rank

    def check(self, size):
        self.base.check(size)

    def try_out(self, network, classes, size):
        self.base.try_out(network, classes, size)

    def build(self, classes, size):
        from wsl.zoo.architectures._lora_modules import adapt

        return adapt(self.base.network(classes, size), self)

    def head(self, network):
        return self.base.head(network)

    def features_and_logits(self, network, images):
        return self.base.features_and_logits(network, images)

    def blocks(self, network):
        return self.base.blocks(network)

    @property
    def has_blocks(self):
        """Whether the frozen network has blocks."""
        return self.base.has_blocks

    def channel_groups(self, layout):
        """Return none: the frozen network fixes the order of its channels."""
        return {}

    def rank_of(self, entry):
        return self.rank if entry.name.endswith(".change") else None

    def started(self, layout, start):
        from wsl.files.plain import file_digest

        if start is None:
            raise DataError("adapters need the weights of a frozen network; set zoo.init: finetuned")
        return layout._replace(frozen=(str(start), file_digest(start)))

    def complete(self, network: nn.Module, layout: Layout) -> None:
        from wsl.zoo.architectures._lora_modules import load_frozen

        if layout.frozen is None:
            raise DataError("these adapters do not name the file of their frozen network; use those of a run's zoo")
        load_frozen(network, self.frozen_state(layout))

    def frozen_state(self, layout: Layout) -> dict[str, torch.Tensor]:
        """Return the state dict of the frozen network, with a head of zeros.

        Raises:
            DataError: the file is missing or has changed.
        """
        from wsl.files.plain import file_digest
        from wsl.files.tensors import read_tensors

        path, digest = layout.frozen
        state = read_tensors(path)[0]
        if file_digest(path) != digest:
            raise DataError(
                f"{path} is not the frozen network of these adapters (SHA-256 {digest}); put that file back"
            )
        return state

    def for_training(self, network):
        from wsl.zoo.architectures._lora_modules import factorise

        factorise(network, self.rank, self.scale)

    def snapshot(self, network):
        from wsl.zoo.architectures._lora_modules import changes

        return changes(network)

    def attainable(self, state):
        """Return the nearest weights whose changes have at most the rank of the adapters (truncated SVD)."""
        from wsl.zoo.architectures._lora_modules import CHANGE, factors

        def nearest(value: torch.Tensor) -> torch.Tensor:
            up, down = factors(value, self.rank)
            return (up @ down).view_as(value).to(value.device)

        return {name: nearest(value) if name.endswith(f".{CHANGE}") else value for name, value in state.items()}

    def __str__(self) -> str:
        return f"{self.base} with LoRA adapters of rank {self.rank}"

    def merged(self, weights: Any, layout: Layout) -> dict[str, torch.Tensor]:
        """Return the state dict of the whole network, with the changes added, of flat weights (n_weights,)."""
        from wsl.zoo.architectures._lora_modules import whole_state
        from wsl.zoo.network import network_for, state_dict

        network = network_for(layout)
        network.load_state_dict(state_dict(weights, layout))
        return whole_state(network, self.base.layout(layout.classes, layout.image_size))
