"""Find the architecture of a layout or a state dict."""

import json
from collections.abc import Mapping
from typing import Any

from wsl.errors import DataError
from wsl.zoo.architectures.base import ARCHITECTURES, UNKNOWN, Architecture, Recognised
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


def running_fault(layout: Layout) -> str | None:
    """Return why networks of this layout cannot be built and run; None: they can."""
    try:
        architecture = architecture_of(layout)
    except DataError as error:
        return str(error)
    if architecture.nonlinearity == UNKNOWN and (layout.activation == UNKNOWN or not layout.architecture):
        return (
            f"the activation of these networks ({architecture.name}) is not known, so they cannot be run; add it to "
            "the zoo (`model::nlin` in params.json, or a column `activation` of a CSV), or give it by --set "
            "activation=NAME, and import the zoo again"
        )
    if layout.activation != architecture.nonlinearity:
        possible = "other activations" if architecture.nonlinearity == UNKNOWN else architecture.nonlinearity
        return (
            f"these networks ({architecture.name}) were trained with {layout.activation}, but can only be rebuilt with "
            f"{possible}; fit the stages that do not run networks: PCA, coefficients, weight encoders without a "
            "behaviour loss"
        )
    return None


def architecture_of(layout: Layout) -> Architecture:
    """Return the architecture of a layout.

    Raises:
        DataError: it is unknown.
    """
    if layout.architecture:
        return architecture_from(json.loads(layout.architecture))
    # Imports of earlier versions have ReLU where the activation was unknown.
    known = {"activation": layout.activation} if layout.activation != Layout._field_defaults["activation"] else {}
    network = recognise({entry.name: entry.shape for entry in layout.entries}, known)
    if network and (network.layout.entries, network.layout.counters) == (layout.entries, layout.counters):
        return network.architecture
    raise DataError(
        f"these weights do not belong to any known architecture ({', '.join(ARCHITECTURES)}); fit only the linear "
        "stage and the encoders on top of it (`pca-ae`, `pca`, `ae-pca`), without a behaviour loss, or register the "
        "architecture in a file that `plugins` names"
    )


def recognise(shapes: Shapes, known: Mapping[str, Any] | None = None) -> Recognised | None:
    """Return the network whose parameters have these names, in any known spelling, and shapes; None: unknown.

    Args:
        shapes: by name.
        known: settings from another source, such as hyper-parameters beside a checkpoint. Those that neither names nor
            shapes show (``Architecture.unseen``) are set if the architecture can have them.
    """
    for architecture in ARCHITECTURES.values():
        names = architecture.own_names(shapes)
        renamed = {names[name]: shape for name, shape in shapes.items()}
        network = architecture.recognise(renamed) if len(renamed) == len(shapes) else None
        if network:
            return _informed(network, known or {})
    return None


def _informed(network: Recognised, known: Mapping[str, Any]) -> Recognised:
    """Return a network with the known values of its settings that are not seen; impossible settings are left out."""
    for key in network.architecture.unseen:
        if known.get(key) is not None:
            settings = {**network.architecture.model_dump(), key: known[key]}
            try:
                other = network._replace(architecture=type(network.architecture).model_validate(settings))
            except ValueError:
                continue
            if other.layout.entries == network.layout.entries:
                network = other
    return network
