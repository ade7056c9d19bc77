"""The call of a rule's function: what the rule names becomes its arguments."""

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from inspect import signature
from typing import Any, get_type_hints

from pydantic import BaseModel

from wsl.jobs.compiler import avoid_compiler
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
    avoid_compiler()
    parameters, annotations = signature(function).parameters, get_type_hints(function)
    arguments = {"inputs": annotations["inputs"](**inputs)} if "inputs" in parameters else dict(inputs)
    for key, value in settings.items():
        annotation = annotations.get(key)
        is_section = isinstance(annotation, type) and issubclass(annotation, BaseModel)
        arguments[key] = annotation.model_validate(value) if is_section else value
    if "job" in parameters:
        arguments["job"] = replace(job, seed=arguments.pop("seed", job.seed))
    function(**arguments, **outputs)
