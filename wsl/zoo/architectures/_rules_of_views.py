"""Rules of operators that view, select and join entries of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from wsl.zoo.architectures._channels import (
    Channels,
    Concatenation,
    cut,
    fix,
    fresh,
    length,
    resolved,
    split,
    take,
    unify,
)
from wsl.zoo.architectures._rules import Leading, UnknownCaseError, Value, fix_all, rule, shape_of


@rule("alias", "detach", "clone", "contiguous", "_to_copy", "lift_fresh_copy", "dropout", "hardswish")
@rule("softmax", "_softmax", "_safe_softmax", "log_softmax", "_log_softmax")
def _unchanged(value: Value, *_: Any, **__: Any) -> Value:
    return value


@rule("new_zeros", "new_ones", "new_full", "new_empty", "zeros_like", "ones_like", "full_like", "empty_like")
def _constant(_value: Value, *_: Any, **__: Any) -> Value:
    return Leading()


@rule("view", "_unsafe_view", "reshape", "_reshape_alias")
def view(value: Value, shape: Sequence[int]) -> Value:
    unknown = prod(shape_of(value)) // prod(size for size in shape if size != -1)
    shape = [unknown if size == -1 else size for size in shape]
    waiting = [factor for axis in value for factor in axis]
    result: Value = []
    for wanted in shape:
        axis: list[Any] = []
        while wanted > 1:
            factor, *waiting = resolved(tuple(waiting))  # a split changes all factors that are the same channels
            if factor.size > wanted:
                if not isinstance(factor, Channels) or factor.size % wanted:
                    raise UnknownCaseError
                factor, rest = split(factor, wanted)
                waiting.insert(0, rest)
            if wanted % factor.size:
                raise UnknownCaseError
            axis.append(factor)
            wanted //= factor.size
        result.append(tuple(axis))
    return result


@rule("permute")
def _permute(value: Value, order: Sequence[int]) -> Value:
    return [value[place] for place in order]


@rule("transpose")
def transpose(value: Value, one: int, other: int) -> Value:
    value = list(value)
    value[one], value[other] = value[other], value[one]
    return value


@rule("t")
def _t(value: Value) -> Value:
    return value[::-1]


@rule("movedim")
def _movedim(value: Value, source: int, destination: int) -> Value:
    value = list(value)
    axis = value.pop(source)
    value.insert(destination % (len(value) + 1), axis)
    return value


@rule("unsqueeze")
def _unsqueeze(value: Value, place: int) -> Value:
    value = list(value)
    value.insert(place % (len(value) + 1), ())
    return value


@rule("squeeze")
def _squeeze(value: Value, places: int | Sequence[int] | None = None) -> Value:
    chosen = range(len(value)) if places is None else [places] if isinstance(places, int) else places
    chosen = {place % len(value) for place in chosen}
    return [axis for place, axis in enumerate(value) if place not in chosen or length(axis) > 1]


@rule("expand")
def _expand(value: Value, shape: Sequence[int], **_: Any) -> Value:
    value = [()] * (len(shape) - len(value)) + value
    # A repeated value is the same in any order.
    return [
        axis if size == -1 or length(axis) == size else fresh(size) for axis, size in zip(value, shape, strict=True)
    ]


@rule("repeat")
def _repeat(value: Value, repeats: Sequence[int]) -> Value:
    value = [()] * (len(repeats) - len(value)) + value
    return [(*fresh(count), *axis) for axis, count in zip(value, repeats, strict=True)]


@rule("cat")
def _cat(values: Sequence[Value], place: int = 0) -> Value:
    values = [value for value in values if len(value) == max(map(len, values))]
    place %= len(values[0])
    result = list(values[0])
    for value in values[1:]:
        for number, axis in enumerate(value):
            if number != place:
                unify(result[number], axis)
    result[place] = (Concatenation([value[place] for value in values]),)
    return result


@rule("stack")
def _stack(values: Sequence[Value], place: int = 0) -> Value:
    for value in values[1:]:
        for one, other in zip(values[0], value, strict=True):
            unify(one, other)
    result = list(values[0])
    result.insert(place % (len(result) + 1), fresh(len(values), fixed=True))
    return result


@rule("split_with_sizes")
def _split_with_sizes(value: Value, lengths: Sequence[int], place: int = 0) -> tuple[Value, ...]:
    place %= len(value)
    pieces = cut(value[place], list(lengths))
    return tuple([*value[:place], piece, *value[place + 1 :]] for piece in pieces)


@rule("split", "chunk")
def _split(value: Value, size: int, place: int = 0) -> tuple[Value, ...]:
    total = length(value[place])
    lengths = [min(size, total - start) for start in range(0, total, size)]
    return _split_with_sizes(value, lengths, place)


@rule("slice")
def _slice(value: Value, place: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Value:
    total = length(value[place])
    start, end, _ = slice(start, end).indices(total)
    if end <= start:
        raise UnknownCaseError
    if step != 1:
        fix(value[place])
        place %= len(value)
        return [*value[:place], fresh(len(range(start, end, step)), fixed=True), *value[place + 1 :]]
    if (start, end) == (0, total):
        return value
    lengths = [start, end - start, total - end]
    pieces = _split_with_sizes(value, [size for size in lengths if size], place)
    return pieces[1 if start else 0]


@rule("select")
def _select(value: Value, place: int, index: int) -> Value:
    place %= len(value)
    others = [axis for number, axis in enumerate(value) if number != place]
    return take(value[place], index % length(value[place]), others)


@rule("unbind")
def _unbind(value: Value, place: int = 0) -> tuple[Value, ...]:
    return tuple(_select(value, place, index) for index in range(length(value[place])))


@rule("index")
def _index(value: Value, indices: Sequence[Value | None]) -> Value:
    """Rows of a table, such as those of relative positions."""
    if len(indices) != 1 or indices[0] is None:
        raise UnknownCaseError
    fix(value[0])
    fix_all(indices[0])
    return [*indices[0], *value[1:]]


@rule("embedding")
def _embedding(table: Value, indices: Value, *_: Any) -> Value:
    return _index(table, [indices])


@rule("flip")
def _flip(value: Value, places: Sequence[int]) -> Value:
    for place in places:
        fix(value[place])
    return value


@rule("roll")
def _roll(value: Value, _shifts: Sequence[int], places: Sequence[int] = ()) -> Value:
    return _flip(value, places or range(len(value)))


@rule("constant_pad_nd")
def _pad(value: Value, widths: Sequence[int], *_: Any) -> Value:
    if min(widths) < 0:
        raise UnknownCaseError
    value = list(value)
    for number in range(len(widths) // 2):
        before, after = widths[2 * number : 2 * number + 2]
        parts = [fresh(before)] * bool(before) + [value[-1 - number]] + [fresh(after)] * bool(after)
        if len(parts) > 1:  # the same constant everywhere
            value[-1 - number] = (Concatenation(parts),)
    return value
