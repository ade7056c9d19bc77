"""Run a rule's one call: `params.call` names a function of wsl, which takes what the rule names.

Named inputs and outputs and `params.settings` are its keyword arguments; `device`, `threads` and `progress` follow
where it has such arguments. Inputs without a name only order jobs.
"""

import logging
import sys
import time
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

# The library beside this script, whatever is installed: it is the one whose digest makes jobs stale.
sys.path.insert(0, str(Path(__file__).parents[2]))

from wsl.jobs import job
from wsl.machine import note
from wsl.progress import Progress

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

begun = time.monotonic()  # before the call's libraries are imported, which takes longer than many jobs
try:
    with job(snakemake.log[0], snakemake.threads, snakemake.resources.get("gpu", 0)) as device:
        module, name = snakemake.params.call.rsplit(".", 1)
        function = getattr(import_module(module), name)
        arguments = {**dict(snakemake.input.items()), **dict(snakemake.output.items()), **snakemake.params.settings}
        made_of = [(path, Path(path).stat().st_mtime_ns, Path(path).stat().st_size) for path in snakemake.input]
        key = [snakemake.params.call, snakemake.params.code, snakemake.params.settings, made_of]
        progress = Progress(snakemake.output[0], key)
        given = {"device": device, "threads": snakemake.threads, "progress": progress}
        arguments.update({key: value for key, value in given.items() if key in signature(function).parameters})
        function(**arguments)
        progress.remove()
        logging.info(note(time.monotonic() - begun, device))  # the report reads it
except Exception as error:  # the log holds where it was raised
    sys.exit(f"{type(error).__name__}: {error}")
