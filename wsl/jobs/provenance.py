"""Digests of the code that a job runs, so that an edit reruns the jobs it affects and no others."""

import hashlib
import sys
from functools import cache
from pathlib import Path

from wsl.jobs.source_code import keep_sources, source

ROOT = Path(__file__).parents[2]
LOOKS_UP = ROOT / "wsl" / "zoo" / "recognition.py"  # looks up architectures by name


def _module_file(name: str) -> Path | None:
    base = ROOT.joinpath(*name.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _reached(path: Path) -> list[Path]:
    """Return the files of ``wsl`` that a file imports directly, and the data files that it reads."""
    found = source(path)
    files = [file for file in map(_module_file, found.modules) if file]
    for name in found.beside:
        target = path.parent / name
        files.extend([target] if target.is_file() else (file for file in target.rglob("*") if file.is_file()))
    return files


def code_files(*entries: Path | str) -> list[Path]:
    """Return the entry files and all files of ``wsl`` that they import or read as data, directly or indirectly.

    Args:
        entries: paths from the project's root.
    """
    waiting = [ROOT / entry for entry in entries]
    files: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in files:
            files.add(path)
            waiting.extend(_reached(path))
    return sorted(files)


@cache
def code_digest(*entries: Path | str) -> str:
    """Return a digest of all code that the entry files reach.

    Imports are read from the source, so dynamic imports must be passed as further entries.

    Args:
        entries: paths from the project's root.
    """
    lines = [f"{_name(path)} {source(path).digest}" for path in code_files(*entries)]
    keep_sources()
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _name(path: Path) -> str:
    # A plug-in lies outside the project; its folder does not change results.
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def call_digest(call: str, *entries: type, architecture: type | None = None) -> str:
    """Return the digest of all code behind a job.

    Args:
        call: dotted name of its function, in ``wsl`` or in a plug-in that is loaded.
        entries: registered classes that the function looks up by name, so that no import leads to them.
        architecture: of the run's networks, an entry of every function that looks it up by the files that it reads.

    Raises:
        ValueError: there is no such module.
    """
    name = call.rpartition(".")[0]
    module = _module_file(name) or (Path(sys.modules[name].__file__) if name in sys.modules else None)
    if module is None:
        raise ValueError(f"no module of wsl and no plug-in contains {call}")
    if architecture is not None and LOOKS_UP in code_files(module):
        entries = (*entries, architecture)
    return code_digest(module, *(Path(sys.modules[entry.__module__].__file__) for entry in entries))
