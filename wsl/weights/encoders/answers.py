"""Encoding by answers: steps on a latent until what it decodes to sees and answers as the original does."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from wsl.images.inputs import normalised
from wsl.weights.encoders.base import WeightEncoder
from wsl.zoo.epochs import augmented
from wsl.zoo.layout import Layout
from wsl.zoo.network import learned_state, network_for, state_dict


@dataclass(frozen=True)
class Search:
    """How a latent is searched for.

    Attributes:
        steps: of Adam; the last quarter is five times slower.
        batch_size: images a step.
        learning_rate: in units of the latent's own training deviations.
        features: weight of what residual blocks put out beside the class probabilities. Probabilities alone say little
            about thousands of numbers: directions that hardly matter are walked at random, and what is decoded answers
            alike on the images of the search and less so on others.
    """

    steps: int
    batch_size: int
    learning_rate: float
    features: float


def search_latent(
    encoder: WeightEncoder,
    layout: Layout,
    weights: np.ndarray,
    units: np.ndarray,
    images: torch.Tensor,
    search: Search,
    seed: int,
) -> np.ndarray:
    """Return a latent (latent,) whose network answers as the original, starting from the encoded original.

    Minimises the divergence KL(original || decoded) of class probabilities over shifted and flipped images, the decoded
    network under statistics of the batch, as after recalibration; and ``features`` times the mean squared error of the
    residual blocks' outputs, each in units of the original's variance (hints of Romero et al. 2015, for every block).

    Args:
        encoder: in evaluation mode; layout: of the weights.
        weights: of the original (n_weights,).
        units: deviation of each number of z_W over training snapshots (latent,).
        images: uint8 training images of the original's task (n, 3, h, w).
        search: its budget.
        seed: of batches, flips and shifts.
    """
    original = network_for(layout).to(images.device).eval()
    original.load_state_dict(state_dict(weights, layout))
    network = network_for(layout).to(images.device).train()
    wanted_blocks, found_blocks = (_block_outputs(model) for model in (original, network))
    scale = torch.from_numpy(np.float32(units)).to(images.device)
    with torch.no_grad():
        start = encoder.encode(torch.from_numpy(weights)[None].to(images.device))[0]
    moved = torch.zeros_like(start, requires_grad=True)
    optimizer = torch.optim.Adam([moved], lr=search.learning_rate)
    torch.manual_seed(seed)
    for step in range(search.steps):
        if step == search.steps * 3 // 4:
            optimizer.param_groups[0]["lr"] /= 5
        batch = torch.randint(0, len(images), (search.batch_size,))
        inputs = normalised(augmented(images[batch.to(images.device)]))
        with torch.no_grad():
            wanted = original(inputs).log_softmax(1)
        state = learned_state(encoder.decode((start + scale * moved)[None])[0], layout)
        found = functional_call(network, state, (inputs,)).log_softmax(1)
        loss = functional.kl_div(found, wanted, log_target=True, reduction="batchmean")
        if search.features and wanted_blocks:
            pairs = list(zip(wanted_blocks, found_blocks, strict=True))
            loss = loss + search.features * sum((a - b).square().mean() / a.var() for a, b in pairs) / len(pairs)
        (moved.grad,) = torch.autograd.grad(loss, [moved])
        optimizer.step()
        wanted_blocks.clear()
        found_blocks.clear()
    return (start + scale * moved).detach().cpu().numpy()


def _block_outputs(network: nn.Module) -> list[torch.Tensor]:
    """Return a list that each forward pass extends by the outputs of the network's blocks."""
    outputs: list[torch.Tensor] = []
    for block in network.architecture.blocks(network):
        block.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    return outputs
