"""Packed images as a network's inputs."""

from collections.abc import Sequence
from pathlib import Path

import torch

from wsl.images.reading import USUAL, Normalisation, read_task


def load_task(
    packed: Sequence[str | Path], part: str, most: int | None = None, device: str = "cpu"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a task's uint8 images (n, 3, size, size) and labels (n,) on ``device``; see ``read_task``.

    A pixel's channels are adjacent in memory, as in the files, since moving whole pixels is faster.
    """
    images, labels = read_task(packed, part, most)
    return torch.from_numpy(images).permute(0, 3, 1, 2).to(device), torch.from_numpy(labels).to(device)


def normalised(images: torch.Tensor, by: Normalisation = USUAL) -> torch.Tensor:
    """Return uint8 images (n, 3, h, w) as a network's input; ``by`` is ``normalisation`` of its layout."""
    mean, std = (torch.tensor(values, device=images.device).view(3, 1, 1) for values in by)
    # Contiguous: with channels_last inputs, training narrow networks corrupts memory (torch 2.13 and 2.15, CPU), see
    # wsl.zoo.stacked_layers.
    images = images.contiguous()
    return (images.float() / 255 - mean) / std


def pixelwise(values: torch.Tensor) -> torch.Tensor:
    """Return images or filters (n, channels, h, w) with the channels of a pixel adjacent in memory, on a CPU.

    Outputs of `cnn-small` then take half the time (13 ms for 288 images in place of 26). For training see
    ``normalised``.
    """
    return values.contiguous(memory_format=torch.channels_last) if values.device.type == "cpu" else values


def mixed_images(packed: Sequence[str | Path], each: int, seed: int) -> torch.Tensor:
    """Return the first ``each`` training images of every class, shuffled, uint8 (n, 3, size, size)."""
    images = load_task(packed, "train", each)[0]
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))]
