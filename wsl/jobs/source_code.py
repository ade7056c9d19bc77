"""Digest and imports of each Python file of the project, cached for the user, since parsing all takes a second."""

import ast
import hashlib
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from wsl.files.plain import cache_file, read_cached, write_cached

KEPT = 3000  # files whose facts are cached, about ten versions of the project


class Source(NamedTuple):
    """Facts of one file.

    Attributes:
        digest: digest of its syntax tree without docstrings and descriptions, which do not change results, or of its
            bytes if it is not Python.
        modules: dotted names in ``wsl`` that it imports directly, anywhere in the file.
        beside: files or folders that it names as ``Path(__file__).parent / "name"``.
    """

    digest: str
    modules: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


@cache
def source(path: Path) -> Source:
    """Return the facts of a file."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if path.suffix != ".py":
        return Source(digest)
    known = _known()
    if digest not in known:
        known[digest] = _parsed(content, path)
    return known[digest]


def keep_sources() -> None:
    """Write the facts of files that were not cached yet."""
    known = _known()
    if len(known) > len(_STORED):
        write_cached(_cache_path(), json.dumps(dict(list(known.items())[-KEPT:])))
        _STORED.update(known)


_STORED: dict[str, Source] = {}


@cache
def _known() -> dict[str, Source]:
    stored = read_cached(_cache_path(), _read) or {}
    _STORED.update(stored)
    return stored


def _read(text: str) -> dict[str, Source]:
    return {key: Source(facts[0], tuple(facts[1]), tuple(facts[2])) for key, facts in json.loads(text).items()}


def _cache_path() -> Path:
    # Another Python has other syntax trees, and an edit of this file may change what is read from them.
    made_by = hashlib.sha256(sys.version.encode() + Path(__file__).read_bytes()).hexdigest()
    return cache_file("sources", f"{made_by[:32]}.json")


def _parsed(content: bytes, path: Path) -> Source:
    tree = ast.parse(content, filename=str(path))
    names, beside = set(), []
    for node in _run_by_jobs(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif _is_beside(node):
            beside.append(node.right.value)
    digest = hashlib.sha256(ast.dump(_without_prose(tree)).encode()).hexdigest()
    return Source(digest, tuple(sorted(name for name in names if name.split(".")[0] == "wsl")), tuple(beside))


def _run_by_jobs(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes except imports for annotations alone (``if TYPE_CHECKING:``), which no job runs."""
    yield tree
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            yield from _run_by_jobs(node)


def _is_beside(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.right, ast.Constant)
        and ast.unparse(node.left) == "Path(__file__).parent"
    )


def _without_prose(tree: ast.Module) -> ast.Module:
    """Return the tree without docstrings and without ``description=`` of pydantic's ``Field``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Field":
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "description"]
    return tree
