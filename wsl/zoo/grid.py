"""Hyper-parameters of members in a grid: the full product of the values that the config lists."""

from collections.abc import Sequence
from itertools import product
from typing import Any

from wsl.errors import ConfigError
from wsl.randomness import stream
from wsl.settings.distributions import Choice, Distribution
from wsl.zoo.plan import UNSEEN_FROM

RATE, OPTIMIZER = "learning_rate", "optimizer"


def combinations(
    distributions: dict[str, Distribution], learning_rates: dict[str, Distribution]
) -> list[dict[str, Any]]:
    """Return all combinations of the values of ``choice`` distributions; the last key changes fastest.

    Keys are those of ``distributions`` and ``learning_rate``, whose values depend on the optimiser. Keys with other
    distributions are left out.
    """
    found = []
    for optimizer in distributions[OPTIMIZER].choice:
        known = {**distributions, OPTIMIZER: Choice(choice=[optimizer]), RATE: learning_rates[optimizer]}
        listed = {key: distribution.choice for key, distribution in known.items() if isinstance(distribution, Choice)}
        found += [dict(zip(listed, values, strict=True)) for values in product(*listed.values())]
    return found


def with_grid(
    seed: int,
    plan: Sequence[dict[str, Any]],
    distributions: dict[str, Distribution],
    learning_rates: dict[str, Distribution],
) -> list[dict[str, Any]]:
    """Return a plan in which member i has combination i modulo their number, see ``combinations``.

    Unseen members count from 0 too. What no ``choice`` gives stays as it was drawn.

    Raises:
        ConfigError: there is only one combination, or there are more than members.
    """
    grid = combinations(distributions, learning_rates)
    members = sum(row["member"] < UNSEEN_FROM for row in plan)
    if len(grid) == 1:
        raise ConfigError(
            "zoo.design: a grid needs several values of a hyper-parameter, as in zoo.weight_decay: {choice: [0.0001, "
            "0.001]}; list them, or set it to random"
        )
    if len(grid) > members:
        raise ConfigError(
            f"zoo.design: the grid has {len(grid)} combinations, but there are {members} members; raise zoo.members, "
            "list fewer values, or set it to random"
        )
    rows = [row | grid[row["member"] % UNSEEN_FROM % len(grid)] for row in plan]
    for row, drawn in zip(rows, plan, strict=True):
        rate = learning_rates[row[OPTIMIZER]]
        if not isinstance(rate, Choice) and row[OPTIMIZER] != drawn[OPTIMIZER]:  # drawn for the other optimiser
            row[RATE] = rate.sample(stream(seed, "member", row["member"], RATE))
        row[RATE] = float(row[RATE])
    return rows
