"""Registries: the extensible parts of wsl by name; each entry is defined in one file."""

import hashlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Generic, TypeVar

from wsl.errors import ConfigError

Entry = TypeVar("Entry", bound=type)
PLUGINS = "wsl_plugins"  # the package that plug-in files appear in
_WAITING: list[Path] = []  # plug-in files that nothing has needed yet


class Registry(Generic[Entry]):
    """Classes of one kind by name: those of a package of ``wsl``, and those that plug-ins register.

    The first look-up imports the package's modules, except those whose name starts with an underscore. Reading a config
    needs all entries, so these modules import torch inside functions only.

    Args:
        kind: word for an entry in messages, for example ``sampler``.
        package: dotted name of the package whose modules define the built-in entries.
    """

    def __init__(self, kind: str, package: str):
        self.kind, self.package = kind, package
        self._entries: dict[str, Entry] = {}
        self._complete = False

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """Return a decorator that adds a class under its name in the config and sets its attribute ``name``.

        Raises:
            ConfigError: another class has this name already.
        """

        def add(entry: Entry) -> Entry:
            other = self._entries.get(name)
            if other is not None and other.__module__ != entry.__module__:
                raise ConfigError(
                    f"two files define the {self.kind} {name!r}: {module_file(other)} and {module_file(entry)}; rename "
                    "one of them"
                )
            entry.name = name
            self._entries[name] = entry
            return entry

        return add

    def __getitem__(self, name: str) -> Entry:
        """Return the entry with this name.

        Raises:
            ConfigError: the name is unknown; the message lists the known names.
        """
        if name not in self:
            close = get_close_matches(str(name), self._entries, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ConfigError(f"unknown {self.kind} {name!r}{hint} (known: {', '.join(sorted(self._entries))})")
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        self._discover()
        while name not in self._entries and _WAITING:
            _WAITING.sort(key=lambda path: not _mentions(path, name))
            load_plugins([_WAITING.pop(0)])
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names: built-in entries in the order of their files, then plug-ins."""
        self._discover()
        while _WAITING:
            load_plugins([_WAITING.pop(0)])
        modules = {name: entry.__module__ for name, entry in self._entries.items()}
        # Not in the order of registration, which depends on what a process imports first.
        return iter(sorted(modules, key=lambda name: (modules[name].startswith(PLUGINS), modules[name])))

    def values(self) -> list[Entry]:
        """Return the entries in the order of their names' iteration."""
        return [self._entries[name] for name in self]

    def _discover(self) -> None:
        if not self._complete:
            self._complete = True  # before the imports, since a module may look up another entry
            for name in sorted(module.name for module in pkgutil.iter_modules(import_module(self.package).__path__)):
                if not name.startswith("_"):
                    import_module(f"{self.package}.{name}")


def module_file(entry: type) -> Path:
    """Return the file that defines a class."""
    return Path(sys.modules[entry.__module__].__file__)


def offer_plugins(paths: Iterable[str | Path]) -> None:
    """Import Python files as ``load_plugins`` does, but only once a name is looked up that is not known without them.

    Files that contain the name come first. A job thus imports what it needs: plug-ins may import torch or matplotlib,
    which takes longer than many jobs.

    Args:
        paths: relative to the working directory, or absolute.
    """
    _WAITING.extend(map(Path, paths))


def _mentions(path: Path, name: object) -> bool:
    return path.is_file() and str(name) in path.read_text(encoding="utf-8", errors="replace")


def load_plugins(paths: Iterable[str | Path]) -> None:
    """Import Python files, which register their entries; files that are already loaded are skipped.

    Args:
        paths: relative to the working directory, or absolute.

    Raises:
        ConfigError: a file is missing or cannot be imported, or a plug-in of another working directory has its name.
    """
    for path in map(Path, paths):
        name = plugin_module(path)
        loaded = {
            Path(module.__file__).resolve(): module
            for key, module in sys.modules.items()
            if key.startswith(f"{PLUGINS}.")
        }
        if path.resolve() in loaded:
            sys.modules[name] = loaded[path.resolve()]  # its name is another one from another working directory
            continue
        if path.suffix != ".py" or not path.is_file():
            raise ConfigError(f"plugins: {path} is not a Python file; give the path of a .py file")
        if name in sys.modules:
            raise ConfigError(
                f"plugins: {path} has the name of {sys.modules[name].__file__}, which is loaded already; load runs of "
                "different folders in different Python processes, or rename one of the files"
            )
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(
                f"plugins: {path} cannot be imported ({type(error).__name__}: {error}); correct it"
            ) from error


def plugin_module(path: str | Path) -> str:
    """Return the module name of a plug-in file: its own name, and a digest of its folder.

    The folder is relative to the working directory if the path is, or if the file lies below, so that moving a project
    does not change the name, which is a parameter of the jobs that draw a plug-in's figures.
    """
    folder = Path(path).absolute().parent
    if not Path(path).is_absolute() or folder.is_relative_to(Path.cwd()):
        folder = os.path.relpath(folder)
    return f"{PLUGINS}.{Path(path).stem}_{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
