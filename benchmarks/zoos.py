"""Zoos for benchmarks of training: pictures, and the processes of the baselines and ours, which start this file.

zoos.py pack FOLDER SIZE
zoos.py train FOLDER JSON    (arguments of ``train_here``)
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES, TRAINING, VALIDATION = 3, 160, 40  # images per class


def draw_pictures(folder: Path, size: int, training: int = TRAINING, validation: int = VALIDATION) -> None:
    """Write substitutes for photographs as JPEG: smooth random colours over a pattern per class."""
    rng = np.random.default_rng(0)
    for name in "abc"[:CLASSES]:
        pattern = rng.normal(size=(6, 6, 3))
        for part, count in (("train", training), ("val", validation), ("test", 1)):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                coarse = 128 + 25 * pattern + 55 * rng.normal(size=(6, 6, 3))
                image = Image.fromarray(coarse.clip(0, 255).astype(np.uint8)).resize((size, size), Image.BICUBIC)
                noisy = np.asarray(image) + rng.normal(size=(size, size, 3)) * 12
                picture = folder / part / name / f"{number}.jpeg"
                Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(picture)
                if part != "test":
                    (folder / "all" / name).mkdir(parents=True, exist_ok=True)
                    os.link(picture, folder / "all" / name / f"{part}-{number}.jpeg")


def run_all(commands: list[list[str]], at_once: int) -> list[tuple[float, float]]:
    """Run processes of one thread, ``at_once`` in parallel, and return the pairs that they print."""
    environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")}
    waiting, running, printed = list(commands), [], []
    while waiting or running:
        while waiting and len(running) < at_once:
            running.append(subprocess.Popen(waiting.pop(0), stdout=subprocess.PIPE, text=True, env=environment))
        first = running.pop(0)
        printed.append(first.communicate()[0])
        if first.returncode:
            raise SystemExit(f"{first.args} failed")
    return [tuple(pair) for text in printed for pair in json.loads(text)]


def ours(folder: Path, cohorts: list[list[int]], at_once: int, **settings: Any) -> list[tuple[float, float]]:
    """Pack images and train cohorts of these seeds, ``at_once`` processes in parallel.

    Returns:
        Validation accuracy and seconds of processor time of each member.
    """
    run_all([[sys.executable, __file__, "pack", str(folder), str(settings.pop("size"))]], 1)
    asked = [json.dumps({"seeds": seeds, **settings}) for seeds in cohorts]
    return run_all([[sys.executable, __file__, "train", str(folder), one] for one in asked], at_once)


def plain(folder: Path, cohorts: list[list[int]], at_once: int, **settings: Any) -> list[tuple[float, float]]:
    """Train members of these seeds in turn, ``at_once`` processes in parallel; returns the same as ``ours``."""
    script = str(Path(__file__).with_name("plain_training.py"))
    asked = [json.dumps({"seeds": seeds, **settings}) for seeds in cohorts]
    return run_all([[sys.executable, script, str(folder), one] for one in asked], at_once)


def pack(folder: Path, size: int) -> None:
    """Pack the pictures; ours sets aside as many validation images as the baselines have in their folder.

    Raises:
        SystemExit: the numbers of images differ from those of the baselines.
    """
    from wsl.files.hdf5 import open_hdf5
    from wsl.images.packing import pack_class
    from wsl.images.settings import Packing

    source = {"name": "imagefolder", "train": folder / "all", "test": folder / "test"}
    for name in sorted(path.name for path in (folder / "all").iterdir()):
        training, validation = (len(list((folder / part / name).iterdir())) for part in ("train", "val"))
        share = validation / (training + validation)
        settings = Packing(source=source, size=size, validation_share=share, minimum=1)
        pack_class(folder / f"{name}.h5", name, settings, seed=0)
        with open_hdf5(folder / f"{name}.h5") as file:
            if (len(file["train"]), len(file["validation"])) != (training, validation):
                raise SystemExit(f"class {name} has {len(file['train'])} training images, the baselines {training}")


def member_plan(folder: Path, seed: int, recipe: dict[str, Any]) -> dict[str, Any]:
    """Return a member's row of a plan."""
    classes = sorted(path.name for path in (folder / "train").iterdir())
    shared = {key: recipe[key] for key in ("optimizer", "learning_rate", "weight_decay", "batch_size")}
    row = {"member": seed, "classes": classes, "seed": seed, **shared, "early_epoch": 1, "max_epoch": recipe["epochs"]}
    return row | ({"batch_seed": 0} if recipe.get("batches") == "cohort" else {})


def train_here(folder: Path, seeds: list[int], recipe: dict[str, Any]) -> list[tuple[float, float]]:
    """Train a cohort in this process; see ``ours``."""
    from wsl.jobs.compiler import avoid_compiler
    from wsl.jobs.job import Job
    from wsl.zoo.cohort import train_cohort
    from wsl.zoo.member import read_members
    from wsl.zoo.settings import MemberTraining

    given = {key: recipe[key] for key in ("architecture", "augment", "precision") if key in recipe}
    plans = [member_plan(folder, seed, recipe) for seed in seeds]
    packed = [folder / f"{name}.h5" for name in plans[0]["classes"]]
    out = folder / f"members-{seeds[0]}.h5"
    avoid_compiler()  # as jobs do
    begun = time.process_time()
    train_cohort(packed, out, plans, MemberTraining(**given), job=Job(recipe.get("device", "cpu")))
    taken = (time.process_time() - begun) / len(seeds)
    return [(float(member.snapshots["validation_accuracy"].iloc[-1]), taken) for member in read_members(out)]


if __name__ == "__main__":
    what, folder, given = sys.argv[1:]
    if what == "pack":
        pack(Path(folder), int(given))
        print([])
    else:
        recipe = json.loads(given)
        print(json.dumps(train_here(Path(folder), recipe.pop("seeds"), recipe)))
