"""What an architecture is: how its networks are built, and what their parameters mean."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from wsl.errors import DataError
from wsl.files.user_cache import cache_file, read_cached, write_cached
from wsl.jobs.provenance import code_digest
from wsl.settings.registry import Registry, module_file
from wsl.settings.sections import Named, plain
from wsl.zoo.architectures._channels import Axis
from wsl.zoo.layout import Entry, Layout, Shapes, layout_from, layout_from_text, layout_to_text

if TYPE_CHECKING:
    import torch
    from torch import nn

ARCHITECTURES: Registry = Registry("architecture", "wsl.zoo.architectures")
Axes = tuple[Axis, ...]
_LAYOUTS: dict[str, Layout] = {}


class Recognised(NamedTuple):
    """What names and shapes of a state dict tell of its network.

    Attributes:
        architecture: with its settings.
        classes: number of outputs.
        size: side of the images in pixels; None: the network takes any.
    """

    architecture: Architecture
    classes: int
    size: int | None

    @property
    def layout(self) -> Layout:
        return self.architecture.layout(self.classes, self.size)


class Architecture(Named):
    """An architecture; an instance is its settings.

    A new one defines ``build``, and what differs from the defaults below. All networks must be classifiers of images
    (n, 3, size, size), normalised by ``wsl.images.reading.MEAN`` and ``STD``, that end in a linear layer.

    Attributes:
        sized: whether shapes of parameters depend on the size of images.
        nonlinearity: name of the activation, by which networks that others trained are compared.
    """

    sized: ClassVar[bool] = True
    nonlinearity: ClassVar[str] = "relu"

    def build(self, classes: int, size: int | None) -> nn.Module:
        """Return a freshly initialised network; its random numbers come from torch's own generator.

        Args:
            classes: number of outputs.
            size: side of the images in pixels; None where ``sized`` is false.
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
        """Return what the head reads (n, features) and logits (n, classes) of images (n, 3, size, size)."""
        seen: list[torch.Tensor] = []
        head = network.get_submodule(self.head(network))
        hook = head.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
        try:
            logits = network(images)
        finally:
            hook.remove()
        return seen[-1], logits

    def blocks(self, network: nn.Module) -> list[nn.Module]:
        """Return the modules whose outputs are compared where two networks should compute alike: none by default."""
        return []

    def channel_groups(self, layout: Layout) -> dict[str, Axes]:
        """Return the permutation symmetries: by group, the axes that one permutation of channels reorders together.

        By default, those that a trace of the network finds (``wsl.zoo.architectures.tracing``); later calls read them
        from the user's cache.
        """
        from wsl.zoo.architectures.tracing import groups_of

        return groups_of(self, layout)

    def token_rows(self, layout: Layout) -> list[list[Entry]]:
        """Return the parameters of each layer that tokens are cut from, all with one row per output channel.

        By default, each array of two or more axes starts a layer, which the vectors after it that have as many rows
        belong to (a bias, batch normalisation).
        """
        layers: list[list[Entry]] = []
        for entry in layout.entries:
            rows = entry.shape[:1]
            if len(entry.shape) > 1 or not layers or rows != layers[-1][0].shape[:1]:
                layers.append([entry])
            else:
                layers[-1].append(entry)
        return layers

    @classmethod
    def own_names(cls, names: Mapping[str, Any]) -> dict[str, str]:
        """Return the names that this architecture has for parameters, by those that other programs gave them."""
        return {name: name for name in names}

    @classmethod
    def recognise(cls, shapes: Shapes) -> Recognised | None:
        """Return the network whose parameters have these names (see ``own_names``) and shapes; None: another's."""
        return None

    def __str__(self) -> str:
        return ", ".join(
            [self.name, *(f"{key} {value}" for key, value in self.columns().items() if key != "architecture")]
        )

    def __hash__(self) -> int:
        return hash(self.text())

    def text(self) -> str:
        """Return name and settings as JSON."""
        return json.dumps(plain(self))

    def columns(self) -> dict[str, Any]:
        """Return name and settings as columns of a table: numbers and text."""
        settings = self.model_dump(mode="json")
        simple = {key: one if isinstance(one, str | int | float) else json.dumps(one) for key, one in settings.items()}
        return {"architecture": self.name, **simple}

    def layout(self, classes: int, size: int | None) -> Layout:
        """Return the layout of a network, from a build without memory; later calls read it from the user's cache.

        Args:
            classes: number of outputs.
            size: side of the images in pixels.
        """
        size = size if self.sized else None
        module = module_file(type(self))
        key = json.dumps([self.text(), classes, size, str(module)])
        if key not in _LAYOUTS:
            if "torch" in sys.modules:
                _LAYOUTS[key] = self._built_layout(classes, size)
            else:
                known = [self.text(), classes, size, code_digest(module), version("torch")]
                path = cache_file("layouts", f"{hashlib.sha256(json.dumps(known).encode()).hexdigest()[:32]}.json")
                _LAYOUTS[key] = read_cached(path, layout_from_text)
                if _LAYOUTS[key] is None:
                    _LAYOUTS[key] = self._built_layout(classes, size)
                    write_cached(path, layout_to_text(_LAYOUTS[key]))
        return _LAYOUTS[key]

    def _built_layout(self, classes: int, size: int | None) -> Layout:
        import torch

        with torch.device("meta"):
            network = self.build(classes, size)
        state = network.state_dict()
        named = [(name, tuple(value.shape)) for name, value in state.items() if value.is_floating_point()]
        counters = [name for name, value in state.items() if not value.is_floating_point()]
        module = self.head(network)
        head = [name for name in (f"{module}.weight", f"{module}.bias") if name in state]
        layout = layout_from(named, counters, head, self.nonlinearity)
        return layout._replace(architecture=self.text(), image_size=size)
