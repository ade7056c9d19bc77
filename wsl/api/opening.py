"""Open a finished run, and load a model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from wsl.hub.fetching import local_copy

if TYPE_CHECKING:
    from wsl.api.run import FinishedRun
    from wsl.hub.model import HubModel


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
    return FinishedRun(local_copy(source), device)


def load_model(source: str | Path) -> HubModel:
    """Load a model that ``SampledModel.save``, ``wsl sample`` or ``wsl search`` wrote, or that was pushed to the Hub.

    Args:
        source: file of the model; a folder of a pushed model; or ``hf://owner/name``.

    Returns:
        The model, with its ``network``, ``classes`` and ``about``; ``classify`` names the classes of PIL images.

    Raises:
        DataError: there is no model, or it cannot be read.

    Examples:
        >>> wsl.load_model("letters.safetensors").classify(Image.open("letter.png"))
    """
    from wsl.hub.model import HubModel

    path = local_copy(source)
    return HubModel.from_pretrained(str(path)) if path.is_dir() else HubModel.from_file(path)
