"""Which architecture a layout or a state dict belongs to."""

import json
from collections.abc import Mapping
from typing import Any

from wsl.errors import DataError
from wsl.zoo.architectures.base import ARCHITECTURES, Architecture, Recognised
from wsl.zoo.layout import Layout, Shapes


def architecture_from(described: Any) -> Architecture:
    """Return an architecture by its name and settings, as ``Named.described`` gives them.

    Raises:
        ConfigError: there is no such architecture.
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
        DataError: it is not known.
    """
    if layout.architecture:
        return architecture_from(json.loads(layout.architecture))
    if found := recognised(layout):
        return found.architecture
    raise DataError(
        f"these weights are of none of the known architectures ({', '.join(ARCHITECTURES)}); only the linear stage and "
        "the encoders on top of it (`pca-ae`, `pca`, `ae-pca`) can be fitted, without a behaviour loss; or register "
        "their architecture in a file that `plugins` names"
    )


def recognise(shapes: Shapes, known: Mapping[str, Any] | None = None) -> Recognised | None:
    """Return the network whose parameters have these names, in any known spelling, and shapes; None: none is known.

    Args:
        shapes: by name.
        known: settings that another source gives, such as hyper-parameters beside a checkpoint. Those that neither
            names nor shapes show (``Architecture.unseen``) are taken from here if the architecture can have them.
    """
    for architecture in ARCHITECTURES.values():
        names = architecture.own_names(shapes)
        if len(set(names.values())) == len(shapes):
            found = architecture.recognise({names[name]: shape for name, shape in shapes.items()})
            if found:
                return _informed(found, known or {})
    return None


def recognised(layout: Layout) -> Recognised | None:
    """Return the network that a layout's names, shapes, order and integer buffers are those of; None: not known."""
    # Imports of earlier versions have ReLU where nothing was known.
    known = {"activation": layout.activation} if layout.activation != Layout._field_defaults["activation"] else {}
    found = recognise({entry.name: entry.shape for entry in layout.entries}, known)
    same = found and (found.layout.entries, found.layout.counters) == (layout.entries, layout.counters)
    return found if same else None


def _informed(found: Recognised, known: Mapping[str, Any]) -> Recognised:
    """Return a network with what is known of its settings that are not seen; settings that cannot be are left out."""
    for key in found.architecture.unseen:
        if known.get(key) is not None:
            settings = {**found.architecture.model_dump(), key: known[key]}
            try:
                other = found._replace(architecture=type(found.architecture).model_validate(settings))
            except ValueError:
                continue
            if other.layout.entries == found.layout.entries:
                found = other
    return found
