"""Encoding by answers: steps on a latent until what it decodes to answers as the original does."""

from dataclasses import dataclass

import numpy as np
import torch
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
    """

    steps: int
    batch_size: int
    learning_rate: float


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
    network under statistics of the batch, as after recalibration.

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
        (moved.grad,) = torch.autograd.grad(loss, [moved])
        optimizer.step()
    return (start + scale * moved).detach().cpu().numpy()
