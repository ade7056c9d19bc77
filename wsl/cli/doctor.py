"""`wsl doctor`: check this machine and, optionally, a config."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.markup import escape
from rich.table import Column, Table

from wsl import __version__
from wsl.cli.app import app, console, mendable, notes, say_json, warn
from wsl.jobs.devices import MPS, visible_devices
from wsl.jobs.machine import this_machine

PACKAGES = ("torch", "torchvision", "open_clip_torch", "snakemake", "h5py", "scikit-learn", "onnx")
GB = 1e9


@app.command()
def doctor(
    config: Annotated[
        str | None, typer.Argument(help="Config of a run to check as well: a file, or the name of a preset.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document with the same findings.")] = False,
) -> None:
    """Check this machine and, optionally, a config: versions, devices, memory, disk, and every obstacle to a run.

    The exit code is 1 if anything would stop the run.
    """
    report: dict[str, Any] = {
        "wsl": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "disk_free_bytes": shutil.disk_usage(Path.cwd()).free,
        "devices": _devices(),
        "warnings": [],
        "obstacles": [],
    }
    if config is not None:
        from wsl.cli.checks import check_config
        from wsl.launch.places import find_config

        with mendable():
            path = find_config(config)
        report["config"], report["warnings"], report["obstacles"] = check_config(path)
    if as_json:
        say_json(report)
    else:
        _show(report)
        for warning in report["warnings"]:
            warn(warning)
    for obstacle in report["obstacles"]:
        notes.print(f"[bold red]obstacle:[/] {escape(obstacle)}", highlight=False, soft_wrap=True)
    if report["obstacles"]:
        raise typer.Exit(1)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> list[dict[str, Any]]:
    """Return the GPUs that torch can use, or a `fault` if it cannot use the visible ones."""
    visible = visible_devices()
    if not visible:
        return []
    import torch

    if visible == [MPS] and torch.backends.mps.is_available():
        return [{"name": f"{this_machine(MPS).gpu} (MPS)", "memory_bytes": torch.mps.recommended_max_memory()}]
    if visible == [MPS] or not torch.cuda.is_available():
        fault = "GPUs are visible, but torch cannot use them: install a version of torch that fits the driver"
        return [{"fault": fault}]
    gpus = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return [{"name": gpu.name, "memory_bytes": gpu.total_memory} for gpu in gpus]


def _show(report: dict[str, Any]) -> None:
    table = Table(Column(no_wrap=True), Column(overflow="fold"), show_header=False, box=None)

    def row(name: str, text: str) -> None:
        table.add_row(name, escape(text))

    row("wsl", f"{report['wsl']}, Python {report['python']}, {report['platform']}")
    row("packages", ", ".join(f"{name} {number or 'not installed'}" for name, number in report["packages"].items()))
    row("machine", f"{report['cores']} cores, {report['memory_bytes'] / GB:.3g} GB of memory")
    row("disk", f"{report['disk_free_bytes'] / GB:.3g} GB free here")
    if not report["devices"]:
        row("GPUs", "no GPU is visible: jobs run on the CPU")
    for number, gpu in enumerate(report["devices"]):
        row(f"GPU {number}", gpu["fault"] if "fault" in gpu else f"{gpu['name']}, {gpu['memory_bytes'] / GB:.3g} GB")
    if about := report.get("config"):
        row("config", about["path"])
        if "members" in about:
            members = ", ".join(f"{count} {part}" for part, count in about["members"].items())
            row("run", f"{about['run']}: {about['classes']} classes; members: {members}")
            sizes = about["numbers_per_snapshot"]  # by architecture in a mixed zoo
            sizes = sizes if isinstance(sizes, dict) else {"": sizes}
            row("snapshot", ", ".join(f"{label} {size:,} weights".strip() for label, size in sizes.items()))
        if "disk" in about:
            row("disk needed", about["disk"]["summary"])
        for sentence in about.get("downloads", []):
            row("download", sentence)
    console.print(table)
