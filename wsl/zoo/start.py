"""What members start from where they share it: one random start, a trained backbone, or a checkpoint."""

import logging
from pathlib import Path

import torch

from wsl.errors import ConfigError, DataError
from wsl.tensors import read_tensors, write_tensors
from wsl.zoo.foreign.networks import torchvision_names
from wsl.zoo.layout import HEAD
from wsl.zoo.network import resnet18
from wsl.zoo.states import read_state

log = logging.getLogger(__name__)


def random_start(out: str | Path, width: int, classes: int, seed: int) -> None:
    """Write one random start for all members (regime ``shared``), head included."""
    torch.manual_seed(seed)
    write_tensors(out, resnet18(width, classes).state_dict(), {"regime": "shared", "seed": seed})


def import_backbone(file: str | Path, checkpoint: str, out: str | Path, width: int, classes: int) -> None:
    """Write a checkpoint's body as a start (regime ``finetuned``), with a head of zeros.

    Args:
        file: any that ``wsl.zoo.states.read_state`` reads.
        checkpoint: how the config names it.
        out: safetensors file.
        width: of the zoo's networks.
        classes: of a task.

    Raises:
        ConfigError: the file cannot be read, is not a ResNet-18 of this width, or holds non-finite weights.
    """
    try:
        saved = read_state(file)
    except DataError as error:
        raise ConfigError(f"zoo.backbone.checkpoint: {error}") from error
    found, wanted = torchvision_names(saved.tensors), resnet18(width, classes).state_dict()
    if saved.source or saved.ignored:
        place, beside = saved.source or "the top level", ", ".join(saved.ignored) or "nothing"
        log.info("zoo.backbone.checkpoint: %s: weights under %s; ignored: %s", checkpoint, place, beside)
    state = {}
    for name, value in wanted.items():
        if name in HEAD:
            continue
        if name.endswith("num_batches_tracked"):  # old checkpoints have none, and it changes no output
            state[name] = found.get(name, value)
        elif name not in found or found[name].shape != value.shape:
            there = f"has shape {tuple(found[name].shape)}" if name in found else "is missing"
            raise ConfigError(
                f"zoo.backbone.checkpoint: in {checkpoint} {name} {there}, but a ResNet-18 of width {width} needs "
                f"{tuple(value.shape)}; choose a checkpoint that fits, or another zoo.width (torchvision's is 64)"
            )
        else:
            state[name] = found[name].to(value.dtype)
            if not state[name].isfinite().all():
                raise ConfigError(
                    f"zoo.backbone.checkpoint: in {checkpoint} {name} holds numbers that are not finite as "
                    f"{value.dtype}; choose another checkpoint"
                )
    write_tensors(out, with_zero_head(state, classes), {"regime": "finetuned", "checkpoint": checkpoint})


def with_zero_head(state: dict[str, torch.Tensor], classes: int) -> dict[str, torch.Tensor]:
    """Return a state dict whose head gives every image the same logits, whatever head it had."""
    features = state["layer4.1.bn2.weight"].numel()
    return {**state, "fc.weight": torch.zeros(classes, features), "fc.bias": torch.zeros(classes)}


def load_start(path: str | Path) -> dict[str, torch.Tensor]:
    """Return the state dict that members start from."""
    return read_tensors(path)[0]
