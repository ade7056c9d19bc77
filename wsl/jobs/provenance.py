"""Digests of the code that a job runs, so that an edit reruns the jobs it affects and no others."""

import ast
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from wsl.files.plain import cache_file, read_cached, write_cached

ROOT = Path(__file__).parents[2]
LOOKS_UP = ROOT / "wsl" / "zoo" / "recognition.py"  # looks up architectures by name
HERE = "Path(__file__).parent"
KEPT = 3000  # files whose facts are cached for the user, about ten versions of the project: parsing all takes a second


class Source(NamedTuple):
    """Facts of one file."""

    digest: str  # of its syntax tree without docstrings and descriptions, or of its bytes if it is not Python
    modules: tuple[str, ...] = ()  # dotted names in ``wsl`` that it imports directly, anywhere in the file
    beside: tuple[str, ...] = ()  # files or folders that it names as ``Path(__file__).parent / "name"``


_PARSED: dict[str, Source] = {}  # facts that are not cached yet, by digest of the file


@cache
def source(path: Path) -> Source:
    """Return the facts of a file."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if path.suffix != ".py":
        return Source(digest)
    facts = _cached()[1].get(digest) or _PARSED.get(digest)
    if facts is None:
        facts = _PARSED[digest] = _parsed(content, path)
    return facts


@cache
def _cached() -> tuple[Path, dict[str, Source]]:
    # Another Python has other syntax trees, and an edit of this file may change what is read from them.
    maker = hashlib.sha256(sys.version.encode() + Path(__file__).read_bytes()).hexdigest()
    path = cache_file("sources", f"{maker[:32]}.json")
    return path, read_cached(path, _from_json) or {}


def _from_json(text: str) -> dict[str, Source]:
    facts = json.loads(text).items()
    return {key: Source(digest, tuple(modules), tuple(beside)) for key, (digest, modules, beside) in facts}


def _keep_parsed() -> None:
    path, facts = _cached()
    if _PARSED:
        facts.update(_PARSED)
        _PARSED.clear()
        write_cached(path, json.dumps(dict(list(facts.items())[-KEPT:])))


def _parsed(content: bytes, path: Path) -> Source:
    tree = ast.parse(content, filename=str(path))
    names, beside = set(), []
    for node in _run_by_jobs(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant) and ast.unparse(node.left) == HERE:
            beside.append(node.right.value)
    digest = hashlib.sha256(ast.dump(_without_prose(tree)).encode()).hexdigest()
    # The package itself, `wsl`, has the version and the names of the API, which change no result.
    return Source(digest, tuple(sorted(name for name in names if name.startswith("wsl."))), tuple(beside))


def _run_by_jobs(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes except imports for annotations alone (``if TYPE_CHECKING:``), which no job runs."""
    yield tree
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            yield from _run_by_jobs(node)


def _without_prose(tree: ast.Module) -> ast.Module:
    """Return the tree without docstrings and without ``description=`` of pydantic's ``Field``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Field":
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "description"]
    return tree


def _module_file(name: str) -> Path | None:
    base = ROOT.joinpath(*name.split("."))
    return next((file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()), None)


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
    _keep_parsed()
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def call_digest(call: str, *entries: type, architectures: Sequence[type] = ()) -> str:
    """Return the digest of all code behind a job.

    Args:
        call: dotted name of its function, in ``wsl`` or in a loaded plug-in.
        entries: registered classes that the function looks up by name, so that no import leads to them.
        architectures: of the run's networks: entries too if the function looks architectures up by name.

    Raises:
        ValueError: there is no such module.
    """
    name = call.rpartition(".")[0]
    module = _module_file(name) or (Path(sys.modules[name].__file__) if name in sys.modules else None)
    if module is None:
        raise ValueError(f"no module of wsl and no plug-in contains {call}")
    if architectures and LOOKS_UP in code_files(module):
        entries = (*entries, *architectures)
    return code_digest(module, *(Path(sys.modules[entry.__module__].__file__) for entry in entries))
