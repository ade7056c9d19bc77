"""Dataset distillation by gradient matching: a few synthetic images that replace a class.

Zhao, Mopuri and Bilen, "Dataset Condensation with Gradient Matching", ICLR 2021.
"""

import logging
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from wsl.datasets.clip import Clip
from wsl.datasets.encoders.base import ClassFiles
from wsl.datasets.settings import ClipModel
from wsl.files.hdf5 import new_hdf5, open_hdf5
from wsl.images.inputs import normalised
from wsl.jobs.job import Job
from wsl.randomness import integer_seed

log = logging.getLogger(__name__)
IMAGES = 1  # per class
STEPS = 200  # random networks whose gradients the images match
LEARNING_RATE = 0.1  # of the pixels, in units of normalised inputs
BATCH = 32  # maximum number of real images per step
WIDTH = 16  # channels of the random networks
OUTPUTS = 10  # of the random head; the paper's data sets have ten classes
MOMENTUM = 0.5  # of the pixels' SGD, as in the paper


def embed_distilled(inputs: ClassFiles, out: str | Path, model: ClipModel, job: Job = Job()) -> None:  # noqa: B008
    """Write a class file with images distilled from the *training* images of the class.

    It is as that of the CLIP features, except ``mean`` (dimension,), the mean CLIP features of the distilled images,
    and ``distilled`` (images, size, size, 3), uint8. The seed of distillation derives from the job's and the class.
    """
    torch.set_num_threads(job.threads)
    with open_hdf5(inputs.packed) as file:
        name, real = file.attrs["class"], torch.from_numpy(file["train"][...]).permute(0, 3, 1, 2).contiguous()
    distilled = distil(real.to(job.device), integer_seed(job.seed, "distilled", name))
    mean = Clip(model.model, model.weights, job.seed, job.device).features(distilled).mean(0)
    with open_hdf5(inputs.clip) as source, new_hdf5(out) as file:
        file.attrs.update(source.attrs)
        file.attrs["encoder"] = "distilled"
        for key in source:
            if key != "mean":
                source.copy(key, file)
        file.create_dataset("mean", data=mean.cpu().numpy())
        file.create_dataset("distilled", data=distilled.permute(0, 2, 3, 1).cpu().numpy())
    log.info("class %s: %d images distilled to %d", name, len(real), len(distilled))


def distil(real: torch.Tensor, seed: int) -> torch.Tensor:
    """Return ``IMAGES`` synthetic uint8 images (images, 3, size, size) that train a network like the real images do.

    In each step a new random network compares the gradients of its loss on a batch of real images and on the synthetic
    images, and the pixels follow the gradient of the difference. The loss is cross-entropy, and all images have the
    first of ``OUTPUTS`` labels. As in the paper, the gradients of each class are matched separately, and networks are
    not trained for one image per class: images of other classes have no effect. The first images of ``real``, uint8
    (n, 3, size, size), initialise the synthetic images.
    """
    torch.manual_seed(seed)
    inputs = normalised(real)
    # Pixels stay between black and white, so that the saved images are those that were matched.
    low, high = normalised(torch.tensor([0, 255], dtype=torch.uint8, device=real.device).view(2, 1, 1, 1)).unbind()
    pixels = inputs[:IMAGES].clone().requires_grad_()
    optimizer = torch.optim.SGD([pixels], LEARNING_RATE, momentum=MOMENTUM)
    for step in range(STEPS):
        network = convnet(WIDTH, real.shape[-1]).to(real.device)
        batch = inputs[torch.randperm(len(inputs))[:BATCH].to(real.device)]
        distance = matching_distance(network, batch, pixels)
        optimizer.zero_grad()
        distance.backward(inputs=[pixels])
        optimizer.step()
        with torch.no_grad():
            pixels.clamp_(low, high)
        if step in (0, STEPS - 1):
            log.info("step %d: distance of gradients %.4f", step + 1, distance)
    return ((pixels.detach() - low) / (high - low) * 255).round().to(torch.uint8)


def matching_distance(network: nn.Module, real: torch.Tensor, synthetic: torch.Tensor) -> torch.Tensor:
    """Return D of the paper's section 3: 1 - cosine of the two gradients, summed over the output rows of all layers.

    As in the authors' code, biases and norms are left out. The distance is differentiable in the synthetic inputs.
    """
    weights = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    expected = torch.autograd.grad(_loss(network, real), weights)
    gradients = torch.autograd.grad(_loss(network, synthetic), weights, create_graph=True)
    pairs = zip(expected, gradients, strict=True)
    return sum((1 - functional.cosine_similarity(a.flatten(1), b.flatten(1), dim=1)).sum() for a, b in pairs)


def convnet(width: int, size: int) -> nn.Sequential:
    """Return the untrained network of the paper: blocks that halve the side of images down to 4 pixels, and a head.

    Instance normalisation, unlike the zoo's batch normalisation, works for a single image.
    """
    halvings = max((size // 4).bit_length() - 1, 1)
    blocks = [
        nn.Sequential(
            nn.Conv2d(into, width, 3, padding=1), nn.GroupNorm(width, width), nn.ReLU(inplace=True), nn.AvgPool2d(2)
        )
        for into in [3, *[width] * (halvings - 1)]
    ]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(width * (size >> halvings) ** 2, OUTPUTS))


def _loss(network: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(network(inputs), torch.zeros(len(inputs), dtype=torch.long, device=inputs.device))
