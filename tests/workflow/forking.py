"""Starts of Snakemake without its import, which takes longer than a dry run: forks of a process that has done it.

Nothing of ``wsl`` is imported before the fork, only libraries of its starts: each imports that of its own project.
"""

import gc
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess

SERVER = multiprocessing.get_context("forkserver")
LIBRARIES = ("filelock", "h5py", "nbformat", "pandas", "pydantic", "requests", "rich", "smart_open")
SERVER.set_forkserver_preload(["snakemake.cli", "snakemake.report.html_reporter", *LIBRARIES])


def fork_snakemake(arguments: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> CompletedProcess:
    """Return what came of ``python -m snakemake``; both streams are in ``stdout``."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
        name = f"/proc/{os.getpid()}/fd/{printed.fileno()}"
        process = SERVER.Process(target=_start, args=(list(arguments), str(cwd), dict(environment), name))
        process.start()
        process.join()
        printed.seek(0)
        return CompletedProcess(arguments, process.exitcode, printed.read())


def _start(arguments: list[str], cwd: str, environment: dict[str, str], printed: str) -> None:
    from snakemake import cli

    gc.freeze()  # no collection looks at what the libraries left
    stream = os.open(printed, os.O_WRONLY | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(stream, standard)
    os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.dont_write_bytecode = False  # in which the server followed the tests
    sys.path.insert(0, cwd)  # as `python -m` does
    sys.argv = [cli.__file__.replace("cli.py", "__main__.py"), *arguments]
    cli.main()
