"""Run a rule's job: `params.call` names a function of wsl or of a plug-in, which takes what the rule names.

Named inputs and outputs and the values of `params.settings` become keyword arguments. A section of the config is
validated against the function's annotation. A parameter `inputs` takes all named inputs together, as the dataclass that
its annotation names. `job` is added if the function has this parameter. Inputs without a name only order jobs.
"""

import logging
import sys
import time
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, get_type_hints

from pydantic import BaseModel

# The library of this project, whatever is installed: changes of its code make jobs stale.
sys.path.insert(0, str(Path(__file__).parents[2]))

from wsl.jobs.history import History, history_of
from wsl.jobs.job import Job
from wsl.jobs.machine import note
from wsl.jobs.process import job
from wsl.jobs.progress import Progress
from wsl.settings.registry import load_plugins

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

begun = time.monotonic()  # before the libraries are imported, which takes longer than many jobs
try:
    with job(snakemake.log[0], snakemake.threads, snakemake.resources.get("gpu", 0)) as device:
        load_plugins(snakemake.config.get("plugins", ()))
        module, name = snakemake.params.call.rsplit(".", 1)
        function = getattr(import_module(module), name)
        parameters, annotations = signature(function).parameters, get_type_hints(function)
        settings = dict(snakemake.params.settings)
        made_of = [(path, Path(path).stat().st_mtime_ns, Path(path).stat().st_size) for path in snakemake.input]
        key = [snakemake.params.call, snakemake.params.code, settings, made_of]
        progress = Progress(snakemake.output[0], key, history=History(history_of(snakemake.log[0])))
        seed = settings.pop("seed", 0) if "job" in parameters else None
        for key, value in settings.items():
            annotation = annotations.get(key)
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                settings[key] = annotation.model_validate(value)
        inputs = dict(snakemake.input.items())
        if "inputs" in parameters:
            inputs = {"inputs": annotations["inputs"](**inputs)}
        arguments = {**inputs, **dict(snakemake.output.items()), **settings}
        given = {
            **{"device": device, "threads": snakemake.threads, "progress": progress},
            "job": Job(device, snakemake.threads, seed or 0, progress),
        }
        arguments.update({key: value for key, value in given.items() if key in parameters})
        function(**arguments)
        progress.remove()
        logging.info(note(time.monotonic() - begun, device))  # the report reads it
except Exception as error:  # the log holds where it was raised
    sys.exit(f"{type(error).__name__}: {error}")
