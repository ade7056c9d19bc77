"""Axes of tensors as products and concatenations of channels, some of which must be permuted together.

An axis is a tuple of *factors*: the axis of ``x.flatten(1)`` for x of shape (n, channels, height, width) has the
factors channels, height, width. A factor is a ``Channels`` or a ``Concatenation``; an axis of length 1 has no factors.
What is learned about channels only ever restricts them: they are found to be equal to other channels, to consist of
several factors or pieces, or to be fixed. So whatever is unknown must be fixed, and the rest is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from typing import NamedTuple


class Axis(NamedTuple):
    """Where a permutation acts on a parameter.

    The range ``[start, start + before * size * after)`` of the axis is viewed as (before, size, after), and the index
    in its middle is permuted: rows of a convolution have before = after = 1; inputs of a linear layer after a
    flattened image have after = height * width; heads of queries, keys and values in one matrix have before = 3 and
    after = size of a head.

    Attributes:
        name: of the parameter.
        axis: of its array.
        size: number of channels that are permuted.
        before: number of blocks that are permuted alike.
        after: number of neighbouring entries that move together.
        start: first entry of the range.
    """

    name: str
    axis: int
    size: int
    before: int = 1
    after: int = 1
    start: int = 0


class Channels:
    """Entries of an axis that may be permuted freely, unless they are fixed or equal to something else.

    Attributes:
        size: how many.
        fixed: whether they must keep their order.
        equal: the factors that they were found to consist of.
        source: the channels of which these are the leading factor.
        copies: independent channels, one per index of a leading factor, see ``take``.
        taken: whether the other factors of ``source`` have copies.
    """

    __slots__ = ("copies", "equal", "fixed", "size", "source", "taken")

    def __init__(self, size: int, fixed: bool = False):
        self.size, self.fixed = size, fixed
        self.equal: Factors | None = None
        self.source: Channels | None = None
        self.copies: list[Factors] | None = None
        self.taken = False


class Concatenation:
    """Axes that follow each other in one axis."""

    __slots__ = ("parts", "size")

    def __init__(self, parts: Iterable[Factors]):
        self.parts = list(parts)
        self.size = sum(map(length, self.parts))


Factors = tuple[Channels | Concatenation, ...]
MOST_COPIES = 4  # of what a linear layer computes for several readers at once, such as queries, keys and values


def fresh(size: int, fixed: bool = False) -> Factors:
    """Return an axis of new channels."""
    return () if size == 1 else (Channels(size, fixed),)


def length(axis: Factors) -> int:
    """Return the number of entries of an axis."""
    return prod(factor.size for factor in axis)


def resolved(axis: Factors) -> list[Channels | Concatenation]:
    """Return the factors of an axis as far as they are known by now."""
    factors: list[Channels | Concatenation] = []
    for factor in axis:
        if isinstance(factor, Channels) and factor.copies:
            _merge_copies(factor)
        if isinstance(factor, Channels) and factor.equal is not None:
            factors += resolved(factor.equal)
        elif factor.size > 1:
            factors.append(factor)
    return factors


def fix(axis: Factors) -> None:
    """Fix the order of all entries of an axis."""
    for factor in resolved(axis):
        if isinstance(factor, Channels):
            factor.fixed = True
        else:
            for part in factor.parts:
                fix(part)


def unify(one: Factors, other: Factors) -> None:
    """Let two axes of equal length be permuted alike; what cannot be matched is fixed."""
    while True:
        left, right = resolved(one), resolved(other)
        if not left or not right:
            break
        first, second = left[0], right[0]
        if first.size == second.size:
            if first is not second:
                _equate(first, second)
            one, other = tuple(left[1:]), tuple(right[1:])
            continue
        large, small = (first, second) if first.size > second.size else (second, first)
        if not isinstance(large, Channels) or large.size % small.size:
            break
        split(large, small.size)
    fix(one)
    fix(other)


def split(channels: Channels, size: int) -> tuple[Channels, Channels]:
    """Split channels into two factors, the first of a given size, which divides theirs."""
    leading, rest = Channels(size, channels.fixed), Channels(channels.size // size, channels.fixed)
    leading.source, channels.equal = channels, (leading, rest)
    return leading, rest


def cut(axis: Factors, lengths: list[int]) -> list[Factors]:
    """Return the consecutive pieces of an axis with these lengths, which sum up to its own."""
    factors = resolved(axis)
    if len(factors) == 1 and isinstance(factors[0], Channels):
        pieces = [fresh(size, factors[0].fixed) for size in lengths]
        factors[0].equal = (Concatenation(pieces),)
        return pieces
    if len(factors) == 1:
        waiting, pieces = _parts(factors[0]), []
        for wanted in lengths:
            piece: list[Factors] = []
            while wanted and waiting:
                part = waiting.pop(0)
                if length(part) > wanted:
                    part, rest = cut(part, [wanted, length(part) - wanted])
                    waiting.insert(0, rest)
                piece.append(part)
                wanted -= length(part)
            pieces.append(piece[0] if len(piece) == 1 else (Concatenation(piece),))
        return pieces
    fix(axis)
    return [fresh(size, fixed=True) for size in lengths]


def take(axis: Factors, index: int, others: list[Factors]) -> list[Factors]:
    """Return the other axes of a tensor at one index of this axis.

    A linear layer often computes several things at once, and its outputs are split into (3, heads, size of a head)
    before queries, keys and values are selected by the first index. Their channels may be permuted independently,
    unless the whole is used in another way as well.
    """
    factors = resolved(axis)
    leading = factors[0] if len(factors) == 1 else None
    if isinstance(leading, Channels) and (leading.taken or _copied(leading)):
        return [tuple(_at(other, index)) for other in others]
    fix(axis)
    return others


def _copied(leading: Channels) -> bool:
    """Make all that the leading factor multiplies independent per index of it; return whether that is possible."""
    source = leading.source
    if source is None or leading.fixed or leading.size > MOST_COPIES:
        return False
    leaves = resolved(source.equal)[1:]
    if leading in leaves or not leaves or any(isinstance(leaf, Concatenation) or leaf.fixed for leaf in leaves):
        return False
    for leaf in leaves:
        leaf.copies = [fresh(leaf.size) for _ in range(leading.size)]
    pieces = zip(*(leaf.copies for leaf in leaves), strict=True)
    source.equal = (Concatenation(sum(piece, ()) for piece in pieces),)
    leading.fixed = leading.taken = True
    return True


def _at(axis: Factors, index: int) -> Iterator[Channels | Concatenation]:
    for factor in axis:
        if isinstance(factor, Channels) and factor.copies:
            yield from factor.copies[index]
        elif isinstance(factor, Channels) and factor.equal is not None:
            yield from _at(factor.equal, index)
        else:
            yield factor


def _merge_copies(channels: Channels) -> None:
    """Let channels be the same at all indices, because they were used together."""
    copies, channels.copies = channels.copies, None
    channels.equal = copies[0]
    for other in copies[1:]:
        unify(copies[0], other)


def _equate(one: Channels | Concatenation, other: Channels | Concatenation) -> None:
    """Let two factors of equal size be permuted alike."""
    if isinstance(one, Concatenation) and isinstance(other, Concatenation):
        _match_parts(one, other)
        return
    bound, kept = (one, other) if isinstance(one, Channels) else (other, one)
    bound.equal = (kept,)
    if bound.fixed:
        fix((kept,))


def _match_parts(one: Concatenation, other: Concatenation) -> None:
    """Cut two concatenations at the ends of each other's parts, and match the pieces."""
    ends = set()
    for whole in (one, other):
        end = 0
        for part in _parts(whole):
            end += length(part)
            ends.add(end)
    ends = sorted(ends)
    lengths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    for left, right in zip(cut((one,), lengths), cut((other,), lengths), strict=True):
        unify(left, right)


def _parts(whole: Concatenation) -> list[Factors]:
    """Return the parts of a concatenation, and those of parts that are concatenations themselves."""
    parts: list[Factors] = []
    for part in whole.parts:
        factors = resolved(part)
        inner = len(factors) == 1 and isinstance(factors[0], Concatenation)
        parts += _parts(factors[0]) if inner else [tuple(factors)]
    return parts


def acting(name: str, number: int, axis: Factors) -> list[tuple[Channels, Axis]]:
    """Return the channels that may be permuted on an axis of a parameter, and where each acts."""
    runs: list[tuple[Channels, Axis]] = []
    for channels, before, after, start in _places(axis, 0, 1):
        for place, (known, last) in enumerate(runs):
            end = last.start + last.before * last.size * last.after
            if known is channels and last.after == after and end == start:
                runs[place] = (known, last._replace(before=last.before + before))
                break
        else:
            runs.append((channels, Axis(name, number, channels.size, before, after, start)))
    return runs


def _places(axis: Factors, start: int, after: int) -> Iterator[tuple[Channels, int, int, int]]:
    """Yield free channels with before, after and start, see ``Axis``."""
    factors = resolved(axis)
    before, remaining = 1, length(tuple(factors))
    for factor in factors:
        remaining //= factor.size
        inner = remaining * after
        if isinstance(factor, Channels):
            if not factor.fixed:
                yield factor, before, inner, start
        else:
            for block in range(before):
                offset = start + block * factor.size * inner
                for part in factor.parts:
                    yield from _places(part, offset, inner)
                    offset += length(part) * inner
        before *= factor.size
