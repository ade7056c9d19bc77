"""Members per hour on a GPU: ours, trained together in one process, compared with processes that share the card.

The baseline works like WeightCLIP's `train_resnet18slim_datasetpt_zoo.py`: tensors in memory that move to the card
batch by batch, and several processes, each training one member at a time; the best number of processes is reported.
Architecture, images, batches, epochs, the evaluation of each epoch and the two written snapshots are the same. There is
no augmentation, since that script has none. Only training steps count as work of the card; two thirds are backward.

Without a GPU nothing is measured. ``--device cpu`` tests the benchmark with few members and stores no result.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from side_by_side import ratio, report, seconds
from torch.utils.flop_counter import FlopCounterMode
from zoos import CLASSES, TRAINING, draw_pictures, ours, plain

from wsl.zoo.architectures.resnet18 import ResNet18

# Dense matrix products, 1e12 operations per second, from the data sheets of the cards.
PEAKS = {"H100": {"bfloat16": 989, "float32": 495}, "H200": {"bfloat16": 989, "float32": 495}}


def work(width: int, size: int, epochs: int, batch_size: int) -> float:
    """Return the floating-point operations of a member's training steps: forward, and twice that backward."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        ResNet18(width=width).build(CLASSES, None).eval()(torch.zeros(1, 3, size, size))
    images = CLASSES * TRAINING // batch_size * batch_size
    return 3.0 * counter.get_total_flops() * images * epochs


def split(members: int, parts: int) -> list[list[int]]:
    """Distribute seeds over processes."""
    return [list(map(int, part)) for part in np.array_split(range(members), parts)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--cohorts", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--size", type=int, default=64, help="side of the images, pixels")
    parser.add_argument("--epochs", type=int, default=20)
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit(print("zoo_gpu: no GPU is at hand here, so nothing was measured"))
    recipe = {"batch_size": 32, "epochs": given.epochs, "size": given.size}
    sgd = {"optimizer": "sgd", "learning_rate": 0.01, "weight_decay": 5e-4, "architecture": {"width": given.width}}
    where = {**recipe, **sgd, "device": given.device}
    ways = {
        f"ours, {cohort} together, {precision}": partial(
            ours, cohorts=split(given.members, given.members // cohort), at_once=1, precision=precision,
            **where,
        )
        for cohort in given.cohorts
        for precision in ("float32", "bfloat16")
    } | {
        f"plain, {count} processes": partial(
            plain, cohorts=split(given.members, count), at_once=count, **where
        )
        for count in given.processes
    }  # fmt: skip
    reached: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        draw_pictures(Path(folder), given.size)
        calls = {way: lambda way=way: reached[way].extend(a for a, _ in ways[way](folder=Path(folder))) for way in ways}
        taken = seconds(calls, given.rounds)
    card = torch.cuda.get_device_name() if given.device == "cuda" else "cpu"
    peak = next((peaks for name, peaks in PEAKS.items() if name in card), None)
    total = given.members * work(given.width, **recipe)
    rows = []
    for way in ways:
        middle = float(np.median(taken[way]))
        bits = "bfloat16" if "bfloat16" in way else "float32"
        share = total / middle / (peak[bits] * 1e12) if peak else None
        row = {"way": way, "members per hour": 3600 * given.members / middle, "share of peak": share}
        rows.append(row | {"accuracy": float(np.mean(reached[way])), "spread": float(np.std(reached[way]))})
    own, baselines = ([way for way in ways if way.startswith(start)] for start in ("ours", "plain"))
    best = min(baselines, key=lambda way: np.median(taken[way]))
    ratios = {f"ratio_{way}".replace(", ", "_").replace(" ", "_"): ratio(taken[best], taken[way]) for way in own}
    figures = ratios | {"baseline": best, "card": card, "recipe": recipe, "members": given.members}
    report("zoo_gpu", rows, figures, keep=given.device == "cuda")
