"""Open a finished run."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsl.errors import DataError

if TYPE_CHECKING:
    from wsl.api.run import FinishedRun

HUB = "hf://"


def open(source: str | Path, *, plugins: Iterable[str | Path] = (), device: str = "cpu") -> FinishedRun:
    """Open a finished run.

    Files are read when they are needed, and closed again.

    Args:
        source: folder of the run, ``results/<run>``, or ``hf://owner/name`` for one on the Hugging Face Hub.
        plugins: Python files that register the run's own parts, such as its sampler. They are executed, so check them
            first.
        device: ``cpu``, ``cuda`` or another device of torch.

    Returns:
        The run.

    Raises:
        DataError: the folder is not a finished run.
        ConfigError: a plug-in cannot be loaded.

    Examples:
        >>> run = wsl.open("results/glyphs")
        >>> model = run.sample("letters/", loss=0.3)
        >>> model.evaluate("letters-test/")
    """
    from wsl.api.run import FinishedRun
    from wsl.settings.registry import load_plugins

    load_plugins(plugins)
    return FinishedRun(local(source), device)


def local(source: str | Path) -> Path:
    """Return the path of a folder, which is downloaded first if the source is on the Hugging Face Hub.

    Raises:
        DataError: the Hub cannot be read here.
    """
    if not str(source).startswith(HUB):
        return Path(source)
    return hub_module("fetching", f"{source} is on the Hugging Face Hub").local_copy(source)


def hub_module(name: str, reason: str) -> Any:
    """Return a module of ``wsl.hub``, which needs the libraries of an extra.

    Raises:
        DataError: they are not installed; ``reason`` states what they are needed for.
    """
    try:
        return import_module(f"wsl.hub.{name}")
    except ImportError as error:
        raise DataError(
            f"{reason}, and {error.name} is not installed here; run `pip install 'weight-space-learning[hub]'`"
        ) from error
