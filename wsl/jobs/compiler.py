"""Optimisers of torch without its compiler, whose import takes longer than many jobs."""

import sys
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any


def avoid_compiler() -> None:
    """Keep optimisers from importing torch's compiler, if torch is imported.

    They import it at their first step, only to tell it what not to compile, and no job compiles an optimiser. Their
    steps stay the same. Where a version of torch imports it in another way, this has no effect.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return
    for kind in [kind for kind in vars(torch.optim).values() if isinstance(kind, type)]:
        for name, method in [*vars(kind).items()]:
            wrapped, code = getattr(method, "__wrapped__", None), getattr(method, "__code__", None)
            if wrapped is None or code is None:
                continue
            if code.co_name == "_use_grad":
                setattr(kind, name, _with_gradients_by_default(torch, wrapped))
            elif "__dynamo_disable" in code.co_consts:
                wrapped.__dict__.setdefault("__dynamo_disable", wrapped)


def _with_gradients_by_default(torch: ModuleType, step: Callable) -> Callable:
    @wraps(step)
    def switched(self: Any, *args: Any, **kwargs: Any) -> Any:
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return step(self, *args, **kwargs)

    return switched
