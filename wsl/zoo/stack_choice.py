"""Which members train together: what their layers allow, and what is fastest."""

import copy
import logging
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from wsl.images.inputs import normalised
from wsl.zoo.stacked_layers import NotStackableError
from wsl.zoo.stacked_network import MappedNetwork, StackedNetwork
from wsl.zoo.training import Training

log = logging.getLogger(__name__)
Kind = type[StackedNetwork | MappedNetwork]
# Bytes of activations of all members of a stack. While they fit into the caches, more members are faster or equal:
# measured up to 60 MiB on a core with 2 MiB of second-level and a large share of third-level cache.
CACHE = 64 * 2**20
MOST = 16  # members; more gain nothing, unless networks are so small that calls of functions take most of the time
# Bytes of activations of all members below which calls take most of the time, so that more members cost little.
SMALL = 2**20
VIEWS = nn.Flatten, nn.Identity  # layers that compute nothing
TOLERANCE = 1e-2  # relative difference of gradients; faults of kernels make them wrong altogether


def kind_for(training: Training) -> Kind | None:
    """Return how networks like that of a member are joined; None: each is trained on its own.

    Passes that draw random numbers, as those with dropout do, need each member's own.
    """
    if draws_numbers(training):
        return None
    images, labels = (value[: training.plan["batch_size"]] for value in training.images["train"])
    try:
        fault = disagreement(training.network, images, labels)
    except (NotStackableError, RuntimeError) as error:
        fault = str(error)
    if fault is None:
        return StackedNetwork
    log.info("the layers of these networks are not stacked: %s", fault)
    return None if images.device.type == "cpu" else MappedNetwork


def draws_numbers(training: Training) -> bool:
    """Return whether passes in training draw random numbers."""
    network = copy.deepcopy(training.network).cpu().train()
    images = normalised(training.images["train"][0][:2].cpu(), network.normalisation)
    before = torch.get_rng_state()
    network(images)
    return not torch.equal(torch.get_rng_state(), before)


def disagreement(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> str | None:
    """Return how gradients of two stacked networks differ from those of each alone; None: they agree.

    The second network has other weights, and the images in another order, so a layer that mixes members shows, and so
    does a wrong kernel: torch has had some for narrow convolutions.
    """
    inputs = normalised(images, network.normalisation)
    other = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(0.9)
    each = [(network, inputs, labels), (other, inputs.flip(0), labels.flip(0))]
    expected = [_gradients(copy.deepcopy(one).train(), *data) for one, *data in each]
    copies = [copy.deepcopy(network), other]
    joined = StackedNetwork(copies)
    inputs = joined.prepared(inputs)
    logits = joined.logits(torch.stack([inputs, inputs.flip(0)]), shared=False)
    losses = [functional.cross_entropy(logits[:, place], each[place][2]) for place in range(2)]
    sum(losses).backward()
    for one, gradients in zip(copies, expected, strict=True):
        for (name, parameter), gradient in zip(one.named_parameters(), gradients, strict=True):
            if not (parameter.grad - gradient).norm() <= TOLERANCE * gradient.norm() + 1e-5:
                return f"gradients of {name} differ"
    return None


def _gradients(network: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> Sequence[torch.Tensor]:
    return torch.autograd.grad(functional.cross_entropy(network(inputs), labels), list(network.parameters()))


def most_together(training: Training, batch_size: int) -> int:
    """Return the number of members with this batch size that a CPU trains together; ``training`` is of one of them.

    It is ``MOST``, or as many as ``SMALL`` holds, and not more than ``CACHE`` holds.
    """
    network, numbers = copy.deepcopy(training.network).train(), []
    for module in network.modules():
        if next(module.children(), None) is None and not isinstance(module, VIEWS):
            module.register_forward_hook(lambda module, _, out: numbers.append(out.numel()))
    images = training.images["train"][0][:batch_size]
    with torch.no_grad():
        network(normalised(images, network.normalisation))
    each = 4 * sum(numbers)
    return max(1, min(CACHE // each, max(MOST, SMALL // each)))
