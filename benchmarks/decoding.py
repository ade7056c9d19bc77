"""Decoding and evaluating many models on a CPU: ours compared with a straightforward loop.

For every latent the loop decodes, builds a network, loads the state dict, re-estimates statistics on the task's
training images and predicts its validation images, both with a DataLoader. Ours decodes in batches, and copies each
model as one vector into the same network. Both run first without and then with re-estimated statistics: 1,000 models
each, in five rounds. The loop computes statistics over batches of 64, ours over all images, so some predictions differ.
"""

import argparse
import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from side_by_side import ratio, report, seconds
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from wsl.evaluation.outputs import Runner
from wsl.images.inputs import normalised
from wsl.sampling.recalibration import Recalibration
from wsl.weights.codec import WeightCodec
from wsl.weights.coefficients import LinearCodec
from wsl.weights.encoders._autoencoder import PcaEncoder
from wsl.weights.pca import ParameterPCA
from wsl.zoo.architectures.resnet18 import ResNet18
from wsl.zoo.network import flatten, network_for, state_dict

WIDTH, CLASSES, SIZE = 16, 3, 32
TRAINING, VALIDATION = 480, 120  # images per task
COMPONENTS = 32


def pretended_codec(seed: int = 0) -> WeightCodec:
    """Return PCA of every parameter around a random network, with components that change it a little."""
    torch.manual_seed(seed)
    rng, layout = np.random.default_rng(seed), ResNet18(width=WIDTH).layout(CLASSES, None)
    mean, _ = flatten(network_for(layout).state_dict(), layout)
    parameters = []
    for entry in layout.entries:
        count = min(COMPONENTS, entry.size)
        basis, _ = np.linalg.qr(rng.normal(size=(entry.size, count)))
        own = mean[entry.columns]
        limits = {"minimum": 0.1, "variance": np.ones(count), "total_variance": float(count)}
        parameters.append(ParameterPCA(entry.name, "pca", own, components=np.float32(basis.T), **limits))
    linear = LinearCodec(parameters, layout)
    return WeightCodec(linear, PcaEncoder(linear, latent=None).eval(), np.zeros(len(layout.counters), dtype=np.int64))


class Loop:
    """The baseline."""

    def __init__(self, codec: WeightCodec, training: torch.Tensor, validation: torch.Tensor):
        self.codec, self.layout = codec, codec.linear.layout
        self.sets = [DataLoader(TensorDataset(normalised(images)), 64) for images in (training, validation)]

    @torch.no_grad()
    def __call__(self, latents: np.ndarray, statistics: bool) -> torch.Tensor:
        found = []
        for latent in latents:
            weights = self.codec.encoder.decode(torch.from_numpy(latent)[None])[0].numpy()
            network = network_for(self.layout)
            network.load_state_dict(state_dict(weights, self.layout))
            if statistics:
                for layer in network.modules():
                    if isinstance(layer, nn.BatchNorm2d):
                        layer.reset_running_stats()
                        layer.momentum = None
                network.train()
                for (images,) in self.sets[0]:
                    network(images)
            network.eval()
            found.append(torch.cat([network(images) for (images,) in self.sets[1]]))
        return torch.stack(found)


def ours(
    codec: WeightCodec, training: torch.Tensor, inputs: torch.Tensor, latents: np.ndarray, statistics: bool
) -> torch.Tensor:
    """Decode in batches and evaluate."""
    layout = codec.linear.layout
    runner, recalibrate = Runner(layout), Recalibration(layout, torch.empty(0), 0.0)
    found = []
    for start in range(0, len(latents), codec.encoder.models_at_once):
        for weights in codec.decode(latents[start : start + codec.encoder.models_at_once]):
            found.append(runner.logits(recalibrate(weights, training) if statistics else weights, inputs))
    return torch.stack(found)


def answer(answers: dict[str, torch.Tensor], way: str, call: Callable[..., torch.Tensor], batches: Iterator) -> None:
    """Store the predictions of one method for the next models."""
    answers[way] = call(latents=next(batches))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", type=int, default=200, help="in each round")
    given = parser.parse_args()
    torch.set_num_threads(1)
    codec = pretended_codec()
    shape = (given.rounds, given.models, codec.encoder.latent)
    latents = np.random.default_rng(1).normal(0, 0.05, shape).astype(np.float32)
    images = torch.randint(0, 256, (TRAINING + VALIDATION, 3, SIZE, SIZE), dtype=torch.uint8)
    training, validation = images.split([TRAINING, VALIDATION])
    loop, inputs = Loop(codec, training, validation), normalised(validation)
    rows, figures = [], {}
    for statistics, name in ((False, "as decoded"), (True, "with new statistics")):
        answers = {}
        calls = {
            "loop": partial(loop, statistics=statistics),
            "ours": partial(ours, codec, training, inputs, statistics=statistics),
        }
        ways = {way: partial(answer, answers, way, call, iter(latents)) for way, call in calls.items()}
        taken = seconds(ways, given.rounds)
        rows += [
            {"models": name, "way": way, "models per second": given.models / float(np.median(times))}
            for way, times in taken.items()
        ]
        alike = (answers["loop"].argmax(2) == answers["ours"].argmax(2)).float().mean().item()
        key = name.replace(" ", "_")
        figures |= {f"ratio_{key}": ratio(taken["loop"], taken["ours"]), f"agreement_{key}": alike}
    report("decoding", rows, figures)
