"""The config of a run on imported members: what follows from their folder, and what cannot be combined with them."""

from wsl.config.schema import Config
from wsl.errors import ConfigError, DataError
from wsl.images.names import hint
from wsl.zoo.imported import KEY, ImportedZoo
from wsl.zoo.layout import Layout
from wsl.zoo.recognition import architecture_of, running_fault

SHOWN = 20  # class names in a message


def adapted(config: Config, zoo: ImportedZoo) -> Config:
    """Return a config with the architecture, classes and size of images of its imported members.

    The architecture is None if it is unknown, and without images there are no classes.
    """
    try:
        architecture = architecture_of(zoo.layout)
    except DataError:
        architecture = None
    about = {"architecture": architecture, "classes_per_task": zoo.layout.classes, "members": len(zoo.plan)}
    size = config.images.size
    if zoo.layout.image_size and "size" not in config.images.model_fields_set:
        size = zoo.layout.image_size
    images = {"size": size, "classes": None if config.images.source.empty else zoo.classes}
    sections = {"zoo": config.zoo.model_copy(update=about), "images": config.images.model_copy(update=images)}
    return config.model_copy(update=sections)


def faults_of(config: Config, zoo: ImportedZoo) -> list[str]:
    """Return why a config cannot be run on its imported members, one sentence each; ``config`` is not adapted yet."""
    images = config.images
    faults = _without_images(config) if images.source.empty else _of_classes(config, zoo)
    fault = running_fault(zoo.layout)
    if fault and not images.source.empty:
        faults.append(f"{KEY}: {fault}. With images.source: none, the stages that do not run networks can be run")
    elif not fault and not _fits(zoo.layout, images.size) and "size" in images.model_fields_set:
        size = zoo.layout.image_size
        faults.append(f"images.size: the members of {zoo.folder} read images of {size} pixels; remove the key")
    return faults


def _fits(layout: Layout, size: int) -> bool:
    """Return whether networks of a layout read images of a size; with pooling, several sizes have equal shapes."""
    if layout.image_size in (None, size):
        return True
    try:
        return architecture_of(layout).layout(layout.classes, size).entries == layout.entries
    except ConfigError:
        return False


def _of_classes(config: Config, zoo: ImportedZoo) -> list[str]:
    source = config.images.source
    if source.missing():  # refused when the run starts
        return []
    there = source.names()
    missing = [name for name in zoo.classes if name not in there]
    if not missing:
        return []
    named = ", ".join(f"{name!r}{hint(name, there)}" for name in missing[:SHOWN])
    more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
    return [
        f"images.source: {source.title} have no images of the classes {named}{more} of {zoo.folder}, but of "
        f"{', '.join(map(repr, there[:SHOWN]))}; name the classes alike (folders, or --classes of `wsl import`), or "
        "set images.source: none to run only the stages of weights"
    ]


def _without_images(config: Config) -> list[str]:
    weights, reason = config.weights, "reads images, but images.source is none"
    faults = []
    if weights.encoder.reads_images:
        faults.append(f"weights.encoder: {weights.encoder.name} with these settings {reason}; set its behaviour to 0")
    if weights.budget is not None and weights.gate == "function":
        faults.append(f"weights.gate: function {reason}; use gate: variance")
    if config.evaluation.bench.encoders:
        faults.append(f"evaluation.bench: it {reason}; make one run per encoder")
    return faults
