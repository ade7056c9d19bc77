"""Find the architecture of a layout or a state dict."""

import json
from typing import Any

from wsl.errors import DataError
from wsl.zoo.architectures.base import ARCHITECTURES, Architecture, Recognised
from wsl.zoo.head import Shapes
from wsl.zoo.layout import Layout


def architecture_from(described: Any) -> Architecture:
    """Return an architecture by its name and settings, as ``Named.described`` gives them.

    Raises:
        ConfigError: the architecture does not exist.
        DataError: it has other settings.
    """
    settings = dict(described)
    architecture = ARCHITECTURES[settings.pop("name")]
    try:
        return architecture.model_validate(settings)
    except ValueError as error:
        raise DataError(f"the architecture {architecture.name} has no settings {settings}: {error}") from error


def architecture_of(layout: Layout) -> Architecture:
    """Return the architecture of a layout.

    Raises:
        DataError: it is unknown.
    """
    if layout.architecture:
        return architecture_from(json.loads(layout.architecture))
    network = recognise({entry.name: entry.shape for entry in layout.entries})
    if network and (network.layout.entries, network.layout.counters) == (layout.entries, layout.counters):
        return network.architecture
    raise DataError(
        f"these weights do not belong to any known architecture ({', '.join(ARCHITECTURES)}); fit only the linear "
        "stage and the encoders on top of it (`pca-ae`, `pca`, `ae-pca`), without a behaviour loss, or register the "
        "architecture in a file that `plugins` names"
    )


def recognise(shapes: Shapes) -> Recognised | None:
    """Return the network whose parameters have these names, in any known spelling, and shapes; None: unknown."""
    for architecture in ARCHITECTURES.values():
        names = architecture.own_names(shapes)
        renamed = {names[name]: shape for name, shape in shapes.items()}
        network = architecture.recognise(renamed) if len(renamed) == len(shapes) else None
        if network:
            return network
    return None
