"""Networks of equal architecture as one network, whose layers compute all of them at once.

Activations are (n, members * channels, ...), the channels of each member adjacent, so elementwise functions and
poolings are those of one network. Parameters of a layer are concatenated along their first axis.
"""

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional

UNCHANGED = (
    nn.AdaptiveAvgPool2d,
    nn.AvgPool2d,
    nn.Flatten,
    nn.GELU,
    nn.Identity,
    nn.LeakyReLU,
    nn.ReLU,
    nn.Sigmoid,
    nn.SiLU,
    nn.Tanh,
)


# With a pixel's channels adjacent, training networks of 2 to 4 channels corrupted memory in torch 2.13 on a CPU.
PIXELWISE = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 15)


class NotStackableError(Exception):
    """The layers of a network cannot be stacked."""


class StackedConv2d(nn.Module):
    """Convolutions: one dense convolution of inputs that all members share, else a grouped one."""

    def __init__(self, layer: nn.Conv2d):
        super().__init__()
        if layer.padding_mode != "zeros" or layer.groups > 1:
            raise NotStackableError("a convolution with groups, or padding other than zeros")
        self.weight, self.bias, self.inputs = layer.weight, layer.bias, layer.in_channels
        self.convolve = partial(functional.conv2d, stride=layer.stride, padding=layer.padding, dilation=layer.dilation)
        self.skips = layer.kernel_size == (1, 1) and layer.stride != (1, 1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        groups = inputs.shape[1] // self.inputs
        if self.skips and groups == 1 and inputs.device.type == "cpu":
            # With a pixel's channels adjacent, torch 2.15 writes past the end of memory on a CPU without AVX-512, in
            # the gradient of such a convolution of 2 to 6 channels. It does not if the convolution has groups.
            inputs = inputs.contiguous()
        return self.convolve(inputs, self.weight, self.bias, groups=groups)


class StackedLinear(nn.Module):
    """Linear layers: one matrix product of inputs that all members share, else a batch of products."""

    def __init__(self, layer: nn.Linear):
        super().__init__()
        self.weight, self.bias, self.inputs = layer.weight, layer.bias, layer.in_features

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if inputs.shape[1:] == (self.inputs,):
            return functional.linear(inputs, self.weight, self.bias)
        if inputs.ndim != 2:
            raise NotStackableError("a linear layer of more than vectors")
        members = inputs.shape[1] // self.inputs
        each = inputs.view(len(inputs), members, self.inputs).transpose(0, 1)
        outputs = each @ self.weight.unflatten(0, (members, -1)).transpose(1, 2)
        if self.bias is not None:
            outputs = outputs + self.bias.view(members, 1, -1)
        return outputs.transpose(0, 1).flatten(1)


class StackedBatchNorm2d(nn.Module):
    """Batch normalisation, in float32 also where autocast runs convolutions in bfloat16.

    ``StackedNetwork`` counts the batches of its members.
    """

    def __init__(self, layer: nn.BatchNorm2d):
        super().__init__()
        if not layer.affine or layer.running_mean is None or layer.momentum is None:
            raise NotStackableError("batch normalisation without parameters, running statistics or momentum")
        self.weight, self.bias, self.momentum, self.eps = layer.weight, layer.bias, layer.momentum, layer.eps
        self.register_buffer("running_mean", layer.running_mean)
        self.register_buffer("running_var", layer.running_var)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        inputs = inputs.float() if inputs.dtype == torch.bfloat16 else inputs
        statistics, by_batch = (self.running_mean, self.running_var), self.training or self.running_mean is None
        return functional.batch_norm(inputs, *statistics, self.weight, self.bias, by_batch, self.momentum, self.eps)

    def forget(self) -> None:
        """Normalise by the statistics of each batch from now on, and keep none."""
        self.running_mean = self.running_var = None


def _pooling(layer: nn.MaxPool2d) -> nn.MaxPool2d:
    return nn.MaxPool2d(layer.kernel_size, layer.stride, layer.padding, layer.dilation, ceil_mode=layer.ceil_mode)


STACKED: dict[type[nn.Module], Callable[[nn.Module], nn.Module]] = {
    nn.Conv2d: StackedConv2d,
    nn.Linear: StackedLinear,
    nn.BatchNorm2d: StackedBatchNorm2d,
    nn.MaxPool2d: _pooling,
}


def stacked_copy(network: nn.Module) -> tuple[nn.Module, list[Callable]]:
    """Return a copy of a network with stacked layers, and the hooks that change its images first.

    Raises:
        NotStackableError: a layer has no stacked form.
    """
    bare = copy.deepcopy(network)
    hooks = list(bare._forward_pre_hooks.values())
    bare._forward_pre_hooks.clear()
    return stack_layers(bare), hooks


def stack_layers(network: nn.Module) -> nn.Module:
    """Replace the layers of a network by stacked ones, in place; parameters keep their names.

    Raises:
        NotStackableError: a layer has no stacked form.
    """
    if network._forward_hooks or network._forward_pre_hooks:
        raise NotStackableError("a module with hooks")
    for kind, stacked in STACKED.items():
        if isinstance(network, kind):
            return stacked(network)
    known = isinstance(network, UNCHANGED) or (isinstance(network, nn.Dropout) and network.p == 0)
    if not known and (next(network.children(), None) is None or network._parameters or network._buffers):
        raise NotStackableError(f"a layer of the kind {type(network).__name__}")
    for name, child in list(network.named_children()):
        setattr(network, name, stack_layers(child))
    return network
