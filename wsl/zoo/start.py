"""Shared starts of members: random weights, or the weights of a checkpoint."""

import logging
from pathlib import Path

import torch

from wsl.errors import ConfigError, DataError
from wsl.files.tensors import read_tensors, write_tensors
from wsl.jobs.job import Job
from wsl.zoo.layout import Layout, layout_to_text
from wsl.zoo.matching import matched_by_order
from wsl.zoo.network import State, network_for, with_zero_head
from wsl.zoo.settings import Network
from wsl.zoo.states import read_state

log = logging.getLogger(__name__)


def random_start(out: str | Path, network: Network, job: Job) -> None:
    """Write random weights of the seed of ``job``, with a head, as the start of all members (regime ``shared``)."""
    torch.manual_seed(job.seed)
    layout = network.layout
    write_start(out, network_for(layout).state_dict(), layout, {"regime": "shared", "seed": job.seed})


def import_backbone(file: str | Path, out: str | Path, network: Network, checkpoint: str) -> None:
    """Write a checkpoint's weights as a start (regime ``finetuned``), with a head of zeros.

    Args:
        file: any that ``wsl.zoo.states.read_state`` reads.
        out: safetensors file.
        network: of the members.
        checkpoint: its name in the config.

    Raises:
        ConfigError: see ``imported_state``.
    """
    layout = network.layout
    state = imported_state(file, network, checkpoint, "zoo.backbone.checkpoint")
    write_start(out, state, layout, {"regime": "finetuned", "checkpoint": checkpoint})


def imported_state(file: str | Path, network: Network, checkpoint: str, key: str) -> State:
    """Return a checkpoint's weights as the state dict of a network, with a head of zeros.

    If no name fits, tensors are matched by order and shapes, see ``wsl.zoo.matching``.

    Args:
        file: any that ``wsl.zoo.states.read_state`` reads.
        network: architecture, classes and size of images.
        checkpoint: its name in the config, for messages.
        key: of the config, for messages.

    Raises:
        ConfigError: the file cannot be read, has another architecture, or holds non-finite weights.
    """
    try:
        saved = read_state(file)
    except DataError as error:
        raise ConfigError(f"{key}: {error}") from error
    layout, architecture = network.layout, network.architecture
    names, tensors = architecture.own_names(saved.tensors), saved.tensors
    if len(set(names.values())) == len(names):
        tensors = {names[name]: value for name, value in tensors.items()}
    if saved.source or saved.ignored:
        place, others = saved.source or "the top level", ", ".join(saved.ignored) or "nothing"
        log.info("%s: %s: weights under %s; ignored: %s", key, checkpoint, place, others)
    unmatched = ""
    if not any(entry.name in tensors for entry in layout.entries):
        try:
            tensors = matched_by_order(tensors, layout)
        except DataError as error:
            unmatched = f"; other names could not be matched by order: {error}"
        else:
            log.warning(
                "%s: %s names its parameters differently; its %d tensors fit those of %s one to one by order and "
                "shapes, and were used so. Parameters do not show padding and constants of layers: check that this is "
                "the same network",
                *(key, checkpoint, len(tensors), architecture),
            )
    # Old checkpoints have no counters, which do not change outputs.
    state = {name: tensors.get(name, torch.tensor(0)) for name in layout.counters}
    for name, shape, _ in layout.entries:
        if name in layout.head:
            continue
        place = f"{key}: in {checkpoint} {name}"
        if name not in tensors or tensors[name].shape != shape:
            actual = f"has shape {tuple(tensors[name].shape)}" if name in tensors else "is missing"
            raise ConfigError(
                f"{place} {actual}, but the architecture ({architecture}) needs {shape}{unmatched}; choose a "
                "checkpoint that fits or another zoo.architecture"
            )
        state[name] = tensors[name].float()
        if not state[name].isfinite().all():
            raise ConfigError(f"{place} is not finite as float32; choose another checkpoint")
    return with_zero_head(state, layout)


def write_start(out: str | Path, state: State, layout: Layout, about: dict[str, object]) -> None:
    """Write a state dict with its layout."""
    write_tensors(out, state, {**about, "layout": layout_to_text(layout)})


def load_start(path: str | Path) -> State:
    """Return the state dict that members start from."""
    return read_tensors(path)[0]
