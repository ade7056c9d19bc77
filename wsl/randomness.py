"""Random streams named by their purpose, so that no draw depends on the number of other draws."""

from functools import lru_cache
from math import gcd
from zlib import crc32

import numpy as np


def key(*path: str | int) -> tuple[int, ...]:
    """Return the path as integers: numbers unchanged, words as their CRC-32."""
    return tuple(part if isinstance(part, int) else crc32(part.encode()) for part in path)


def stream(seed: int, *path: str | int) -> np.random.Generator:
    """Return a random generator for a run's seed and a purpose, for example ``"member", 17, "task"``."""
    words: list[int] | np.ndarray = [seed, *key(*path)]
    if min(words) >= 0 and max(words) < 2**32:
        words = np.array(words, dtype=np.uint32)  # the same stream, and numpy takes two thirds of the time
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


def integer_seed(seed: int, *path: str | int) -> int:
    """Return a 31-bit seed for a library that needs an integer (torch, scikit-learn); arguments as for ``stream``."""
    return int(stream(seed, *path).integers(2**31))


@lru_cache(maxsize=4096)
def _block(seed: int, kind: str, block: int, size: int) -> tuple[int, ...]:
    return tuple(stream(seed, kind, block).permutation(size).tolist())


def assigned_part(seed: int, kind: str, index: int, shares: dict[str, int]) -> str:
    """Return the part to which an item belongs.

    A random permutation assigns each consecutive block of ``sum(shares)`` items (shares in lowest terms) to the parts
    in exactly these shares. So 1,000 items with shares 850:100:50 give exactly these counts, and an item's part never
    depends on the number of items after it.

    Args:
        seed: seed of the run.
        kind: kind of the items, for example ``members``.
        index: number of the item, from 0.
        shares: share of each part.
    """
    divisor = gcd(*shares.values())
    counts = {part: share // divisor for part, share in shares.items()}
    size = sum(counts.values())
    position = _block(seed, kind, index // size, size)[index % size]
    for part, count in counts.items():
        if position < count:
            return part
        position -= count
    raise AssertionError("a position lies within its block")
