"""Members per hour on a CPU: ours compared with one process per member, with a DataLoader or tensors in memory.

All train the same narrow ResNet-18 on the same images with the same recipe, evaluate each epoch and keep two snapshots.
The time includes interpreter starts, reading and, for ours, packing. The baselines run one process at a time with
torch's default number of threads, as their scripts do, and one process per core with one thread each. They train two
members per core, since their cost per member is constant; our cohorts have ten.
"""

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from side_by_side import ratio, report, seconds
from zoos import draw_pictures, ours, plain

MEMBERS_PER_CORE = 2
COHORT = 10
RECIPE = {"width": 16, "batch_size": 32, "epochs": 10}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=64, help="side of the images, pixels")
    given = parser.parse_args()
    cores, recipe = os.cpu_count() or 1, {**RECIPE, "size": given.size}
    alone = [[seed] for seed in range(MEMBERS_PER_CORE * cores)]
    cohorts = [list(range(COHORT * core, COHORT * (core + 1))) for core in range(cores)]
    cohort = f"ours, {COHORT} members per process"
    ways = {
        cohort: partial(ours, cohorts=cohorts, at_once=cores, **recipe),
        "ours, one process per member": partial(ours, cohorts=alone, at_once=cores, **recipe),
    }
    for kind, name in (("loaders", "DataLoader"), ("in_memory", "tensors in memory")):
        for at_once, threads in ((1, 0), (cores, 1)):
            ways[f"{name}, {at_once} at once"] = partial(
                plain, kind, cohorts=alone, at_once=at_once, threads=threads, **recipe
            )
    reached: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        draw_pictures(Path(folder), given.size)
        calls = {way: lambda way=way: reached[way].extend(ways[way](folder=Path(folder))) for way in ways}
        taken = seconds(calls, given.rounds)
    trained = {way: COHORT * cores if way == cohort else len(alone) for way in ways}
    each = {way: np.divide(taken[way], trained[way]) for way in ways}
    rows = [
        {"way": way, "members per hour": 3600 / float(np.median(each[way]))}
        | {"accuracy": float(np.mean(reached[way])), "spread": float(np.std(reached[way]))}
        for way in ways
    ]
    figures = {
        f"ratio_over_{way}".replace(", ", "_").replace(" ", "_"): ratio(each[way], each[cohort])
        for way in ways
        if not way.startswith("ours")
    }
    report("zoo_cpu", rows, figures | {"recipe": {**recipe, "members": trained}})
