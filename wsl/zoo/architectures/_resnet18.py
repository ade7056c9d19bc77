"""The modules of ResNet-18.

Torchvision's own modules are not used: importing them takes longer than importing torch, and most jobs are short.
"""

import torch
from torch import nn

from wsl.zoo.architectures._activations import activation_module


class PixelwisePool(nn.MaxPool2d):
    """``nn.MaxPool2d``, computed in channels-last order on a CPU, which is several times as fast."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if inputs.is_cuda:
            return super().forward(inputs)
        # ``memory_format`` would do the same, but vmap does not support it.
        return super().forward(inputs.movedim(1, 3).contiguous().movedim(3, 1)).contiguous()


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation in float32, also where autocast runs convolutions in bfloat16.

    Under vmap, torch 2.11 fails on a GPU where inputs are bfloat16 and running statistics float32.
    """

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(inputs.float() if inputs.dtype == torch.bfloat16 else inputs)


class BasicBlock(nn.Module):
    """Two convolutions of 3 by 3 and a shortcut (He et al. 2015, figure 2), as torchvision's block of this name."""

    def __init__(self, channels: int, out: int, stride: int, activation: str = "relu"):
        super().__init__()
        downsample = None
        if channels != out or stride > 1:  # built first, as in torchvision, so that equal seeds give equal weights
            convolution = nn.Conv2d(channels, out, kernel_size=1, stride=stride, bias=False)
            downsample = nn.Sequential(convolution, BatchNorm(out))
        self.conv1 = nn.Conv2d(channels, out, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = BatchNorm(out)
        self.relu = _activation(activation)
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
    """Torchvision's ResNet-18 with ``width`` instead of 64 channels in its first stage (He et al. 2015).

    With a ``stem`` of 3, the usual one for images of 32 pixels, the first convolution is 3 by 3 with stride 1, without
    pooling. ``activation`` replaces all ReLUs, and ``channels`` are those of the images.
    """

    def __init__(self, width: int, classes: int, stem: int = 7, activation: str = "relu", channels: int = 3):
        super().__init__()
        large = stem == 7
        stride = 2 if large else 1
        self.conv1 = nn.Conv2d(channels, width, kernel_size=stem, stride=stride, padding=stem // 2, bias=False)
        self.bn1 = BatchNorm(width)
        self.relu = _activation(activation)
        self.maxpool = PixelwisePool(kernel_size=3, stride=2, padding=1) if large else nn.Identity()
        self.layer1 = _stage(width, width, 1, activation)
        self.layer2 = _stage(width, width * 2, 2, activation)
        self.layer3 = _stage(width * 2, width * 4, 2, activation)
        self.layer4 = _stage(width * 4, width * 8, 2, activation)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(width * 8, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return logits (n, classes) of images (n, channels, height, width)."""
        hidden = self.maxpool(self.relu(self.bn1(self.conv1(inputs))))
        hidden = self.layer4(self.layer3(self.layer2(self.layer1(hidden))))
        return self.fc(self.avgpool(hidden).flatten(1))


def _stage(channels: int, out: int, stride: int, activation: str) -> nn.Sequential:
    return nn.Sequential(BasicBlock(channels, out, stride, activation), BasicBlock(out, out, 1, activation))


def _activation(name: str) -> nn.Module:
    return nn.ReLU(inplace=True) if name == "relu" else activation_module(name)
