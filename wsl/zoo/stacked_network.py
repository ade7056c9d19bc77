"""One network that computes several networks of equal architecture."""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.func import functional_call, vmap

from wsl.zoo.stacked_layers import PIXELWISE, NotStackableError, stacked_copy

Tensors = dict[str, torch.Tensor]  # by name


class _Joined:
    """Networks whose tensors, and gradients of parameters, become views of their parts of joined tensors."""

    join: Callable[[Sequence[torch.Tensor]], torch.Tensor]

    def __init__(self, networks: Sequence[nn.Module]):
        self.count, self.network = len(networks), copy.deepcopy(networks[0]).train()
        self.parameters, self.buffers = (
            {name: self._joined([getter(one)[name] for one in networks]) for name in getter(networks[0])}
            for getter in (_parameters, _buffers)
        )

    def _joined(self, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        whole = self.join([tensor.detach() for tensor in tensors])
        if learned := isinstance(tensors[0], nn.Parameter):
            whole = nn.Parameter(whole, tensors[0].requires_grad)
            whole.grad = torch.zeros_like(whole)
        for place, tensor in enumerate(tensors):
            tensor.grad, tensor.data = None, self.part(whole.data, place).view_as(tensor)
            if learned:
                tensor.grad = self.part(whole.grad, place).view_as(tensor)
        return whole

    def prepared(self, images: torch.Tensor) -> torch.Tensor:
        """Return normalised images (n, 3, h, w) as ``logits`` takes them."""
        return images

    def part(self, whole: torch.Tensor, place: int) -> torch.Tensor:
        """Return the view of a joined tensor that belongs to one of the networks."""
        return whole.unflatten(0, (self.count, -1))[place]


class MappedNetwork(_Joined):
    """Networks of any layers, by ``torch.func.vmap``: fast on a GPU, slow on a CPU.

    Args:
        networks: of ``wsl.zoo.network.network_for``, on one device.
    """

    join = staticmethod(torch.stack)

    def logits(self, images: torch.Tensor, shared: bool) -> torch.Tensor:
        """Return logits (n, members, classes), see ``StackedNetwork``."""

        def call(parameters: Tensors, buffers: Tensors, images: torch.Tensor) -> torch.Tensor:
            return functional_call(self.network, (parameters, buffers), (images,))

        mapped = vmap(call, (0, 0, None if shared else 0))
        return mapped(self.parameters, self.buffers, images).transpose(0, 1)


class StackedNetwork(_Joined):
    """Networks with layers of ``wsl.zoo.stacked_layers``.

    Args:
        networks: of ``wsl.zoo.network.network_for``, on one device.

    Raises:
        NotStackableError: a layer has no stacked form.
    """

    def __init__(self, networks: Sequence[nn.Module]):
        names = [dict(networks[0].named_parameters(remove_duplicate=one)) for one in (True, False)]
        if len(names[0]) < len(names[1]):
            raise NotStackableError("layers share parameters")
        device = next(networks[0].parameters()).device
        convolves = any(parameter.ndim == 4 for parameter in networks[0].parameters())
        pixelwise = device.type == "cpu" and PIXELWISE and convolves
        self._format = torch.channels_last if pixelwise else torch.contiguous_format
        stacked, self._hooks = stacked_copy(networks[0])
        super().__init__(networks)
        self.network = stacked.train()
        for name, value in {**self.parameters, **self.buffers}.items():
            owner, _, own = name.rpartition(".")
            module = stacked.get_submodule(owner)
            for places in (module._parameters, module._buffers):
                if own in places:
                    places[own] = value
        self._counters = [value for value in self.buffers.values() if not value.is_floating_point()]

    def join(self, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        if tensors[0].ndim == 0:
            return torch.stack(tensors)
        whole = torch.cat(tensors)
        return whole.contiguous(memory_format=self._format) if whole.ndim == 4 else whole

    def prepared(self, images: torch.Tensor) -> torch.Tensor:
        """Return normalised images (n, 3, h, w) as the first layer takes them: (n, channels, h, w)."""
        for hook in self._hooks:
            images = hook(self.network, (images,))
        return images.contiguous(memory_format=self._format)

    def logits(self, images: torch.Tensor, shared: bool) -> torch.Tensor:
        """Return logits (n, members, classes).

        Args:
            images: ``prepared``, (n, channels, h, w) that all members see, or their own, (members, n, channels, h, w).
            shared: whether all see the same.
        """
        if not shared:
            images = images.transpose(0, 1).flatten(1, 2)
        if self.network.training and self._counters:
            torch._foreach_add_(self._counters, 1)
        return self.network(images.contiguous(memory_format=self._format)).unflatten(1, (self.count, -1))


def _parameters(network: nn.Module) -> Tensors:
    return dict(network.named_parameters())


def _buffers(network: nn.Module) -> Tensors:
    return dict(network.named_buffers())
