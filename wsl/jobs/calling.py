"""The call of a rule's function: what the rule names becomes its arguments."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from importlib import import_module
from inspect import signature
from types import ModuleType
from typing import Any, get_type_hints

from pydantic import BaseModel

from wsl.jobs.job import Job


def call_function(
    name: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any], settings: Mapping[str, Any], job: Job
) -> None:
    """Call a function with the files and settings of a rule.

    A setting is validated if the function's annotation is a section of the config. A parameter ``inputs`` takes all
    input files together, as the dataclass that its annotation names. A parameter ``job`` takes ``job`` with the setting
    ``seed``.

    Args:
        name: dotted name of the function.
        inputs: input files by name.
        outputs: output files by name.
        settings: sections of the config and other values by name.
        job: the circumstances of the job.
    """
    module, _, attribute = name.rpartition(".")
    function = getattr(import_module(module), attribute)
    spare_compiler()
    parameters, annotations = signature(function).parameters, get_type_hints(function)
    arguments = {"inputs": annotations["inputs"](**inputs)} if "inputs" in parameters else dict(inputs)
    for key, value in settings.items():
        annotation = annotations.get(key)
        is_section = isinstance(annotation, type) and issubclass(annotation, BaseModel)
        arguments[key] = annotation.model_validate(value) if is_section else value
    if "job" in parameters:
        arguments["job"] = replace(job, seed=arguments.pop("seed", job.seed))
    function(**arguments, **outputs)


def spare_compiler() -> None:
    """Keep optimisers from importing torch's compiler, which takes longer than many jobs.

    They import it at their first step, only to tell it what not to compile, and no job compiles an optimiser. Where a
    version of torch does so in another way, this has no effect.
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
