"""A pretended Apple GPU: tensors stay in the CPU's memory, and what MPS refuses is refused."""

from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_iter, tree_map

DEVICE, IS_MPS = torch.Tensor.device.__get__, torch.Tensor.is_mps.__get__
READ = (torch.Tensor.cpu, torch.Tensor.item, torch.Tensor.tolist)


class PretendedMps(TorchFunctionMode):
    """Within it, a tensor that is moved to ``mps`` counts as there, and so do all tensors computed from it.

    Raises TypeError for tensors of float64 there, and if numpy reads a tensor there.

    Attributes:
        functions: names of the functions whose results were there.
    """

    def __init__(self):
        super().__init__()
        self.functions: set[str] = set()
        self._there: dict[int, StorageWeakRef] = {}  # while one exists, its address is not used again

    def __torch_function__(self, func, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunction():
            return self._call(func, args, kwargs or {})

    def _call(self, func, args, kwargs):
        given = list(tree_iter((args, kwargs)))
        there = any(map(self._has, given))
        if func in (DEVICE, IS_MPS):
            return torch.device("mps") if there and func == DEVICE else there or func(*args)
        if func == torch.Tensor.numpy and there:
            raise TypeError("a tensor on MPS has no array")
        to = any(named(value, "mps") for value in given)
        moved = to or func in READ or any(named(value, "cpu") for value in given)
        args, kwargs = tree_map(lambda value: "cpu" if named(value, "mps") else value, (args, kwargs))
        result = func(*args, **kwargs)
        if moved:
            result = tree_map(lambda value: self._moved(value, to), result)
        return tree_map(lambda value: self._placed(func, value), result) if to or (there and not moved) else result

    def _has(self, value: Any) -> bool:
        return _stored(value) and value.untyped_storage()._cdata in self._there

    def _moved(self, value: Any, to: bool) -> Any:
        if named(value, "cpu") and to:  # what `Module.to` reads its arguments by
            return torch.device("mps")
        # `to` returns the same tensor if it need not move it.
        return value.clone() if _stored(value) and self._has(value) != to else value

    def _placed(self, func, value):
        if _stored(value):
            name = getattr(func, "__name__", str(func))
            if value.dtype == torch.float64:
                raise TypeError(f"MPS has no float64: {name}")
            self.functions.add(name)
            storage = value.untyped_storage()
            self._there[storage._cdata] = StorageWeakRef(storage)
        return value


def named(value: Any, device: str) -> bool:
    return isinstance(value, str | torch.device) and str(value).partition(":")[0] == device


def _stored(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and not value.is_meta
