"""The list of figures: the declarations in their files, read without importing the files.

A module of this package or a plug-in that assigns a dictionary to ``FIGURE`` draws one figure, named after the file,
with its function ``draw(..., pdf, png)``, which writes a vector file and a bitmap. The keys are the fields of
``Declared``. The dictionary is evaluated from the syntax tree: importing pandas and matplotlib takes as long as the
rest of the workflow's start.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from wsl.errors import ConfigError
from wsl.settings.registry import plugin_module

CATEGORIES = ("Images", "Zoo", "Datasets", "Weight encoder", "Shared space", "Sampling")  # in the order of the report
BUILT_IN = Path(__file__).parent
LAST = 100


@dataclass(frozen=True)
class Declared:
    """The keys of ``FIGURE``. Functions of the run (``wsl.runs.run.Run``) may use only the run and Python's built-ins.

    Attributes:
        title: a few words.
        category: one of ``CATEGORIES``, or another, which is the last.
        inputs: function of the run that returns the input files by the name of ``draw``'s parameter.
        settings: function of the run that returns the other arguments of ``draw``.
        when: function of the run that returns whether the figure is in the report; it can be made by its path anyway.
        order: place within the category; figures with equal places are ordered by name.
        needs_images: whether it is made from images, and left out of a run without them.
    """

    title: str
    category: str
    inputs: Callable[[Any], dict[str, str | list[str]]]
    settings: Callable[[Any], dict[str, Any]] = lambda run: {}
    when: Callable[[Any], bool] = lambda run: True
    order: int = LAST
    needs_images: bool = True


@dataclass(frozen=True)
class Figure:
    """A figure of one run.

    Attributes:
        name: of its file, its rule and its output files.
        title: see ``Declared``.
        category: see ``Declared``.
        inputs: input files by the name of ``draw``'s parameter.
        settings: other arguments of ``draw``.
        shown: whether it is in the report.
        call: dotted name of ``draw``.
        caption: file next to a plug-in; None for a built-in figure, whose caption is in the workflow's folder.
    """

    name: str
    title: str
    category: str
    inputs: dict[str, str | list[str]]
    settings: dict[str, Any]
    shown: bool
    call: str
    caption: Path | None


def figures_of(run: Any) -> list[Figure]:
    """Return all figures of this package and of the plug-ins of a ``wsl.runs.run.Run``, in the order of the report.

    Raises:
        ConfigError: a declaration cannot be read, two files define one figure, or a plug-in's caption is missing.
    """
    declared: dict[str, tuple[Path, str, Declared]] = {}
    modules = [(path, f"wsl.figures.{path.stem}") for path in sorted(BUILT_IN.glob("*.py"))]
    modules += [(path, plugin_module(path)) for path in run.config.plugins]
    for path, module in modules:
        declaration = read_declaration(path)
        if declaration is None:
            continue
        if path.stem in declared:
            other = declared[path.stem][0]
            raise ConfigError(f"two files define the figure {path.stem}: {other} and {path}; rename one of them")
        declared[path.stem] = (path, module, declaration)

    def place(name: str) -> tuple[int, str, int, str]:
        about = declared[name][2]
        known = about.category in CATEGORIES
        return CATEGORIES.index(about.category) if known else LAST, about.category, about.order, name

    return [_of_run(name, *declared[name], run) for name in sorted(declared, key=place)]


def read_declaration(path: Path) -> Declared | None:
    """Return what a Python file declares in ``FIGURE``, or None if it draws no figure.

    Raises:
        ConfigError: the declaration cannot be read, or there is no function ``draw``.
    """
    text = path.read_text(encoding="utf-8")
    if "FIGURE" not in text:
        return None
    body = ast.parse(text, filename=str(path)).body
    assignments = [node for node in body if isinstance(node, ast.Assign)]
    values = [node.value for node in assignments if getattr(node.targets[0], "id", None) == "FIGURE"]
    if not values:
        return None
    if not any(isinstance(node, ast.FunctionDef) and node.name == "draw" for node in body):
        raise ConfigError(f"{path} declares FIGURE, but has no function draw(..., pdf, png); add it")
    try:
        return Declared(**eval(compile(ast.Expression(values[0]), str(path), "eval"), {}))
    except (NameError, TypeError, ValueError) as error:
        keys = ", ".join(field.name for field in fields(Declared))
        raise ConfigError(
            f"{path}: FIGURE cannot be read ({error}); use a dictionary with some of the keys {keys}, without other "
            "names of the file"
        ) from None


def _of_run(name: str, path: Path, module: str, declared: Declared, run: Any) -> Figure:
    caption = None if path.parent == BUILT_IN else path.with_suffix(".rst")
    if caption is not None and not caption.is_file():
        raise ConfigError(f"the figure {name} has no caption; write {caption}")
    try:
        values = {"inputs": declared.inputs(run), "settings": declared.settings(run), "shown": bool(declared.when(run))}
        values["shown"] &= run.has_images or not declared.needs_images
    except (AttributeError, KeyError, NameError, TypeError) as error:
        raise ConfigError(f"{path}: a function in FIGURE fails ({type(error).__name__}: {error})") from error
    return Figure(name, declared.title, declared.category, **values, call=f"{module}.draw", caption=caption)
