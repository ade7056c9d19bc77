"""The linear layers of a network, their weight matrices, and the Gram matrices of their inputs."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional

from wsl.zoo.layout import Entry


def linear_layers(network: nn.Module, entries: list[Entry]) -> dict[str, nn.Module]:
    """Return the layers that multiply patches or vectors by one matrix, by the names of their weights.

    Grouped convolutions, and those with padding by name, are left out.
    """
    names = {entry.name for entry in entries}
    layers = {f"{name}.weight": module for name, module in network.named_modules() if _is_linear(module)}
    return {name: module for name, module in layers.items() if name in names}


def _is_linear(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d):
        return module.groups == 1 and not isinstance(module.padding, str) and module.padding_mode == "zeros"
    return isinstance(module, nn.Linear)


def vectors(layer: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Return what the matrix of a layer multiplies (n, inputs): one row per patch of its images, or per vector."""
    if isinstance(layer, nn.Linear):
        return inputs.flatten(0, -2)
    patches = functional.unfold(inputs, layer.kernel_size, layer.dilation, layer.padding, layer.stride)
    return patches.transpose(1, 2).flatten(0, 1)


@contextmanager
def recorded_grams(layers: dict[str, nn.Module]) -> Iterator[dict[str, torch.Tensor]]:
    """Yield a dict that each forward pass fills with the Gram matrix (inputs, inputs), float64, of each layer."""
    grams: dict[str, torch.Tensor] = {}

    def hook(name: str):
        def record(layer: nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
            rows = vectors(layer, arguments[0]).double()  # neighbouring pixels are alike, so that sums nearly cancel
            grams[name] = rows.T @ rows

        return record

    handles = [layer.register_forward_pre_hook(hook(name)) for name, layer in layers.items()]
    try:
        yield grams
    finally:
        for handle in handles:
            handle.remove()


def solved(weighted: torch.Tensor, gram: torch.Tensor, otherwise: torch.Tensor) -> torch.Tensor:
    """Return the matrix W (outputs, inputs) with W G = B, for a sum of Gram matrices G and a sum B of products W_i G_i.

    A small multiple of the identity draws W to ``otherwise`` in directions that no input has.
    """
    ridge = 1e-6 * gram.diagonal().mean() + 1e-12
    regular = gram + ridge * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(regular, (weighted + ridge * otherwise).T).T
