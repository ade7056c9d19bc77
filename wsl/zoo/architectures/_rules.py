"""Rules of operators: what they do to channels of their inputs. Unknown operators fix all channels that they read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from wsl.zoo.architectures._channels import (
    Channels,
    Concatenation,
    Factors,
    fix,
    fresh,
    length,
    unify,
)

Value = list[Factors]  # the axes of a tensor
Rule = Callable[..., Any]
RULES: dict[str, Rule] = {}


class Leading(list):
    """The first axes of an output; the other ones are fixed."""


class UnknownCaseError(Exception):
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
    elementwise = torch.Tag.pointwise in target.tags and torch.Tag.nondeterministic_seeded not in target.tags
    function = RULES.get(name, pointwise if elementwise else None)
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
        except (UnknownCaseError, TypeError, IndexError, ValueError, ArithmeticError):
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


def pointwise(*arguments: Any, **options: Any) -> Value:
    """Return the axes of what is computed entry by entry, with broadcasting."""
    values = [one for one in (*arguments, *options.values()) if isinstance(one, list) and is_value(one)]
    result: Value = []
    for place in range(1, max(map(len, values)) + 1):
        axes = [value[-place] for value in values if len(value) >= place]
        axes = [axis for axis in axes if length(axis) > 1] or [()]
        for other in axes[1:]:
            unify(axes[0], other)
        result.insert(0, axes[0])
    return result


RULES["_prelu_kernel"] = RULES["copy"] = pointwise
