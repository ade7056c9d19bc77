"""ResNet-18 at any width, with torchvision's module and parameter names.

Not by torchvision's own modules: to import them takes longer than to import torch, and most jobs are short.
"""

import numpy as np
import torch
from torch import nn

from wsl.errors import DataError
from wsl.zoo.layout import Layout, resnet18_shape


class PixelwisePool(nn.MaxPool2d):
    """Max pooling over pixels whose channels lie side by side: on a CPU several times as fast as over planes."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what ``nn.MaxPool2d`` does, to the bit."""
        if inputs.is_cuda:
            return super().forward(inputs)
        # Not by ``memory_format``, which vmap does not know.
        return super().forward(inputs.movedim(1, 3).contiguous().movedim(3, 1)).contiguous()


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation in float32, whatever autocast chose for the convolutions.

    Under vmap, torch 2.11 fails on a GPU where inputs are bfloat16 and running statistics float32.
    """

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return normalised inputs (n, channels, height, width)."""
        return super().forward(inputs.float() if inputs.dtype == torch.bfloat16 else inputs)


class BasicBlock(nn.Module):
    """Two convolutions of 3 by 3 beside a short way (He et al. 2015, figure 2), as torchvision's block of this name."""

    def __init__(self, channels: int, out: int, stride: int):
        super().__init__()
        downsample = None
        if channels != out or stride > 1:  # before the others, so that it draws its numbers where torchvision's does
            shorter = nn.Conv2d(channels, out, kernel_size=1, stride=stride, bias=False)
            downsample = nn.Sequential(shorter, BatchNorm(out))
        self.conv1 = nn.Conv2d(channels, out, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = BatchNorm(out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(out, out, kernel_size=3, padding=1, bias=False)
        self.bn2 = BatchNorm(out)
        self.downsample = downsample

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return (n, out, height / stride, width / stride) of (n, channels, height, width)."""
        hidden = self.relu(self.bn1(self.conv1(inputs)))
        hidden = self.bn2(self.conv2(hidden))
        hidden += inputs if self.downsample is None else self.downsample(inputs)
        return self.relu(hidden)


class SlimResNet18(nn.Module):
    """Torchvision's ResNet-18 with ``width`` channels in its first stage in place of 64 (He et al. 2015).

    A ``stem`` of 3 is the one that others give it for images of 32 pixels: convolution of 3 by 3, stride 1, no pooling.

    Input: float images (n, 3, height, width), normalised by ``wsl.images.reading.MEAN`` and ``STD``.
    Output: logits (n, classes).
    """

    def __init__(self, width: int, classes: int, stem: int = 7):
        super().__init__()
        wide = stem == 7
        self.conv1 = nn.Conv2d(3, width, kernel_size=stem, stride=2 if wide else 1, padding=stem // 2, bias=False)
        self.bn1 = BatchNorm(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = PixelwisePool(kernel_size=3, stride=2, padding=1) if wide else nn.Identity()
        self.layer1 = _stage(width, width, stride=1)
        self.layer2 = _stage(width, width * 2, stride=2)
        self.layer3 = _stage(width * 2, width * 4, stride=2)
        self.layer4 = _stage(width * 4, width * 8, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(width * 8, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def features(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what the head sees (n, 8 * width)."""
        hidden = self.maxpool(self.relu(self.bn1(self.conv1(inputs))))
        hidden = self.layer4(self.layer3(self.layer2(self.layer1(hidden))))
        return self.avgpool(hidden).flatten(1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return logits (n, classes) of images (n, 3, height, width)."""
        return self.fc(self.features(inputs))


def _stage(channels: int, out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock(channels, out, stride), BasicBlock(out, out, stride=1))


def resnet18(width: int, classes: int, stem: int = 7) -> SlimResNet18:
    """Return a freshly initialised network; width 64 has torchvision's ResNet-18 exactly."""
    return SlimResNet18(width, classes, stem)


def network_for(layout: Layout) -> SlimResNet18:
    """Return a freshly initialised network whose state dict has this layout.

    Raises:
        DataError: it is not a ResNet-18's, or its activation is not ReLU.
    """
    shape = resnet18_shape(layout)
    if layout.activation != "relu":
        raise DataError(
            f"these ResNet-18s were trained with {layout.activation}, and networks are only rebuilt with ReLU; fit the "
            "stages that run no network: PCA, coefficients, weight encoders without a behaviour loss"
        )
    return resnet18(*shape)


def flatten(state: dict[str, torch.Tensor], layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Return a state dict as a float32 vector (n_weights,) and its integer buffers (n_counters,)."""
    weights = torch.cat([state[entry.name].detach().reshape(-1).float().cpu() for entry in layout.entries])
    counters = [int(state[name]) for name in layout.counters]
    return weights.numpy(), np.array(counters, dtype=np.int64)


def state_dict(weights: np.ndarray, layout: Layout, counters: np.ndarray | None = None) -> dict[str, torch.Tensor]:
    """Return the state dict of a flat snapshot: the inverse of ``flatten``.

    Without ``counters`` they are 0: they matter to no output, and to training only where momentum is None.
    """
    if counters is None:
        counters = np.zeros(len(layout.counters), dtype=np.int64)
    state = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in layout.split(weights).items()}
    state.update({name: torch.tensor(int(count)) for name, count in zip(layout.counters, counters, strict=True)})
    return state


def learned_state(weights: torch.Tensor, layout: Layout) -> dict[str, torch.Tensor]:
    """Return views of flat weights (n_weights,), shaped, by name, without running statistics."""
    entries = (entry for entry in layout.entries if not entry.running)
    return {entry.name: weights[entry.columns].view(entry.shape) for entry in entries}
