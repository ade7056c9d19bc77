"""Images of whole tasks."""

import torch

from wsl.files.plain import Files
from wsl.images.inputs import load_task
from wsl.images.reading import packed_by_class, task_classes


class TaskImages:
    """Images of tasks; each class is read once.

    Args:
        packed: packed images, one file per class, or a list of them.
    """

    def __init__(self, packed: Files):
        self.files = packed_by_class(packed)
        self._held: dict[tuple[str, str], torch.Tensor] = {}

    def of_class(self, name: str, most: int | None = None, part: str = "train") -> torch.Tensor:
        """Return uint8 images (n, 3, h, w) of one part of a class: all, or the first ``most``."""
        if (name, part) not in self._held:
            self._held[name, part] = load_task([self.files[name]], part)[0]
        return self._held[name, part][:most]

    def of_task(self, task: str, most: int | None = None, part: str = "train") -> tuple[torch.Tensor, torch.Tensor]:
        """Return uint8 images (n, 3, h, w) and labels (n,) of a task, at most ``most`` of each class."""
        images = [self.of_class(name, most, part) for name in task_classes(task)]
        labels = torch.arange(len(images)).repeat_interleave(torch.tensor([len(group) for group in images]))
        return torch.cat(images), labels
