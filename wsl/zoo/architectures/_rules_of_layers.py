"""Rules of operators that compute: reductions, products of matrices, convolutions, pooling, normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wsl.zoo.architectures._channels import fix, unify
from wsl.zoo.architectures._rules import Leading, UnknownCaseError, Value, is_value, pointwise, rule, shape_of
from wsl.zoo.architectures._rules_of_views import transpose, view


def _reduced(value: Value, places: Any, keep: bool) -> Value:
    chosen = range(len(value)) if places is None or places == [] else [places] if isinstance(places, int) else places
    chosen = {place % len(value) for place in chosen}
    return [() if place in chosen else axis for place, axis in enumerate(value) if keep or place not in chosen]


@rule("mean", "sum", "amax", "amin", "logsumexp", "var", "std", "prod", "any", "all")
def _reduce(
    value: Value, places: Any = None, keep: bool = False, *_: Any, keepdim: bool | None = None, **__: Any
) -> Value:
    if isinstance(places, bool) or not isinstance(keep, bool):
        raise UnknownCaseError
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
        raise UnknownCaseError
    for one, other in zip(left[:-2], right[:-2], strict=True):
        unify(one, other)
    unify(left[-1], right[-2])
    return [*left[:-1], right[-1]]


@rule("addmm", "baddbmm")
def _addmm(bias: Value, left: Value, right: Value, **_: Any) -> Value:
    return pointwise(_matmul(left, right), bias)


@rule("linear")
def _linear(value: Value, weight: Value, bias: Value | None = None) -> Value:
    unify(value[-1], weight[1])
    result = [*value[:-1], weight[0]]
    return result if bias is None else pointwise(result, bias)


@rule("scaled_dot_product_attention", "_scaled_dot_product_flash_attention", "_scaled_dot_product_efficient_attention")
@rule("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math")
@rule("_scaled_dot_product_fused_attention_overrideable", "_scaled_dot_product_cudnn_attention")
def _attention(
    query: Value, key: Value, value: Value, *arguments: Any, attn_mask: Value | None = None, **options: Any
) -> Value:
    masks = [one for one in (*arguments, *options.values(), attn_mask) if one not in (None, []) and is_value(one)]
    if True in arguments or options.get("is_causal"):
        fix(query[-2])
        fix(key[-2])
    scores = _matmul(query, transpose(key, -2, -1))
    for mask in masks:
        scores = pointwise(scores, mask)
    return _matmul(scores, value)


@rule("convolution")
def _convolution(
    value: Value,
    weight: Value,
    bias: Value | None,
    _stride: Any,
    _padding: Any,
    _dilation: Any,
    transposed: bool,
    *rest: Any,
) -> Value:
    for axis in (*value[2:], *weight[2:]):
        fix(axis)
    if transposed:
        raise UnknownCaseError
    outputs = weight[0]
    groups, inputs = view([value[1]], [rest[-1], -1])
    unify(groups, view([outputs], [rest[-1], -1])[0])
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
            pointwise(value[len(value) - len(shape) :], array)
    return value


@rule("native_group_norm")
def _group_norm(value: Value, weight: Value | None, bias: Value | None, *arguments: Any) -> Value:
    view([value[1]], [arguments[-2], -1])
    for vector in (weight, bias):
        if vector is not None:
            unify(value[1], vector[0])
    return value
