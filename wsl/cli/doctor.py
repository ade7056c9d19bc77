"""`wsl doctor`: whether this machine, and a config if one is named, can run."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from wsl.cli.app import app, console, notes, say_json, warn
from wsl.devices import visible_devices

PACKAGES = ("torch", "torchvision", "open_clip_torch", "snakemake", "h5py", "scikit-learn", "onnx")
GB = 1e9


@app.command()
def doctor(
    config: Annotated[
        Path | None, typer.Argument(help="The config of a run, to be checked as well.", exists=True, dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document with the same findings.")] = False,
) -> None:
    """Check this machine and, optionally, a config: versions, devices, memory, disk, and every obstacle to a run.

    Ends with code 1 if anything would stop the run.
    """
    found = {**_machine(), "devices": _devices(), "warnings": [], "obstacles": []}
    if config is not None:
        from wsl.cli.checks import check_config

        found["config"], found["warnings"], found["obstacles"] = check_config(config)
    if as_json:
        say_json(found)
    else:
        _show(found)
        for warning in found["warnings"]:
            warn(warning)
    for obstacle in found["obstacles"]:
        notes.print(f"[bold red]obstacle:[/] {escape(obstacle)}", highlight=False, soft_wrap=True)
    if found["obstacles"]:
        raise typer.Exit(1)


def _machine() -> dict[str, Any]:
    return {
        "wsl": version("wsl"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "disk_free_bytes": shutil.disk_usage(Path.cwd()).free,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> list[dict[str, Any]]:
    """Return the GPUs that torch can use, or a `fault` where it cannot use those that are visible."""
    if not visible_devices():
        return []
    import torch

    if not torch.cuda.is_available():
        return [{"fault": "GPUs are visible, but torch cannot use them: install a torch that fits the driver"}]
    found = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return [{"name": one.name, "memory_bytes": one.total_memory} for one in found]


def _show(found: dict[str, Any]) -> None:
    table = Table(Column(no_wrap=True), Column(overflow="fold"), show_header=False, box=None)

    def row(name: str, text: str) -> None:
        table.add_row(name, escape(text))

    row("wsl", f"{found['wsl']}, Python {found['python']}, {found['platform']}")
    row("packages", ", ".join(f"{name} {one or 'not installed'}" for name, one in found["packages"].items()))
    row("machine", f"{found['cores']} cores, {found['memory_bytes'] / GB:.3g} GB of memory")
    row("disk", f"{found['disk_free_bytes'] / GB:.3g} GB free here")
    if not found["devices"]:
        row("GPUs", "no GPU is visible: jobs run on the CPU")
    for place, one in enumerate(found["devices"]):
        row(f"GPU {place}", one["fault"] if "fault" in one else f"{one['name']}, {one['memory_bytes'] / GB:.3g} GB")
    if "config" in found:
        about = found["config"]
        row("config", about["path"])
        if "members" in about:
            members = ", ".join(f"{count} {part}" for part, count in about["members"].items())
            row("run", f"{about['run']}: {about['classes']} classes; members: {members}")
            row("snapshot", f"{about['numbers_per_snapshot']:,} numbers")
        if "disk" in about:
            row("disk needed", about["disk"]["summary"])
        for line in about.get("downloads", []):
            row("download", line)
    console.print(table)
