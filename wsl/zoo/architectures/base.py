"""The base class of architectures: how a network is built, and the meaning of its parameters."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from wsl.errors import DataError
from wsl.files.plain import cache_file, read_cached, write_cached
from wsl.jobs.provenance import code_digest
from wsl.settings.registry import Registry, module_file
from wsl.settings.sections import Named, plain
from wsl.zoo.architectures._channels import Axis
from wsl.zoo.head import Shapes
from wsl.zoo.layout import Entry, Layout, layout_from, layout_from_text, layout_to_text

if TYPE_CHECKING:
    import torch
    from torch import nn

ARCHITECTURES: Registry = Registry("architecture", "wsl.zoo.architectures")
Axes = tuple[Axis, ...]
COLOURS = 3  # channels of all images
Inputs = Literal[1, 3]
Channels = Annotated[Inputs, Field(description="input channels; 1: the mean of the three channels of an image")]
UNKNOWN = "unknown"  # an activation that neither names nor shapes show, in a layout
_LAYOUTS: dict[str, Layout] = {}


class Recognised(NamedTuple):
    """The network that names and shapes of a state dict identify."""

    architecture: Architecture  # with its settings
    classes: int
    size: int | None  # side of the images in pixels; None: the network takes any

    @property
    def layout(self) -> Layout:
        return self.architecture.layout(self.classes, self.size)


class Architecture(Named):
    """An architecture; an instance is its settings.

    A subclass defines ``build``, and overrides the defaults below where they do not fit. All networks must be
    classifiers of images (n, 3, size, size), normalised by ``Layout.normalisation``, that end in a linear layer. A
    subclass with the setting ``channels: Channels = 3`` builds networks for one input channel too.
    """

    sized: ClassVar[bool] = True  # shapes of parameters depend on the size of images
    nonlinearity: ClassVar[str] = "relu"  # name of the activation, to compare with that of imported networks
    # Settings that neither names nor shapes of parameters show. ``recognise`` leaves those empty that it cannot know.
    unseen: ClassVar[tuple[str, ...]] = ()
    # Settings that earlier versions lacked, with the values of their networks, which descriptions leave out, so that
    # those in existing files stay equal.
    later: ClassVar[Mapping[str, Any]] = {}
    libraries: ClassVar[tuple[str, ...]] = ("torch",)  # packages whose versions may change the network

    def check(self, size: int) -> None:
        """Refuse settings that cannot be used for images of ``size`` pixels, without building a network.

        Raises:
            ConfigError: the message names the key, or the smallest size.
        """

    def try_out(self, network: nn.Module, classes: int, size: int | None) -> None:
        """Refuse a network on the meta device, from which the layout is derived; by default, none.

        Raises:
            ConfigError: the network does not accept images of this size.
        """

    @model_serializer(mode="wrap")
    def _as_earlier_versions(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        settings = handler(self)
        return {key: value for key, value in settings.items() if key not in self.later or value != self.later[key]}

    def network(self, classes: int, size: int | None) -> nn.Module:
        """Return a network of ``build`` that takes images of three channels, whatever its number of input channels."""
        network, setting = self.build(classes, size), type(self).model_fields.get("channels")
        # A plug-in may have a setting of this name and another type, with another meaning.
        if setting is not None and setting.annotation == Inputs and self.channels == 1:
            network.register_forward_pre_hook(_averaged)
        return network

    def build(self, classes: int, size: int | None) -> nn.Module:
        """Return a network with ``classes`` outputs for images of ``size`` pixels (None if not ``sized``).

        Its random numbers come from torch's own generator.
        """
        raise NotImplementedError

    def head(self, network: nn.Module) -> str:
        """Return the name of the module whose outputs are the logits: by default, the last linear layer."""
        from torch import nn

        linear = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
        if not linear:
            raise DataError(f"the architecture {self.name} has no linear layer; define its method `head`")
        return linear[-1]

    def features_and_logits(self, network: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the inputs of the head (n, features) and logits (n, classes) of images (n, 3, size, size)."""
        features: list[torch.Tensor] = []
        head = network.get_submodule(self.head(network))
        with head.register_forward_pre_hook(lambda _module, inputs: features.append(inputs[0])):
            logits = network(images)
        return features[-1].flatten(1), logits

    def blocks(self, network: nn.Module) -> list[nn.Module]:
        """Return the modules whose outputs two similar networks should share: none by default."""
        return []

    @property
    def has_blocks(self) -> bool:
        """Whether the architecture defines ``blocks``."""
        return type(self).blocks is not Architecture.blocks

    def channel_groups(self, layout: Layout) -> dict[str, Axes]:
        """Return the axes that one permutation of channels reorders together, by group: the permutation symmetries.

        By default, those that a trace of the network finds (``wsl.zoo.architectures.tracing``); later calls read them
        from the user's cache.
        """
        from wsl.zoo.architectures.tracing import groups_of

        return groups_of(self, layout)

    def token_rows(self, layout: Layout) -> list[list[Entry]]:
        """Return the parameters of each layer that is split into tokens; all have one row per output channel.

        By default, each array of two or more axes starts a layer, and the following vectors with as many rows (a bias,
        batch normalisation) belong to it.
        """
        layers: list[list[Entry]] = []
        for entry in layout.entries:
            rows = entry.shape[:1]
            if len(entry.shape) > 1 or not layers or rows != layers[-1][0].shape[:1]:
                layers.append([entry])
            else:
                layers[-1].append(entry)
        return layers

    # The following are overridden by architectures of which only a part is trained (``wsl.zoo.architectures.lora``).

    @property
    def whole(self) -> Architecture:
        """The architecture of complete networks, which starts, written models and exports have."""
        return self

    def rank_of(self, entry: Entry) -> int | None:
        """Return the rank of a parameter's matrix (rows, other axes); None: any."""
        return None

    def started(self, layout: Layout, start: str | Path | None) -> Layout:
        """Return the layout of networks that start from a file, see ``wsl.zoo.start``."""
        return layout

    def complete(self, network: nn.Module, layout: Layout) -> None:
        """Load weights that a layout names but does not contain; by default, there are none."""

    def for_training(self, network: nn.Module) -> None:
        """Give a network the parameters that training changes; by default, it has them."""

    def snapshot(self, network: nn.Module) -> dict[str, torch.Tensor]:
        """Return the state dict of a network during training, with the names of the layout."""
        return network.state_dict()

    def attainable(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the nearest state dict that training could reach."""
        return state

    @classmethod
    def own_names(cls, names: Mapping[str, Any]) -> dict[str, str]:
        """Return the names of parameters in this architecture, by those that other programs use."""
        return {name: name for name in names}

    @classmethod
    def recognise(cls, shapes: Shapes) -> Recognised | None:
        """Return the network whose parameters have these names (see ``own_names``) and shapes; None: there is none."""
        return None

    def __str__(self) -> str:
        settings = self.columns()
        return ", ".join([settings.pop("architecture"), *(f"{key} {value}" for key, value in settings.items())])

    def __hash__(self) -> int:
        return hash(self.text())

    def text(self) -> str:
        """Return name and settings as JSON."""
        return json.dumps(plain(self))

    def columns(self) -> dict[str, Any]:
        """Return name and settings as columns of a table: numbers and text."""
        settings = {key: UNKNOWN if value is None else value for key, value in self.model_dump(mode="json").items()}
        simple = {key: one if isinstance(one, str | int | float) else json.dumps(one) for key, one in settings.items()}
        return {"architecture": self.name, **simple}

    def layout(self, classes: int, size: int | None) -> Layout:
        """Return the layout of a network with ``classes`` outputs for images of ``size`` pixels.

        It comes from a build on the meta device, or from the user's cache, so that torch need not be imported.
        """
        size = size if self.sized else None
        modules = sorted({module_file(type(one)) for one in (self, self.whole)})
        key = json.dumps([self.text(), classes, size, *map(str, modules)])
        if key in _LAYOUTS:
            return _LAYOUTS[key]
        if "torch" in sys.modules:
            layout = self._built_layout(classes, size)
        else:
            known = [self.text(), classes, size, *map(code_digest, modules), *map(version, self.libraries)]
            path = cache_file("layouts", f"{hashlib.sha256(json.dumps(known).encode()).hexdigest()[:32]}.json")
            layout = read_cached(path, layout_from_text)
            if layout is None:
                layout = self._built_layout(classes, size)
                write_cached(path, layout_to_text(layout))
        return _LAYOUTS.setdefault(key, layout)

    def _built_layout(self, classes: int, size: int | None) -> Layout:
        import torch

        from wsl.zoo.architectures._empty import NoValues

        with torch.device("meta"), NoValues():
            network = self.network(classes, size)
        self.try_out(network, classes, size)
        state = network.state_dict()
        named = [(name, value.shape) for name, value in state.items() if value.is_floating_point()]
        counters = [name for name, value in state.items() if not value.is_floating_point()]
        module = self.head(network)
        head = [name for name in (f"{module}.weight", f"{module}.bias") if name in state]
        layout = layout_from(named, counters, head, self.nonlinearity)
        return layout._replace(architecture=self.text(), image_size=size)


def _averaged(_network: nn.Module, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Return the mean (n, 1, h, w) of the channels of the images that a network is called with."""
    return inputs[0].mean(1, keepdim=True)
