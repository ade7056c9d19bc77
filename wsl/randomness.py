"""Random streams named by what they are for, so that no draw depends on how many others were made."""

from functools import lru_cache
from math import gcd
from zlib import crc32

import numpy as np


def key(*path: str | int) -> tuple[int, ...]:
    """Return the path as integers: numbers as they are, words by their CRC-32."""
    return tuple(part if isinstance(part, int) else crc32(part.encode()) for part in path)


def stream(seed: int, *path: str | int) -> np.random.Generator:
    """Return the generator of the thing at ``path`` ('member', 17, 'task') in the run with ``seed``."""
    return np.random.default_rng([seed, *key(*path)])


def integer_seed(seed: int, *path: str | int) -> int:
    """Return a 31-bit seed for a library that wants an integer (torch, scikit-learn)."""
    return int(stream(seed, *path).integers(2**31))


@lru_cache(maxsize=4096)
def _block(seed: int, what: str, block: int, size: int) -> tuple[int, ...]:
    return tuple(stream(seed, what, block).permutation(size).tolist())


def part_of(seed: int, what: str, index: int, shares: dict[str, int]) -> str:
    """Say which part the thing number ``index`` falls into.

    Every consecutive block of ``sum(shares)`` things (shares in lowest terms) is dealt out in exactly
    these shares by a permutation of its own. So 1,000 things with shares 850:100:50 give exactly that,
    and a thing's part never depends on how many follow it.
    """
    divisor = gcd(*shares.values())
    counts = {part: share // divisor for part, share in shares.items()}
    size = sum(counts.values())
    position = _block(seed, what, index // size, size)[index % size]
    for part, count in counts.items():
        if position < count:
            return part
        position -= count
    raise AssertionError("a position lies within the block")
