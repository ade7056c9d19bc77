"""Packed images as a network's inputs."""

from collections.abc import Sequence
from pathlib import Path

import torch

from wsl.images.reading import MEAN, STD, read_task


def load_task(
    packed: Sequence[str | Path], part: str, most: int | None = None, device: str = "cpu"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a task's uint8 images (n, 3, size, size) and labels (n,) on ``device``; see ``read_task``.

    A pixel's channels lie side by side in memory (channels_last), as in the files: convolutions are faster so.
    """
    images, labels = read_task(packed, part, most)
    return torch.from_numpy(images).permute(0, 3, 1, 2).to(device), torch.from_numpy(labels).to(device)


def normalised(images: torch.Tensor) -> torch.Tensor:
    """Turn uint8 images (n, 3, h, w) into a network's input, by ImageNet's means and deviations; channels_last."""
    mean, std = (torch.tensor(values, device=images.device).view(3, 1, 1) for values in (MEAN, STD))
    pixels = images.contiguous(memory_format=torch.channels_last).float()
    return pixels.mul_(1 / (255 * std)).sub_(mean / std)


def mixed_images(packed: Sequence[str | Path], each: int, seed: int) -> torch.Tensor:
    """Return uint8 training images (n, 3, size, size) of all classes, the first ``each`` of every one, shuffled."""
    images = load_task(packed, "train", each)[0]
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))]
