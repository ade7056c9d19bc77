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
    facts = source(path)
    files = [file for file in map(_module_file, facts.modules) if file]
    for name in facts.beside:
        target = path.parent / name
        files += [target] if target.is_file() else [file for file in target.rglob("*") if file.is_file()]
    return files


def code_files(*entries: Path | str) -> list[Path]:
    """Return the entry files and all files of ``wsl`` that they import or read as data, directly or indirectly.

    Args:
        entries: paths from the project's root.
    """
    files: set[Path] = set()
    waiting = {ROOT / entry for entry in entries}
    while waiting:
        files |= waiting
        waiting = {file for path in waiting for file in _reached(path)} - files
    return sorted(files)


@cache
def code_digest(*entries: Path | str) -> str:
    """Return a digest of all code that the entry files reach.

    Imports are read from the source, so dynamic imports must be passed as further entries.

    Args:
        entries: paths from the project's root.
    """
    files = code_files(*entries)
    # A plug-in may lie outside the project; its folder does not change results.
    names = [path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name for path in files]
    lines = [f"{name} {source(path).digest}" for name, path in zip(names, files, strict=True)]
    keep_sources()
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def call_digest(call: str, *entries: type, architecture: type | None = None) -> str:
    """Return the digest of all code behind a job.

    Args:
        call: dotted name of its function, in ``wsl`` or in a plug-in that is loaded.
        entries: registered classes that the function looks up by name, so that no import leads to them.
        architecture: of the run's networks: an entry too if the function looks architectures up by name.

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
