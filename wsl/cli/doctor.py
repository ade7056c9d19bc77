"""`wsl doctor`: whether this machine, and a config if one is named, can run."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from wsl.cli.app import app, mendable, say
from wsl.devices import visible_devices

PACKAGES = ("torch", "torchvision", "open_clip_torch", "snakemake", "h5py", "scikit-learn", "onnx")
GB = 1e9


@app.command()
def doctor(
    config: Annotated[
        Path | None, typer.Argument(help="A run's config, to be checked as well.", exists=True, dir_okay=False)
    ] = None,
) -> None:
    """Say what there is: versions, devices, memory, disk; and whether a config could run here.

    Ends with code 1 where something would stop it.
    """
    say(f"wsl {version('wsl')}, Python {platform.python_version()}, {platform.platform()}")
    say(", ".join(f"{name} {_version(name)}" for name in PACKAGES))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = shutil.disk_usage(Path.cwd()).free
    say(f"{os.cpu_count()} cores, {memory / GB:.3g} GB of memory, {free / GB:.3g} GB of disk free here")
    for line in _devices():
        say(line)
    if config is not None:
        with mendable():
            _check(config)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _devices() -> list[str]:
    if not visible_devices():
        return ["no GPU is visible: jobs run on the CPU"]
    import torch

    if not torch.cuda.is_available():
        return ["GPUs are there, but torch cannot use them: install a torch that fits the driver"]
    found = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return [f"GPU {place}: {one.name}, {one.total_memory / GB:.3g} GB" for place, one in enumerate(found)]


def _check(config: Path) -> None:
    import yaml

    from wsl.disk import check_disk
    from wsl.errors import ConfigError
    from wsl.run import Run
    from wsl.zoo.plan import few_sets

    try:
        raw = yaml.safe_load(config.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{config} is no YAML: {error}") from error
    run = Run(raw)
    run.check_data()
    counts = {part: len(run.members(part)) for part in run.parts}
    members = ", ".join(f"{count} {part}" for part, count in counts.items())
    say(f"{config}: {len(run.classes)} classes; members: {members}; {run.layout.size:,} numbers a snapshot")
    for warning in few_sets(run.plan):
        say(warning)
    say("Disk:", check_disk(run, Path("results", run.config.run)))
    for line in run.pretrained.fetches():
        say(line)
    datasets = run.config.datasets
    if datasets.weights is None and not datasets.brings_weights:
        say("datasets.weights is empty: dataset embeddings would be features of a random network")
    if find_spec("open_clip") is None:
        raise ConfigError("open_clip is not installed; pip install open-clip-torch")
