"""Zoos for benchmarks of training: pictures, and the processes of the baselines and ours, which start this file.

zoos.py pack FOLDER SIZE
zoos.py train FOLDER JSON    (arguments of ``train_here``)
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES, TRAINING, VALIDATION = 3, 160, 40


def draw_pictures(folder: Path, size: int, seed: int = 0) -> None:
    """Write substitutes for photographs as JPEG: smooth random colours over a pattern per class."""
    rng = np.random.default_rng(seed)
    for name in "abc"[:CLASSES]:
        pattern = rng.normal(size=(6, 6, 3))
        for part, count in (("train", TRAINING), ("val", VALIDATION), ("test", 1)):
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


def run_all(commands: list[list[str]], at_once: int, threads: int) -> list[float]:
    """Run processes, ``at_once`` in parallel, and return the accuracies that they print."""
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


def ours(folder: Path, cohorts: list[list[int]], at_once: int, **settings: Any) -> list[float]:
    """Pack images and train cohorts of these seeds, ``at_once`` processes in parallel, with one CPU thread each."""
    run_all([[sys.executable, __file__, "pack", str(folder), str(settings.pop("size"))]], 1, 1)
    asked = [json.dumps({"seeds": seeds, **settings}) for seeds in cohorts]
    return run_all([[sys.executable, __file__, "train", str(folder), one] for one in asked], at_once, 1)


def plain(
    kind: str, folder: Path, cohorts: list[list[int]], at_once: int, threads: int, **settings: Any
) -> list[float]:
    """Train as public zoo scripts do: members of these seeds in turn, ``at_once`` processes in parallel."""
    script = str(Path(__file__).with_name("plain_training.py"))
    asked = [f"--{key}={value}" for key, value in {**settings, "threads": threads}.items()]
    commands = [[sys.executable, script, kind, str(folder), *asked, "--seed", *map(str, seeds)] for seeds in cohorts]
    return run_all(commands, at_once, threads)


def pack(folder: Path, size: int) -> None:
    """Pack the pictures; ours sets aside as many validation images as the baselines have in their folder.

    Raises:
        SystemExit: the numbers of images differ from those of the baselines.
    """
    from wsl.files.hdf5 import open_hdf5
    from wsl.images.packing import pack_class
    from wsl.images.settings import Packing

    source = {"name": "imagefolder", "train": folder / "all", "test": folder / "test"}
    share = VALIDATION / (TRAINING + VALIDATION)
    settings = Packing(source=source, size=size, validation_share=share, minimum=1)
    for name in sorted(path.name for path in (folder / "all").iterdir()):
        pack_class(folder / f"{name}.h5", name, settings, seed=0)
        with open_hdf5(folder / f"{name}.h5") as file:
            if (len(file["train"]), len(file["validation"])) != (TRAINING, VALIDATION):
                raise SystemExit(f"class {name} has {len(file['train'])} training images, the baselines {TRAINING}")


def member_plan(folder: Path, seed: int, batch_size: int, epochs: int) -> dict[str, Any]:
    """Return a member's row of a plan with the recipe of the baselines."""
    classes = sorted(path.name for path in (folder / "train").iterdir())
    plan = {"member": seed, "classes": classes, "seed": seed, "optimizer": "sgd", "learning_rate": 0.01}
    return plan | {"weight_decay": 5e-4, "batch_size": batch_size, "early_epoch": 1, "max_epoch": epochs}


def train_here(
    folder: Path,
    seeds: list[int],
    width: int,
    batch_size: int,
    epochs: int,
    augment: bool = True,
    precision: str = "float32",
    device: str = "cpu",
) -> list[float]:
    """Train a cohort in this process and return its validation accuracies."""
    from wsl.jobs.job import Job
    from wsl.zoo.cohort import train_cohort
    from wsl.zoo.member import read_members
    from wsl.zoo.settings import MemberTraining

    settings = MemberTraining(architecture={"width": width}, augment=augment, precision=precision)
    plans = [member_plan(folder, seed, batch_size, epochs) for seed in seeds]
    packed = [folder / f"{name}.h5" for name in plans[0]["classes"]]
    out = folder / f"members-{seeds[0]}.h5"
    train_cohort(packed, out, plans, settings, job=Job(device))
    return [float(member.snapshots["validation_accuracy"].iloc[-1]) for member in read_members(out)]


if __name__ == "__main__":
    what, folder, given = sys.argv[1:]
    if what == "pack":
        pack(Path(folder), int(given))
        print([])
    else:
        print(json.dumps(train_here(Path(folder), **json.loads(given))))
