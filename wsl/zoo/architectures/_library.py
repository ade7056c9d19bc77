"""Classifiers of other libraries, by their names there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from wsl.errors import ConfigError
from wsl.zoo.architectures.base import COLOURS, Architecture, Channels

if TYPE_CHECKING:
    from torch import nn

IMAGES = 2  # of a trial pass; batch normalisation needs more than one
SIZES = (8, 16, 24, 28, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224)  # pixels; a refusal tries them


class LibraryClassifier(Architecture):
    """A classifier that a library builds by name.

    When the layout is derived, a pass of two images without memory checks that the network accepts their size, and that
    the logits are the outputs of one linear layer.
    """

    model: Annotated[str, Field(min_length=1)] = Field(description="name of the model in its library")
    channels: Channels = 3

    nonlinearity = ""  # the library's choice
    later = {"channels": 3}  # noqa: RUF012
    short = "model"

    def known(self) -> Sequence[str]:
        """Return the names of all classifiers of the library."""
        raise NotImplementedError

    def create(self, classes: int, size: int) -> nn.Module:
        """Return a freshly initialised network."""
        raise NotImplementedError

    def build(self, classes: int, size: int) -> nn.Module:
        import torch

        known = self.known()
        if self.model.partition(".")[0] not in known:
            close = get_close_matches(self.model, known, n=3)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise ConfigError(f"zoo.architecture: {self.name} has no classifier {self.model!r}{hint}")
        try:
            try:
                return self.create(classes, size)
            except RuntimeError:  # a few models read values of their weights, which a layout's network lacks
                if torch.get_default_device().type != "meta":
                    raise
                with torch.random.fork_rng(devices=[]), torch.device("cpu"):
                    return self.create(classes, size).to("meta")
        except Exception as error:  # libraries raise anything
            raise self._refusal(classes, size, error) from error

    def try_out(self, network: nn.Module, classes: int, size: int) -> None:
        import torch

        linear = [module for module in network.modules() if isinstance(module, torch.nn.Linear)]
        outputs: list[Any] = []
        for module in linear[-1:]:
            module.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
        try:
            with torch.no_grad():
                logits = network(torch.empty(IMAGES, COLOURS, size, size, device="meta"))
        except Exception as error:
            raise self._refusal(classes, size, error) from error
        if not outputs or logits is not outputs[-1] or logits.shape != (IMAGES, classes):
            raise ConfigError(
                f"zoo.architecture: the logits of {self.name}'s {self.model} are not the outputs of one linear layer "
                "at its end, as networks of a zoo need; choose another model"
            )

    def _refusal(self, classes: int, size: int, error: Exception) -> ConfigError:
        reason, least = " ".join(str(error).split())[:200], self._smallest(classes)
        sizes = f"; of the usual sizes, {least} is the smallest that it accepts" if least else ""
        return ConfigError(
            f"zoo.architecture: {self.name}'s {self.model} does not accept images of {size} pixels ({reason}){sizes}; "
            "change images.size, or choose another model"
        )

    def _smallest(self, classes: int) -> int | None:
        """Return the smallest of ``SIZES`` that the network accepts; None: none of them."""
        import torch

        for size in SIZES:
            with suppress(Exception), torch.no_grad(), torch.device("meta"):
                self.create(classes, size)(torch.empty(IMAGES, self.channels, size, size))
                return size
        return None
