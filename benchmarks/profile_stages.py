"""Profile of a training epoch, of PCA of a parameter in a file, and of the evaluation of decoded models.

One thread, each stage under a profiler. A share is a fraction of the stage's time; parts below 2 % are summed.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import cProfile
import pstats
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import torch
from decoding import ours, pretended_codec
from pca import fit, pretended
from side_by_side import report
from torch.profiler import profile
from zoo_cpu import RECIPES
from zoos import draw_pictures, member_plan, pack

from wsl.images.inputs import load_task, normalised
from wsl.zoo.settings import MemberTraining
from wsl.zoo.stack import Stack
from wsl.zoo.stack_choice import most_together
from wsl.zoo.training import Training

LEAST = 0.02


def rows_of(stage: str, parts: dict[str, float]) -> list[dict[str, Any]]:
    """Return one row per large part of a stage, sorted by share, and one row for the rest."""
    shares = pd.Series(parts).sort_values(ascending=False) / sum(parts.values())
    large = shares[shares >= LEAST]
    return [
        {"stage": stage, "part": part, "share": share}
        for part, share in [*large.items(), ("everything else", 1 - large.sum())]
    ]


def by_operation(call: Callable[[], Any]) -> dict[str, float]:
    """Return the self time of each torch operation."""
    call()  # warm-up
    with profile() as found:
        call()
    return {event.key: event.self_cpu_time_total for event in found.key_averages()}


def by_function(call: Callable[[], Any]) -> dict[str, float]:
    """Return the self time of each Python function."""
    found = cProfile.Profile()
    found.runcall(call)
    parts: dict[str, float] = {}
    for (_, _, name), (_, _, own, _, _) in pstats.Stats(found).stats.items():
        parts[name] = parts.get(name, 0.0) + own
    return parts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_700, help="snapshots")
    parser.add_argument("--columns", type=int, default=147_456, help="numbers of the parameter")
    parser.add_argument("--models", type=int, default=20)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        draw_pictures(folder, 64)
        pack(folder, 64)
        plan = member_plan(folder, 0, {**RECIPES["mlp"], "epochs": 3})
        packed = [folder / f"{name}.h5" for name in plan["classes"]]
        rows = []
        for name, recipe in RECIPES.items():
            settings = MemberTraining(architecture=recipe["architecture"], augment=recipe.get("augment", False))
            own = folder / name
            draw_pictures(own, recipe["size"])
            pack(own, recipe["size"])
            plans = [member_plan(own, seed, {**recipe, "epochs": 99, "batches": "cohort"}) for seed in range(10)]
            members = [Training([own / f"{one}.h5" for one in plan["classes"]], plan, settings) for plan in plans]
            stack = Stack(members[: most_together(members[0], recipe["batch_size"])])
            rows += rows_of(f"training, {name}, {len(stack.trainings)} members", by_operation(stack.run_epoch))
        with h5py.File(folder / "weights.h5", "w") as file:
            file["weights"] = pretended(given.rows, given.columns)
            rows += rows_of(f"PCA, {given.rows} x {given.columns}", by_function(partial(fit, file["weights"])))
        codec = pretended_codec()
        latents = np.random.default_rng(1).normal(0, 0.05, (given.models, codec.encoder.latent)).astype(np.float32)
        training, validation = (load_task(packed, part)[0] for part in ("train", "validation"))
        judge = partial(ours, codec, training, normalised(validation), latents, True)
        rows += rows_of("decoding, statistics, evaluation", by_operation(judge))
    report("profile_stages", rows, {})
