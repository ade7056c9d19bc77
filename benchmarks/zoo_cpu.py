"""Members per hour on a CPU: ours compared with the strongest plain way, for three architectures.

The plain way trains one member after the other in one process per core: tensors in memory that are normalised once, one
thread, channels_last, fused updates. Ours trains cohorts in one process per core, with each member's own batches and
with batches that the cohort shares. All train on the same images with the same recipe, evaluate each epoch and keep two
snapshots. Members are as long as in studies of small networks: 25 epochs of 5,000 images. ResNets, which take longer,
see 960 images in fewer epochs.

``members per hour`` includes starts of interpreters, decoding of images and, for ours, packing; every process trains as
many members. ``without starts`` counts the training loops alone, by their seconds of processor time, and so do ratios
that are named ``training only``. The share of the processor's peak is the work of all passes in that time, as a
fraction of a large float32 matrix product on the same core.
"""

import argparse
import os
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from side_by_side import ratio, report, seconds
from torch.utils.flop_counter import FlopCounterMode
from zoos import CLASSES, draw_pictures, ours, plain

from wsl.zoo.settings import MemberTraining

SGD = {"optimizer": "sgd", "learning_rate": 0.01, "weight_decay": 5e-4}
ADAM = {"optimizer": "adam", "learning_rate": 1e-3, "weight_decay": 0.0}
SLIM = {"size": 32, "batch_size": 32, "augment": True, **SGD}
RECIPES = {
    "cnn-small": {"architecture": {"name": "cnn-small"}, "size": 32, "batch_size": 32, "epochs": 25, **ADAM},
    "mlp": {
        "architecture": {"name": "mlp", "widths": [32, 32], "channels": 1},
        "size": 28,
        "batch_size": 32,
        "epochs": 25,
        **ADAM,
    },
    "resnet18": {"architecture": {"width": 8}, "epochs": 3, **SLIM},
    "resnet18, width 16": {"architecture": {"width": 16}, "epochs": 2, **SLIM},
}
IMAGES = {"cnn-small": 1667, "mlp": 1667, "resnet18": 320, "resnet18, width 16": 320}  # for training, per class
MEMBERS = {"cnn-small": 6, "mlp": 32, "resnet18": 4, "resnet18, width 16": 2}  # per process


def work(images: int, architecture: dict, size: int, epochs: int, batch_size: int) -> float:
    """Return the floating-point operations of a member's training steps: forward, and twice that backward."""
    counter, network = FlopCounterMode(display=False), MemberTraining(architecture=architecture).architecture
    with counter, torch.no_grad():
        network.network(CLASSES, size).eval()(torch.zeros(1, 3, size, size))
    return 3.0 * counter.get_total_flops() * (CLASSES * images // batch_size * batch_size) * epochs


def peak(count: int = 20, side: int = 1024) -> float:
    """Return the floating-point operations per second of a large float32 matrix product on one core."""
    torch.set_num_threads(1)
    one, other, best = torch.randn(side, side), torch.randn(side, side), np.inf
    for _ in range(count):
        begun = time.process_time()
        one @ other
        best = min(best, time.process_time() - begun)
    return 2 * side**3 / best


def measure(name: str, rounds: int, best: float, images: int, members: int) -> tuple[list[dict], dict]:
    """Return rows and ratios of one recipe.

    Args:
        name: of the recipe.
        rounds: repetitions.
        best: operations per second of a core.
        images: for training, per class.
        members: per process; there is one process per core.
    """
    recipe, cores = RECIPES[name], os.cpu_count() or 1
    cohorts = np.arange(cores * members).reshape(cores, members).tolist()
    shared = {"cohorts": cohorts, "at_once": cores, **recipe}
    ways = {
        "plain": partial(plain, **shared),
        "ours, own batches": partial(ours, **shared),
        "ours, shared batches": partial(ours, batches="cohort", **shared),
    }
    reached: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        draw_pictures(Path(folder), recipe["size"], images, max(images // 8, 1))
        calls = {way: lambda way=way: reached[way].extend(ways[way](folder=Path(folder))) for way in ways}
        taken = seconds(calls, rounds)
    steps = work(images, *(recipe[key] for key in ("architecture", "size", "epochs", "batch_size")))
    rows, figures, quickest = [], {}, {}
    for way in ways:
        accuracies, training = zip(*reached[way], strict=True)
        # Processes of the plain way time each member, ours a whole cohort.
        quickest[way] = float(np.min(np.reshape(training, (rounds * cores, -1)).mean(1)))
        rate = {"members per hour": 3600 * cores * members / float(np.median(taken[way]))}
        rate |= {"without starts": 3600 * cores / quickest[way], "CPU seconds per member": quickest[way]}
        results = {"accuracy": float(np.mean(accuracies)), "spread": float(np.std(accuracies))}
        share = {"share of the peak": steps / quickest[way] / best}
        rows.append({"network": name, "way": way, "members": cores * members, **rate, **share, **results})
        if way != "plain":
            key = f"{name} {way}".replace(", ", "_").replace(" ", "_")
            figures[f"ratio_{key}"] = ratio(taken["plain"], taken[way])
            figures[f"training_only_{key}"] = quickest["plain"] / quickest[way]
    return rows, figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--recipes", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--tiny", action="store_true", help="few images and members, to try it; stores no result")
    given = parser.parse_args()
    rows, figures = [], {"peak": peak()}
    for name in given.recipes:
        sizes = (16, 2) if given.tiny else (IMAGES[name], MEMBERS[name])
        more, ratios = measure(name, given.rounds, figures["peak"], *sizes)
        rows, figures = rows + more, figures | ratios
    report("zoo_cpu", rows, figures, keep=not given.tiny)
