"""Initial values of networks without memory, of which only names and shapes are read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

# What initialisations apply in place to tensors of any shape.
SKIPPED = {Tensor.normal_, Tensor.erfinv_, Tensor.mul_, Tensor.add_, Tensor.div_, Tensor.clamp_}


class NoValues(TorchFunctionMode):
    """Skips initial values in a ``with`` block; use it inside that of the meta device.

    On that device, to draw from a normal distribution imports torch's compiler, which takes longer than many jobs.
    """

    def __torch_function__(
        self, func: Callable, types: Sequence[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return args[0] if func in SKIPPED else func(*args, **(kwargs or {}))
