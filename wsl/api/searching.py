"""Search existing zoos for members that suit images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsl.api.options import checked, one_thread
from wsl.hub.fetching import local_copy

if TYPE_CHECKING:
    import pandas as pd

    from wsl.images.objects import ImagesLike


def search(
    images: ImagesLike, zoos: str | Path | Sequence[str | Path], device: str = "cpu", **options: Any
) -> pd.DataFrame:
    """Find the members of zoos that suit images best, and measure what they are worth.

    Args:
        images: by class, see ``FinishedRun.embed``.
        zoos: folders of runs or of imported zoos, or ``hf://owner/name``.
        device: of torch.
        options: those of ``wsl search``, by the names of ``wsl.evaluation.search_options.SearchOptions``, for example
            ``best=5`` or ``head="prototypes"``.

    Returns:
        One row per method and found member, and per baseline with the same head, see ``wsl.evaluation.search.search``.

    Raises:
        DataError: a folder cannot be used.
        ConfigError: an option is unknown or cannot be used.

    Examples:
        >>> wsl.search("letters/", "results/glyphs").sort_values("accuracy", ascending=False)
    """
    from wsl.evaluation.search import search as searched
    from wsl.evaluation.search_options import SearchOptions

    several = [zoos] if isinstance(zoos, str | Path) else zoos
    chosen = checked(SearchOptions, **options)
    with one_thread():
        return searched(images, [local_copy(zoo) for zoo in several], chosen, device)
