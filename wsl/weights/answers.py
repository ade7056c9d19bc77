"""Encoding by outputs: gradient steps on a latent until its decoded model has the outputs of the original."""

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from wsl.images.inputs import normalised
from wsl.weights.behaviour import divergence
from wsl.weights.code_search import search_code
from wsl.weights.fitted import FittedEncoder
from wsl.weights.settings import Search
from wsl.zoo.epochs import augmented
from wsl.zoo.layout import Layout
from wsl.zoo.network import learned_state, network_for, state_dict, with_batch_statistics

BATCH_SIZE = 64  # training images per step


def search_latent(
    encoder: FittedEncoder,
    layout: Layout,
    weights: np.ndarray,
    units: np.ndarray,
    images: torch.Tensor,
    search: Search,
    seed: int,
) -> np.ndarray:
    """Return a latent (latent,) whose decoded network has the outputs of the original; start: the encoded original.

    Minimises ``divergence`` over shifted and flipped images, where the decoded network uses statistics of the batch, as
    after recalibration; plus ``features`` times the mean squared error of the outputs of residual blocks, in units of
    the original's variance (hints, Romero et al. 2015).

    Args:
        encoder: in evaluation mode.
        layout: of the weights.
        weights: of the original (n_weights,).
        units: deviation of each number of z_W over training snapshots (latent,).
        images: uint8 training images of the task (n, 3, h, w).
        search: number of steps, learning rate, weight of features.
        seed: of batches, flips and shifts.
    """
    original = network_for(layout).to(images.device).eval()
    original.load_state_dict(state_dict(weights, layout))
    network = with_batch_statistics(network_for(layout).to(images.device))
    expected_blocks, decoded_blocks = (_block_outputs(model) for model in (original, network))
    with torch.no_grad():
        start = encoder.encode(torch.from_numpy(weights)[None].to(images.device))[0]
    torch.manual_seed(seed)

    def loss(code: torch.Tensor) -> torch.Tensor:
        expected_blocks.clear()
        decoded_blocks.clear()
        batch = torch.randint(0, len(images), (BATCH_SIZE,))
        inputs = normalised(augmented(images[batch.to(images.device)]), layout.normalisation)
        with torch.no_grad():
            expected = original(inputs)
        state = learned_state(encoder.decode(code[None])[0], layout)
        total = divergence(expected, functional_call(network, state, (inputs,)))
        if search.features and expected_blocks:
            pairs = list(zip(expected_blocks, decoded_blocks, strict=True))
            total = total + search.features * sum((a - b).square().mean() / a.var() for a, b in pairs) / len(pairs)
        return total

    scale = torch.from_numpy(np.float32(units)).to(images.device)
    slow_from = search.steps * 3 // 4
    return search_code(loss, start, scale, search.steps, search.learning_rate, slow_from).cpu().numpy()


def _block_outputs(network: nn.Module) -> list[torch.Tensor]:
    """Return a list to which each forward pass appends the outputs of the blocks."""
    outputs: list[torch.Tensor] = []
    for block in network.architecture.blocks(network):
        block.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    return outputs
