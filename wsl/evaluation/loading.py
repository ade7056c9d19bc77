"""Loads the maker of one sampler for the evaluations of what samplers can do, in one place for all."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wsl.sampling.makers import Makers


def open_makers(
    train_index: str | Path,
    class_means: Sequence[str | Path],
    packed: Sequence[str | Path],
    bins: str | Path,
    known: Sequence[str],
    recalibrate: bool,
    strength: float,
    settings: dict[str, Any],
    fitted: Sequence[str | Path] = (),
    autoencoder: str | Path | None = None,
    device: str = "cpu",
    **samplers: Any,
) -> Makers:
    """Return a context that loads makers over a run's files; see ``Makers``, whose ``samplers`` are all other names."""
    codec = (train_index, fitted, autoencoder)
    return Makers(
        *codec, class_means, packed, bins, known, recalibrate, strength, settings, samplers=samplers, device=device
    )
