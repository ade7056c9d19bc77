"""Distilled images in place of the class mean: dataset distillation by gradient matching.

Zhao, Mopuri and Bilen, "Dataset Condensation with Gradient Matching", ICLR 2021.
"""

import itertools
import logging
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from wsl.datasets.clip import Clip
from wsl.files import new_hdf5, open_hdf5
from wsl.images.inputs import normalised
from wsl.randomness import integer_seed

log = logging.getLogger(__name__)
OUTPUTS = 10  # of the random head; the paper's data sets have ten classes
MOMENTUM = 0.5  # of the pixels' SGD, the paper's


def embed_distilled(
    packed: str | Path,
    clip: str | Path,
    out: str | Path,
    images: int,
    steps: int,
    learning_rate: float,
    batch_size: int,
    width: int,
    model: str,
    weights: str | None,
    seed: int,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Write a class file whose mean is that of the class's distilled images, which come from *training* images alone.

    Args:
        packed: the class's packed images.
        clip: the class's CLIP features, see ``wsl.datasets.class_means.embed_classes``.
        out: HDF5 file as ``clip``, but for ``mean`` (dimension,), the mean CLIP features of the distilled images, and
            with ``distilled`` (images, size, size, 3), uint8. ``features`` stay those of the real images.
        images, steps, learning_rate, batch_size, width: see ``distil``.
        model, weights, seed: see ``wsl.datasets.clip.Clip``; each class's distillation has a seed of its own from it.
        device: ``cpu`` or ``cuda``; threads: CPU threads.
    """
    torch.set_num_threads(threads)
    with open_hdf5(packed) as file:
        name, real = file.attrs["class"], torch.from_numpy(file["train"][...]).permute(0, 3, 1, 2).contiguous()
    own = integer_seed(seed, "distilled", name)
    made = distil(real.to(device), images, steps, learning_rate, batch_size, width, own)
    mean = Clip(model, weights, seed, device).features(made).mean(0)
    with open_hdf5(clip) as source, new_hdf5(out) as file:
        file.attrs.update(source.attrs)
        file.attrs["encoder"] = "distilled"
        for key in source:
            if key != "mean":
                source.copy(key, file)
        file.create_dataset("mean", data=mean.cpu().numpy())
        file.create_dataset("distilled", data=made.permute(0, 2, 3, 1).cpu().numpy())
    log.info("class %s: %d images distilled to %d", name, len(real), len(made))


def distil(
    real: torch.Tensor, images: int, steps: int, learning_rate: float, batch_size: int, width: int, seed: int
) -> torch.Tensor:
    """Return a few synthetic uint8 images (images, 3, size, size) that teach a network what the real ones would.

    In every step a fresh random network compares the gradients of its loss on a batch of real images and on the
    synthetic ones, and the pixels follow the difference downhill. The loss is cross-entropy, a class's images all being
    of the first of ``OUTPUTS`` classes. No image of another class is needed: the paper too takes each class's gradients
    by themselves, and for one image a class its networks are never trained, so that other classes enter by the random
    rows of the head alone. So a class's file hangs on its own images and on nothing else, whatever classes a run has.

    Args:
        real: uint8 (n, 3, size, size), square; they start from the first of these.
        images: how many to make; no more than there are real ones.
        steps: random networks.
        learning_rate: of the pixels, in units of ``normalised``.
        batch_size: most real images a step.
        width: channels of the networks.
        seed: of networks and batches.
    """
    torch.manual_seed(seed)
    inputs = normalised(real)
    # Black and white, between which pixels stay: what is saved is what was matched.
    low, high = normalised(torch.tensor([0, 255], dtype=torch.uint8, device=real.device).view(2, 1, 1, 1)).unbind()
    pixels = inputs[:images].clone().requires_grad_()
    optimizer = torch.optim.SGD([pixels], learning_rate, momentum=MOMENTUM)
    for step in range(steps):
        network = convnet(width, real.shape[-1]).to(real.device)
        batch = inputs[torch.randperm(len(inputs))[:batch_size].to(real.device)]
        distance = matching_distance(network, batch, pixels)
        optimizer.zero_grad()
        distance.backward(inputs=[pixels])
        optimizer.step()
        with torch.no_grad():
            pixels.clamp_(low, high)
        if step in (0, steps - 1):
            log.info("step %d: distance of gradients %.4f", step + 1, distance)
    return ((pixels.detach() - low) / (high - low) * 255).round().to(torch.uint8)


def matching_distance(network: nn.Module, real: torch.Tensor, synthetic: torch.Tensor) -> torch.Tensor:
    """Return D of the paper's section 3: 1 - cosine of the two gradients, summed over the output rows of all layers.

    Args:
        network: any with weights of two dimensions or more; biases and norms are left out, as the authors' code does.
        real: inputs (n, 3, size, size); synthetic: inputs (m, 3, size, size), through which the distance is
            differentiable.
    """
    weights = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    wanted = torch.autograd.grad(_loss(network, real), weights)
    found = torch.autograd.grad(_loss(network, synthetic), weights, create_graph=True)
    pairs = zip(wanted, found, strict=True)
    return sum((1 - functional.cosine_similarity(a.flatten(1), b.flatten(1), dim=1)).sum() for a, b in pairs)


def convnet(width: int, size: int) -> nn.Sequential:
    """Return the paper's network for square images, random: blocks that halve the side down to 4 pixels, then a head.

    Instance normalisation, unlike the zoo's batch normalisation, can take an image by itself.
    """
    halvings = max((size // 4).bit_length() - 1, 1)
    blocks = [
        nn.Sequential(
            nn.Conv2d(into, width, 3, padding=1), nn.GroupNorm(width, width), nn.ReLU(inplace=True), nn.AvgPool2d(2)
        )
        for into in itertools.islice(itertools.chain([3], itertools.repeat(width)), halvings)
    ]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(width * (size >> halvings) ** 2, OUTPUTS))


def _loss(network: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(network(inputs), torch.zeros(len(inputs), dtype=torch.long, device=inputs.device))
