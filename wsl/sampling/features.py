"""Features of images in a frozen network."""

import torch

from wsl.images.inputs import normalised
from wsl.images.reading import task_classes
from wsl.images.tasks import TaskImages
from wsl.zoo.layout import Layout
from wsl.zoo.network import features_and_logits, network_for

BATCH = 512


class BodyFeatures:
    """Features of classes' images in the body of a state dict, each class computed once."""

    def __init__(self, state: dict[str, torch.Tensor], layout: Layout, images: TaskImages, device: str = "cpu"):
        self.images, self.device = images, device
        self.network = network_for(layout).to(device).eval()
        self.length = state[layout.head[0]].shape[1]
        self.network.load_state_dict(state)
        self._cache: dict[tuple[str, str], torch.Tensor] = {}

    def of_class(self, name: str, part: str = "train") -> torch.Tensor:
        """Return features (n, F) of all images of one part of a class."""
        if (name, part) not in self._cache:
            batches = self.images.of_class(name, part=part).split(BATCH)
            self._cache[name, part] = torch.cat([self._features(batch) for batch in batches])
        return self._cache[name, part]

    def of_task(self, task: str, most: int | None = None) -> list[torch.Tensor]:
        """Return features (n, F) of the first ``most`` training images of each class of a task; 0 reads no images."""
        if most == 0:
            return [torch.empty(0, self.length)] * len(task_classes(task))
        return [self.of_class(name)[:most] for name in task_classes(task)]

    @torch.no_grad()
    def _features(self, images: torch.Tensor) -> torch.Tensor:
        inputs = normalised(images.to(self.device), self.network.normalisation)
        return features_and_logits(self.network, inputs)[0].cpu()
