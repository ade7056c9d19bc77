"""Latent refinement: a few gradient steps on a sampled model's code, compared with as many on all of its weights."""

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
from wsl.zoo.network import flatten, learned_state, network_for, state_dict


@dataclass(frozen=True)
class Budget:
    """How much a model may be refined.

    Attributes:
        steps: gradient steps of Adam.
        batch_size: images per step; all images where there are fewer.
        learning_rate: of the code, in units of its training deviations.
        fine_tuning_rate: of all weights.
    """

    steps: int = 10
    batch_size: int = 64
    learning_rate: float = 0.05
    fine_tuning_rate: float = 1e-3


class Decoder:
    """Decodes codes as ``WeightCodec`` does, but differentiably, and without running statistics.

    Args:
        codec: of weights.
        space: what its codes are: ``latent`` (z_W) or ``coefficients`` (C_m).
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, codec: WeightCodec, space: str, device: str = "cpu"):
        module = codec.encoder if space == "latent" else LinearStage(codec.linear)
        # The codec's own stays where it is.
        self.module = module if device == "cpu" else copy.deepcopy(module).to(device)
        self.layout, self.device = codec.linear.layout, device

    def weights(self, code: np.ndarray) -> np.ndarray:
        """Return flat weights (n_weights,) of a code (code,), decoded running statistics included."""
        with torch.no_grad():
            return self.module.decode(torch.from_numpy(code)[None].to(self.device))[0].cpu().numpy()

    def state(self, code: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the learned parameters of a code (code,) by name, each a differentiable function of it."""
        return learned_state(self.module.decode(code[None])[0], self.layout)


@dataclass(frozen=True)
class Refined:
    """Flat weights (n_weights,) of one sampled model, each with running statistics of the same images.

    Attributes:
        before: as sampled.
        refined: after steps on its code.
        fine_tuned: after as many steps on all its weights, over the same batches.
    """

    before: np.ndarray
    refined: np.ndarray
    fine_tuned: np.ndarray


def batches(images: int, batch_size: int, steps: int, seed: int) -> Iterator[torch.Tensor]:
    """Yield ``steps`` full batches of indices, in an order that is shuffled again whenever it ends."""
    generator = torch.Generator().manual_seed(seed)
    size, waiting = min(batch_size, images), torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        if len(waiting) < size:
            waiting = torch.randperm(images, generator=generator)
        yield waiting[:size]
        waiting = waiting[size:]


def refine(
    decoder: Decoder,
    code: np.ndarray,
    units: np.ndarray,
    images: torch.Tensor,
    labels: torch.Tensor,
    budget: Budget,
    seed: int,
) -> Refined:
    """Refine a sampled model on training images in two ways that see the same images equally often.

    Both minimise the cross-entropy with Adam under statistics of the batch; at the end running statistics are
    re-estimated on all images. Decoding adds a little to a step on the code, and is not counted.

    Args:
        decoder: of codes.
        code: of the sampled model (code,).
        units: training deviation of each of its numbers (code,); those that never vary stay as they are.
        images: uint8 training images (n, 3, h, w); labels: (n,); both on the decoder's device.
        budget: of each way.
        seed: of the batches.
    """
    code = np.float32(code)
    network = network_for(decoder.layout).to(images.device)

    def with_statistics() -> np.ndarray:
        re_estimate(network, images)
        return flatten(network.state_dict(), decoder.layout)[0]

    def load(weights: np.ndarray) -> None:
        network.load_state_dict(state_dict(weights, decoder.layout))

    load(decoder.weights(code))
    before = with_statistics()

    network.train()
    drawn = batches(len(images), budget.batch_size, budget.steps, seed)

    def loss_of(moved: torch.Tensor) -> torch.Tensor:
        batch = next(drawn)
        inputs = normalised(images[batch.to(images.device)])
        return functional.cross_entropy(functional_call(network, decoder.state(moved), (inputs,)), labels[batch])

    start, scale = (torch.from_numpy(np.float32(values)).to(images.device) for values in (code, units))
    moved = search_code(loss_of, start, scale, budget.steps, budget.learning_rate)
    load(decoder.weights(moved.cpu().numpy()))
    refined = with_statistics()

    load(before)
    optimizer = torch.optim.Adam(network.parameters(), lr=budget.fine_tuning_rate)
    network.train()
    for batch in batches(len(images), budget.batch_size, budget.steps, seed):
        optimizer.zero_grad()
        functional.cross_entropy(network(normalised(images[batch.to(images.device)])), labels[batch]).backward()
        optimizer.step()
    return Refined(before, refined, with_statistics())
