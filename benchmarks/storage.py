"""Bytes per snapshot in float32 and in float16, compared with torch.save of its state dict, and the effect of rounding.

Members on all ten handwritten digits are trained once, with one snapshot per epoch, and written in both formats. Early
snapshots are included, since a network that is already accurate may hide the effect of rounding. All are evaluated on
test images.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from side_by_side import report
from torch.nn import functional

from wsl.evaluation.outputs import Runner, accuracy, compare
from wsl.images.inputs import load_task, normalised
from wsl.images.packing import pack_class
from wsl.images.settings import Packing
from wsl.zoo.architectures.resnet18 import ResNet18
from wsl.zoo.member import Member, read_member, write_members
from wsl.zoo.network import state_dict
from wsl.zoo.settings import MemberTraining
from wsl.zoo.training import Training

CLASSES, SIZE, EPOCHS = list("0123456789"), 16, 8
PLAN = {"classes": CLASSES, "optimizer": "adam", "learning_rate": 1e-3, "weight_decay": 5e-4, "batch_size": 64}
SHARED = {"augment": True, "snapshots": list(range(1, EPOCHS + 1))}
MEASURED = ["bytes per snapshot", "accuracy", "loss", "agreement"]


def train(packed: list[Path], member: int, width: int) -> Member:
    """Train a member with one snapshot per epoch."""
    plan = {**PLAN, "member": member, "seed": member, "early_epoch": 1, "max_epoch": EPOCHS}
    training = Training(packed, plan, MemberTraining(architecture={"width": width}, **SHARED))
    training.run()
    return training.member()


def stored(member: Member, folder: Path) -> Iterator[tuple[str, np.ndarray, float]]:
    """Write a member in both formats; yield the format, the snapshots as read back, and the bytes per snapshot."""
    for storage in ("float32", "float16"):
        path = folder / f"{storage}.h5"
        write_members(path, [replace(member, weights=member.weights.astype(storage))])
        yield storage, read_member(path).weights, path.stat().st_size / EPOCHS


def judged(member: Member, folder: Path, runner: Runner, inputs: torch.Tensor, labels: torch.Tensor) -> Iterator[dict]:
    """Yield one row per stored snapshot, with its accuracy and its agreement with float32."""
    exact: list[torch.Tensor] = []
    for storage, snapshots, size in stored(member, folder):
        answers = [runner.logits(weights, inputs) for weights in snapshots]
        exact = exact or answers
        for epoch, (logits, before) in enumerate(zip(answers, exact, strict=True), start=1):
            yield {
                "way": storage,
                "member": member.plan["member"],
                "epoch": epoch,
                "bytes per snapshot": size,
                "accuracy": accuracy(logits, labels),
                "loss": functional.cross_entropy(logits, labels).item(),
                "agreement": compare(before, logits)["agreement"],
            }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--width", type=int, default=16)
    given = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    layout, rows = ResNet18(width=given.width).layout(len(CLASSES), SIZE), []
    runner = Runner(layout)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        packed = [folder / f"{name}.h5" for name in CLASSES]
        source = {"name": "digits", "test_share": 0.4}
        for name, path in zip(CLASSES, packed, strict=True):
            pack_class(path, name, Packing(source=source, size=SIZE, validation_share=0.1, minimum=1), seed=0)
        images, labels = load_task(packed, "test")
        for seed in range(given.members):
            member = train(packed, seed, given.width)
            rows += judged(member, folder, runner, normalised(images), labels)
        torch.save(state_dict(member.weights[-1], layout), folder / "state.pt")
        plain = {"way": "torch.save", "bytes per snapshot": (folder / "state.pt").stat().st_size}
    table = pd.DataFrame(rows)
    shown = table[table["epoch"].isin([1, EPOCHS])].groupby(["way", "epoch"], sort=False)[MEASURED].mean()
    apart = table.pivot(index=["member", "epoch"], columns="way", values=["accuracy", "loss"])
    changes = {key: (apart[key]["float16"] - apart[key]["float32"]) for key in ("accuracy", "loss")}
    figures = {f"mean_change_of_{key}": float(change.mean()) for key, change in changes.items()}
    figures |= {f"largest_change_of_{key}": float(change.abs().max()) for key, change in changes.items()}
    about = {"snapshots": len(apart), "test_images": len(labels), "width": given.width}
    report("storage", [*shown.reset_index().to_dict("records"), plain], figures | about)
