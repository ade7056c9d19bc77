"""Latent refinement: a few gradient steps on a sampled model's code, or as many on all of its weights."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.func import functional_call
from torch.nn import functional

from wsl.images.inputs import normalised
from wsl.sampling.recalibration import re_estimate
from wsl.weights.code_search import search_code
from wsl.weights.codec import WeightCodec
from wsl.weights.fitted import LinearStage
from wsl.zoo.network import flatten, learned_state, network_for, state_dict, with_batch_statistics


@dataclass(frozen=True)
class Budget:
    """The budget of one refinement."""

    steps: int = 10  # gradient steps of Adam
    batch_size: int = 64  # images per step, at most all
    learning_rate: float = 0.05  # of the code, in units of its training deviations
    fine_tuning_rate: float = 1e-3  # of all weights


class Decoder:
    """A differentiable decoder of codes in the space ``latent`` (z_W) or ``coefficients`` (C_m)."""

    def __init__(self, codec: WeightCodec, space: str, device: str = "cpu"):
        module = codec.encoder if space == "latent" else LinearStage(codec.linear)
        self.module = module if device == "cpu" else copy.deepcopy(module).to(device)  # the codec stays on the CPU
        self.layout, self.device = codec.linear.layout, device

    def weights(self, code: np.ndarray) -> np.ndarray:
        """Return flat weights (n_weights,) of a code (code,), with decoded running statistics."""
        with torch.no_grad():
            return self.module.decode(torch.from_numpy(code)[None].to(self.device))[0].cpu().numpy()

    def state(self, code: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the learned parameters by name, as differentiable functions of a code (code,)."""
        return learned_state(self.module.decode(code[None])[0], self.layout)


@dataclass(frozen=True)
class Refined:
    """Flat weights (n_weights,) of one sampled model, all with running statistics of the same images."""

    before: np.ndarray  # as sampled
    refined: np.ndarray  # after steps on the code
    fine_tuned: np.ndarray  # after the same number of steps on all weights, with the same batches


def batches(images: int, batch_size: int, steps: int, seed: int) -> Iterator[torch.Tensor]:
    """Yield ``steps`` full batches of indices, shuffled again after each pass."""
    generator = torch.Generator().manual_seed(seed)
    size, remaining = min(batch_size, images), torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        if len(remaining) < size:
            remaining = torch.randperm(images, generator=generator)
        yield remaining[:size]
        remaining = remaining[size:]


def refine(
    decoder: Decoder,
    code: np.ndarray,
    units: np.ndarray,
    images: torch.Tensor,
    labels: torch.Tensor,
    budget: Budget,
    seed: int,
) -> Refined:
    """Refine a sampled model on training images, once by its code and once by all its weights.

    Both minimise the cross-entropy over the same batches, with Adam and statistics of the batch. Running statistics are
    then re-estimated on all images. The budget does not count the decoding.

    Args:
        decoder: of codes.
        code: of the sampled model (code,).
        units: training deviation of each number of the code (code,); those with deviation 0 do not change.
        images: uint8 training images (n, 3, h, w), on the decoder's device.
        labels: (n,), on the decoder's device.
        budget: of each refinement.
        seed: of the batches.
    """
    code = np.float32(code)
    network = network_for(decoder.layout).to(images.device)

    def with_statistics() -> np.ndarray:
        re_estimate(network, images)
        return flatten(network.architecture.snapshot(network), decoder.layout)[0]

    def load(weights: np.ndarray) -> None:
        network.load_state_dict(state_dict(weights, decoder.layout))

    load(decoder.weights(code))
    before = with_statistics()

    with_batch_statistics(network)
    code_batches = batches(len(images), budget.batch_size, budget.steps, seed)

    def loss_of(code: torch.Tensor) -> torch.Tensor:
        batch = next(code_batches)
        inputs = normalised(images[batch.to(images.device)], network.normalisation)
        return functional.cross_entropy(functional_call(network, decoder.state(code), (inputs,)), labels[batch])

    start, scale = (torch.from_numpy(np.float32(values)).to(images.device) for values in (code, units))
    refined_code = search_code(loss_of, start, scale, budget.steps, budget.learning_rate)
    load(decoder.weights(refined_code.cpu().numpy()))
    refined = with_statistics()

    load(before)
    network.architecture.for_training(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=budget.fine_tuning_rate, fused=True)
    with_batch_statistics(network)
    for batch in batches(len(images), budget.batch_size, budget.steps, seed):
        optimizer.zero_grad()
        inputs = normalised(images[batch.to(images.device)], network.normalisation)
        functional.cross_entropy(network(inputs), labels[batch]).backward()
        optimizer.step()
    return Refined(before, refined, with_statistics())
