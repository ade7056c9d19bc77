"""Plans of large zoos, kept in the user's cache: to draw 10,000 members takes seconds at every start."""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from wsl import randomness
from wsl.files.plain import cache_file, read_cached, write_cached
from wsl.settings import distributions
from wsl.settings.sections import plain
from wsl.zoo import plan
from wsl.zoo.plan import Distributions, plan_members

FEW = 2000  # members that are drawn in about a second
KEPT = 20  # plans, the last ones: 10,000 members are 3 MB
# What the numbers of a plan depend on, besides its arguments.
CODE = tuple(Path(module.__file__) for module in (plan, randomness, distributions))


def kept_plan(
    seed: int,
    classes: list[str],
    members: int,
    classes_per_task: int,
    shares: dict[str, int],
    distributions: Distributions,
    learning_rates: Distributions,
    group: Callable[[str], str] | None = None,
) -> list[dict[str, Any]]:
    """Return ``plan_members``, from the cache if the same large plan was drawn before; see there for arguments."""
    arguments = (seed, classes, members, classes_per_task, shares, distributions, learning_rates)
    if members <= FEW:
        return plan_members(*arguments, group)
    about = [plain(arguments), list(map(group, classes)) if group else None, np.__version__]
    path = cache_file("plans", f"{_digest(about)}.json")
    rows = read_cached(path, json.loads)
    if rows is None:
        rows = plan_members(*arguments, group)
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
