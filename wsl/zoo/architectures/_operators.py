"""What operators of torch do to the channels of their inputs; all channels that an unknown operator reads are fixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch

from wsl.zoo.architectures._channels import (
    Channels,
    Concatenation,
    Factors,
    cut,
    fix,
    fresh,
    length,
    resolved,
    split,
    take,
    unify,
)

Value = list[Factors]  # the axes of a tensor
Rule = Callable[..., Any]
RULES: dict[str, Rule] = {}


class Leading(list):
    """The first axes of an output; the other ones are fixed."""


class UnknownCase(Exception):
    """A rule does not cover these arguments."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register the rule of operators of ATen, which gets their arguments with a ``Value`` in place of each tensor."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def shape_of(value: Value) -> list[int]:
    """Return the shape of a tensor."""
    return [length(axis) for axis in value]


def apply(target: Any, arguments: Sequence[Any], options: dict[str, Any], shapes: list[list[int]]) -> Any:
    """Return the axes of the outputs of an operator.

    Args:
        target: operator of ATen.
        arguments: with a ``Value`` in place of each tensor.
        options: arguments by name, likewise.
        shapes: of all outputs; where the rule gives others, it is not trusted.
    """
    name = target._schema.name.removeprefix("aten::")
    pointwise = torch.Tag.pointwise in target.tags and torch.Tag.nondeterministic_seeded not in target.tags
    function = RULES.get(name.removesuffix("_copy"), _pointwise if pointwise else None)
    outputs: list[Value] | None = None
    if function is not None:
        try:
            result = function(*arguments, **options)
            outputs = list(result) if isinstance(result, tuple) else [result]
            if isinstance(outputs[0], Leading):
                outputs[0] = outputs[0] + fixed(shapes[0][len(outputs[0]) :])
            outputs += [fixed(shape) for shape in shapes[len(outputs) :]]
            if [shape_of(output) for output in outputs] != shapes:
                fix_all(outputs)
                outputs = None
        except (UnknownCase, TypeError, IndexError, ValueError):
            outputs = None
    if outputs is None:
        fix_all([arguments, options])
        outputs = [fixed(shape) for shape in shapes]
    return outputs


def fixed(shape: Sequence[int]) -> Value:
    """Return axes of which none may be permuted."""
    return [fresh(size, fixed=True) for size in shape]


def is_value(argument: Any) -> bool:
    """Return whether an argument is a tensor's axes."""
    return isinstance(argument, list) and all(
        isinstance(axis, tuple) and all(isinstance(factor, Channels | Concatenation) for factor in axis)
        for axis in argument
    )


def fix_all(arguments: Any) -> None:
    """Fix all axes of all tensors in nested arguments."""
    if isinstance(arguments, dict):
        arguments = list(arguments.values())
    if is_value(arguments):
        for axis in arguments:
            fix(axis)
    elif isinstance(arguments, list | tuple):
        for argument in arguments:
            fix_all(argument)


def _pointwise(*arguments: Any, **options: Any) -> Value:
    values = [one for one in (*arguments, *options.values()) if isinstance(one, list) and is_value(one)]
    result: Value = []
    for place in range(1, max(map(len, values)) + 1):
        axes = [value[-place] for value in values if len(value) >= place]
        axes = [axis for axis in axes if length(axis) > 1] or [()]
        for other in axes[1:]:
            unify(axes[0], other)
        result.insert(0, axes[0])
    return result


RULES["_prelu_kernel"] = RULES["copy"] = _pointwise


@rule("hardswish", "alias", "detach", "clone", "contiguous", "_to_copy", "lift_fresh", "dropout", "_softmax", "_log_softmax")
@rule("_safe_softmax", "softmax", "log_softmax")
def _unchanged(value: Value, *_: Any, **__: Any) -> Value:
    return value


@rule("view", "_unsafe_view", "reshape", "_reshape_alias")
def _view(value: Value, shape: Sequence[int]) -> Value:
    unknown = prod(shape_of(value)) // prod(size for size in shape if size != -1)
    shape = [unknown if size == -1 else size for size in shape]
    waiting = [factor for axis in value for factor in resolved(axis)]
    result: Value = []
    for wanted in shape:
        axis: list[Any] = []
        while wanted > 1:
            factor = waiting.pop(0)
            if factor.size > wanted:
                if not isinstance(factor, Channels) or factor.size % wanted:
                    raise UnknownCase
                factor, rest = split(factor, wanted)
                waiting.insert(0, rest)
            if wanted % factor.size:
                raise UnknownCase
            axis.append(factor)
            wanted //= factor.size
        result.append(tuple(axis))
    return result


@rule("permute")
def _permute(value: Value, order: Sequence[int]) -> Value:
    return [value[place] for place in order]


@rule("transpose")
def _transpose(value: Value, one: int, other: int) -> Value:
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
    if step != 1 or end <= start:
        raise UnknownCase
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
        raise UnknownCase
    fix(value[0])
    fix_all(indices[0])
    return [*indices[0], *value[1:]]


@rule("embedding")
def _embedding(table: Value, indices: Value, *_: Any) -> Value:
    return _index(table, [indices])


@rule("roll", "flip")
def _moved_along(value: Value, *arguments: Any) -> Value:
    places = arguments[-1]
    if not places:
        raise UnknownCase
    for place in places:
        fix(value[place])
    return value


@rule("constant_pad_nd")
def _pad(value: Value, widths: Sequence[int], *_: Any) -> Value:
    if min(widths) < 0:
        raise UnknownCase
    value = list(value)
    for number in range(len(widths) // 2):
        before, after = widths[2 * number : 2 * number + 2]
        parts = [fresh(before)] * bool(before) + [value[-1 - number]] + [fresh(after)] * bool(after)
        if len(parts) > 1:  # the same constant everywhere
            value[-1 - number] = (Concatenation(parts),)
    return value


def _reduced(value: Value, places: Any, keep: bool) -> Value:
    chosen = range(len(value)) if places is None or places == [] else [places] if isinstance(places, int) else places
    chosen = {place % len(value) for place in chosen}
    return [() if place in chosen else axis for place, axis in enumerate(value) if keep or place not in chosen]


@rule("mean", "sum", "amax", "amin", "logsumexp", "var", "std", "prod", "any", "all")
def _reduce(value: Value, places: Any = None, keep: bool = False, *_: Any, keepdim: bool | None = None, **__: Any) -> Value:
    if isinstance(places, bool) or not isinstance(keep, bool):
        raise UnknownCase
    return _reduced(value, places, keep if keepdim is None else keepdim)


@rule("linalg_vector_norm", "norm")
def _norm(value: Value, _order: Any = 2, places: Any = None, keep: bool = False, **__: Any) -> Value:
    return _reduced(value, places, keep)


@rule("var_mean")
def _var_mean(value: Value, places: Any = None, *_: Any, keepdim: bool = False, **__: Any) -> tuple[Value, Value]:
    return _reduced(value, places, keepdim), _reduced(value, places, keepdim)


@rule("mm", "bmm", "matmul")
def _matmul(left: Value, right: Value) -> Value:
    if len(left) != len(right) or len(left) < 2 or shape_of(left[:-2]) != shape_of(right[:-2]):
        raise UnknownCase
    for one, other in zip(left[:-2], right[:-2], strict=True):
        unify(one, other)
    unify(left[-1], right[-2])
    return [*left[:-1], right[-1]]


@rule("addmm", "baddbmm")
def _addmm(bias: Value, left: Value, right: Value, **_: Any) -> Value:
    return _pointwise(_matmul(left, right), bias)


@rule("linear")
def _linear(value: Value, weight: Value, bias: Value | None = None) -> Value:
    unify(value[-1], weight[1])
    result = [*value[:-1], weight[0]]
    return result if bias is None else _pointwise(result, bias)


@rule("scaled_dot_product_attention", "_scaled_dot_product_flash_attention", "_scaled_dot_product_efficient_attention")
@rule("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math")
@rule("_scaled_dot_product_fused_attention_overrideable", "_scaled_dot_product_cudnn_attention")
def _attention(query: Value, key: Value, value: Value, *arguments: Any, attn_mask: Value | None = None, **options: Any) -> Value:
    masks = [one for one in (*arguments, *options.values(), attn_mask) if one not in (None, []) and is_value(one)]
    if True in arguments or options.get("is_causal"):
        fix(query[-2])
        fix(key[-2])
    scores = _matmul(query, _transpose(key, -2, -1))
    for mask in masks:
        scores = _pointwise(scores, mask)
    return _matmul(scores, value)


@rule("convolution")
def _convolution(
    value: Value, weight: Value, bias: Value | None, _stride: Any, _padding: Any, _dilation: Any, transposed: bool, *rest: Any
) -> Value:
    for axis in (*value[2:], *weight[2:]):
        fix(axis)
    if transposed:
        raise UnknownCase
    outputs = weight[0]
    groups, inputs = _view([value[1]], [rest[-1], -1])
    unify(groups, _view([outputs], [rest[-1], -1])[0])
    unify(inputs, weight[1])
    if bias is not None:
        unify(outputs, bias[0])
    return Leading([value[0], outputs])


@rule(*(f"{kind}{number}d" for kind in ("avg_pool", "_adaptive_avg_pool", "adaptive_avg_pool") for number in "123"))
@rule("max_pool2d_with_indices", "max_pool3d_with_indices", "adaptive_max_pool2d")
def _pool(value: Value, window: int | Sequence[int], *_: Any, **__: Any) -> Value:
    spatial = len(window)
    for axis in value[-spatial:]:
        fix(axis)
    return Leading(value[:-spatial])


@rule("upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d", "reflection_pad2d", "replication_pad2d")
@rule("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa")
def _resized(value: Value, *_: Any, **__: Any) -> Value:
    return _pool(value, (0, 0))


@rule("native_batch_norm", "cudnn_batch_norm", "miopen_batch_norm", "batch_norm", "_native_batch_norm_legit")
@rule("_native_batch_norm_legit_no_training", "_batch_norm_with_update", "_batch_norm_no_update")
def _batch_norm(value: Value, *arguments: Any) -> Value:
    for vector in arguments:
        if isinstance(vector, list) and is_value(vector):
            unify(value[1], vector[0])
    return value


@rule("native_layer_norm", "layer_norm", "_fused_rms_norm", "rms_norm")
def _layer_norm(value: Value, shape: Sequence[int], *arguments: Any) -> Value:
    for array in arguments:
        if isinstance(array, list) and is_value(array):
            _pointwise(value[len(value) - len(shape) :], array)
    return value


@rule("native_group_norm", "group_norm")
def _group_norm(value: Value, weight: Value | None, bias: Value | None, *arguments: Any) -> Value:
    _view([value[1]], [arguments[-2], -1])
    for vector in (weight, bias):
        if vector is not None:
            unify(value[1], vector[0])
    return value
