"""What members start from where they share it: one random start, a trained backbone, or a checkpoint."""

from pathlib import Path

import torch

from wsl.errors import ConfigError
from wsl.tensors import read_state, read_tensors, write_tensors
from wsl.zoo.layout import HEAD
from wsl.zoo.network import resnet18


def random_start(out: str | Path, width: int, classes: int, seed: int) -> None:
    """Write one random start for all members (regime ``shared``), head included."""
    torch.manual_seed(seed)
    write_tensors(out, resnet18(width, classes).state_dict(), {"regime": "shared", "seed": seed})


def import_backbone(file: str | Path, checkpoint: str, out: str | Path, width: int, classes: int) -> None:
    """Write a checkpoint's body as a start (regime ``finetuned``), with a head of zeros.

    Args:
        file: of a state dict, torch's or safetensors; checkpoint: how the config names it.
        out: safetensors file; width, classes: of the zoo's networks.

    Raises:
        ConfigError: there is no such checkpoint, it is not a ResNet-18 of this width, or holds non-finite weights.
    """
    try:
        found = read_state(file)
    except Exception as error:  # a damaged or hostile file raises whatever its reading met first
        raise ConfigError(
            f"zoo.backbone.checkpoint: {checkpoint} cannot be read ({error}); name torchvision:<weights>, timm:<model> "
            "or a file that holds a state dict of tensors alone"
        ) from error
    wanted = resnet18(width, classes).state_dict()
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
