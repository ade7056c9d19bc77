"""Run a rule's job: call the function of wsl or of a plug-in that `params.call` names, see `wsl.jobs.calling`.

Inputs without a name only order jobs.
"""
# ruff: noqa: E402

import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

# The library next to the workflow, if there is one, whatever is installed: changes of its code make jobs stale.
BESIDE = Path(__file__).parents[2]
if (BESIDE / "wsl" / "__init__.py").is_file():
    sys.path.insert(0, str(BESIDE))
else:  # in an installed package: the workflow lies inside the library, which a conda environment of the jobs lacks
    sys.path.append(str(BESIDE.parents[1]))

from wsl.jobs.calling import call_function
from wsl.jobs.history import History, history_of
from wsl.jobs.job import Job
from wsl.jobs.machine import note
from wsl.jobs.process import job
from wsl.jobs.progress import Progress
from wsl.settings.registry import load_plugins, offer_plugins, plugin_module

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

begun = time.monotonic()  # before the libraries are imported, which takes longer than many jobs
try:
    with job(snakemake.log[0], snakemake.threads, snakemake.resources.get("gpu", 0)) as device:
        params, plugins = snakemake.params, snakemake.config.get("plugins", ())
        load_plugins(path for path in plugins if params.call.startswith(f"{plugin_module(path)}."))
        offer_plugins(plugins)
        made_of = [(path, Path(path).stat().st_mtime_ns, Path(path).stat().st_size) for path in snakemake.input]
        key = [params.call, params.code, params.settings, made_of]
        progress = Progress(snakemake.output[0], key, history=History(history_of(snakemake.log[0])))
        this = Job(device, snakemake.threads, progress=progress)
        call_function(params.call, dict(snakemake.input.items()), dict(snakemake.output.items()), params.settings, this)
        progress.remove()
        logging.info(note(time.monotonic() - begun, device))  # the report reads it
except Exception as error:  # the log holds where it was raised
    sys.exit(f"{type(error).__name__}: {error}")
