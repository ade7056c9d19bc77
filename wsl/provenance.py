"""Digests of the code that a job runs, so that an edit reruns the jobs it affects and no others."""

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOOKS_UP = ROOT / "wsl" / "zoo" / "recognition.py"  # looks up architectures by name


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _module_file(name: str) -> Path | None:
    base = ROOT.joinpath(*name.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """Return the files of ``wsl`` that a file imports directly, at any place in it, and the data files it reads.

    Data files are those that the code names as ``Path(__file__).parent / "name"``: a file, or a folder with all files.
    """
    if path.suffix != ".py":
        return ()
    names, data = set(), []
    for node in _walk(_tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif _is_beside(node):
            target = path.parent / node.right.value
            data.extend([target] if target.is_file() else (file for file in target.rglob("*") if file.is_file()))
    files = (_module_file(name) for name in sorted(names) if name.split(".")[0] == "wsl")
    return (*(file for file in files if file), *data)


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes except imports for annotations alone (``if TYPE_CHECKING:``), which no job runs."""
    yield tree
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from _walk(node)


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


@cache
def _file_digest(path: Path) -> str:
    if path.suffix != ".py":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    # The syntax tree, not the text: comments, docstrings and descriptions do not change results.
    return hashlib.sha256(ast.dump(_without_prose(_tree(path))).encode()).hexdigest()


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
            waiting.extend(_imports(path))
    return sorted(files)


@cache
def code_digest(*entries: Path | str) -> str:
    """Return a digest of all code that the entry files reach.

    Imports are read from the source, so dynamic imports must be passed as further entries.

    Args:
        entries: paths from the project's root.
    """
    lines = (f"{_name(path)} {_file_digest(path)}" for path in code_files(*entries))
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
