"""Plans of large zoos, kept in the user's cache: to draw 10,000 members takes seconds at every start."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from wsl import randomness
from wsl.files.plain import cache_file, read_cached, write_cached
from wsl.settings import distributions
from wsl.settings.sections import plain
from wsl.zoo import plan
from wsl.zoo.plan import plan_members

FEW = 2000  # members that are drawn in about a second
KEPT = 20  # plans, the last ones: 10,000 members are 3 MB
# What the numbers of a plan depend on, besides its arguments.
CODE = tuple(Path(module.__file__) for module in (plan, randomness, distributions))


def kept_plan(*arguments: Any) -> list[dict[str, Any]]:
    """Return ``plan_members`` of all its arguments, from the cache if the same large plan was drawn before."""
    _, classes, members, *_, group = arguments
    if members <= FEW:
        return plan_members(*arguments)
    about = [plain(arguments[:-1]), list(map(group, classes)) if group else None, np.__version__]
    path = cache_file("plans", f"{_digest(about)}.json")
    rows = read_cached(path, json.loads)
    if rows is None:
        rows = plan_members(*arguments)
        write_cached(path, json.dumps(rows))
        _forget_oldest(path.parent)
    return rows


def _forget_oldest(folder: Path) -> None:
    with suppress(OSError):  # as all of the cache, it only saves time
        for path in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
            path.unlink()


def _digest(about: Sequence[Any]) -> str:
    digest = hashlib.sha256(json.dumps(about).encode())
    for source in CODE:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:32]
