"""Members an hour on a CPU: ours beside a process a member, with a DataLoader over JPEGs or with tensors in memory.

All train the same slim ResNet-18 on the same images with the same recipe, evaluate each epoch and keep two snapshots;
interpreter starts, reading and, for ours, packing count. Rivals run one process at a time with torch's own choice of
threads, as their scripts do, and one process a core with one thread each. Each trains two members a core, since theirs
cost the same however many there are; our cohorts have ten.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from side_by_side import ratio, report, seconds

CLASSES, TRAINING, VALIDATION = 3, 160, 40
MEMBERS_A_CORE = 2
COHORT = 10
RECIPE = {"width": 16, "batch_size": 32, "epochs": 10}


def draw_pictures(folder: Path, size: int, seed: int = 0) -> None:
    """Write photographs' stand-ins: smooth random colours over a pattern of their class, as JPEG."""
    rng = np.random.default_rng(seed)
    for name in "abc"[:CLASSES]:
        pattern = rng.normal(size=(6, 6, 3))
        for part, count in (("train", TRAINING), ("val", VALIDATION)):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                coarse = 128 + 25 * pattern + 55 * rng.normal(size=(6, 6, 3))
                image = Image.fromarray(coarse.clip(0, 255).astype(np.uint8)).resize((size, size), Image.BICUBIC)
                noisy = np.asarray(image) + rng.normal(size=(size, size, 3)) * 12
                picture = folder / part / name / f"{number}.jpeg"
                Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(picture)
                (folder / "all" / name).mkdir(parents=True, exist_ok=True)
                os.link(picture, folder / "all" / name / f"{part}-{number}.jpeg")


def run_all(commands: list[list[str]], at_once: int, threads: int) -> list[float]:
    """Run processes, so many at once, and return the accuracies that they printed."""
    environment = dict(os.environ)
    if threads:
        environment |= {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    waiting, running, printed = list(commands), [], []
    while waiting or running:
        while waiting and len(running) < at_once:
            running.append(subprocess.Popen(waiting.pop(0), stdout=subprocess.PIPE, text=True, env=environment))
        first = running.pop(0)
        printed.append(first.communicate()[0])
        if first.returncode:
            raise SystemExit(f"{first.args} failed")
    return [accuracy for text in printed for accuracy in json.loads(text)]


def ours(folder: Path, size: int, members: int, cores: int, cohort: bool) -> list[float]:
    """Pack images and train members, a thread a core; in cohorts, or a process a member."""
    seeds = [list(map(int, part)) for part in np.array_split(range(members), cores if cohort else members)]
    run_all([[sys.executable, __file__, "--pack", str(folder), str(size)]], 1, 1)
    asked = [[sys.executable, __file__, "--cohort", str(folder), json.dumps(some)] for some in seeds]
    return run_all(asked, cores, 1)


def plain(kind: str, folder: Path, size: int, members: int, at_once: int, threads: int) -> list[float]:
    """Train as public zoo scripts do."""
    recipe = [f"--{key}={value}" for key, value in {**RECIPE, "size": size, "threads": threads}.items()]
    script = str(Path(__file__).with_name("plain_training.py"))
    asked = [[sys.executable, script, kind, str(folder), *recipe, f"--seed={seed}"] for seed in range(members)]
    return run_all(asked, at_once, threads)


def pack(folder: Path, size: int) -> None:
    """Pack the pictures; ours sets aside as many of all for validation as rivals have in a folder of their own."""
    from wsl.images.packing import pack_folder

    share = VALIDATION / (TRAINING + VALIDATION)
    for name in sorted(path.name for path in (folder / "all").iterdir()):
        pack_folder(name, folder / f"{name}.h5", folder / "all", folder / "val", size, share, 1, 0)


def train_cohort_here(folder: Path, seeds: list[int]) -> None:
    """Train members in this process and print their validation accuracies."""
    from wsl.zoo.cohort import train_cohort
    from wsl.zoo.member import read_member

    classes = sorted(path.name for path in (folder / "train").iterdir())
    shared = {"width": RECIPE["width"], "momentum": 0.9, "schedule": "constant", "augment": True}
    members: list[dict[str, Any]] = []
    for seed in seeds:
        plan = {"member": seed, "classes": classes, "seed": seed, "optimizer": "sgd", "learning_rate": 0.01}
        plan |= {"weight_decay": 5e-4, "batch_size": RECIPE["batch_size"]}
        members.append({"plan": {**plan, "early_epoch": 1, "max_epoch": RECIPE["epochs"]}, **shared})
    out = [folder / f"member-{seed}.h5" for seed in seeds]
    train_cohort([folder / f"{name}.h5" for name in classes], out, members)
    print(json.dumps([float(read_member(path).snapshots["validation_accuracy"].iloc[-1]) for path in out]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=64, help="side of the images, pixels")
    parser.add_argument("--pack", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--cohort", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.pack:
        pack(Path(given.pack[0]), int(given.pack[1]))
        print([])
    elif given.cohort:
        train_cohort_here(Path(given.cohort[0]), json.loads(given.cohort[1]))
    else:
        cores, size = os.cpu_count() or 1, given.size
        members = MEMBERS_A_CORE * cores
        cohort = f"ours, {COHORT} members a process"
        ways = {
            cohort: lambda folder: ours(folder, size, COHORT * cores, cores, cohort=True),
            "ours, a process a member": lambda folder: ours(folder, size, members, cores, cohort=False),
        }
        for kind, name in (("loaders", "DataLoader"), ("in_memory", "tensors in memory")):
            for at_once, threads in ((1, 0), (cores, 1)):
                ways[f"{name}, {at_once} at once"] = lambda folder, kind=kind, at_once=at_once, threads=threads: plain(
                    kind, folder, size, members, at_once, threads
                )
        reached: dict[str, list[float]] = {way: [] for way in ways}
        with tempfile.TemporaryDirectory() as folder:
            draw_pictures(Path(folder), size)
            calls = {way: lambda way=way: reached[way].extend(ways[way](Path(folder))) for way in ways}
            taken = seconds(calls, given.rounds)
        trained = {way: COHORT * cores if way == cohort else members for way in ways}
        each = {way: np.divide(taken[way], trained[way]) for way in ways}
        rows = [
            {"way": way, "members an hour": 3600 / float(np.median(each[way]))}
            | {"accuracy": float(np.mean(reached[way])), "spread": float(np.std(reached[way]))}
            for way in ways
        ]
        figures = {
            f"ratio_over_{way}".replace(", ", "_").replace(" ", "_"): ratio(each[way], each[cohort])
            for way in ways
            if not way.startswith("ours")
        }
        report("zoo_cpu", rows, figures | {"recipe": {**RECIPE, "size": size, "members": trained}})
