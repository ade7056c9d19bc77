"""Images and outputs of models, without the library's reading of images and its evaluation."""

import h5py
import numpy as np
import torch

from tests.networks import resnet18, resnet18_layout
from wsl.zoo.network import state_dict

LAYOUT = resnet18_layout(2, 3)


def network_of(weights):
    """The network of flat weights, in evaluation mode."""
    network = resnet18(2, 3)
    network.load_state_dict(state_dict(weights, LAYOUT))
    return network.eval()


def photos(packed, task, part, most=None):
    """Normalised images of a task's classes, and their labels."""
    images = [h5py.File(packed[name])[part][:most] for name in task]
    pixels = (np.concatenate(images) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float(), np.repeat(range(len(task)), [*map(len, images)])


@torch.no_grad()
def outputs(weights, inputs):
    """Logits (n, classes), float64."""
    return network_of(weights)(inputs).double()
