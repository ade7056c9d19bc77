"""Generate the reference of the config from its schema: ``python -m wsl.config.reference > config/README.md``."""

from collections.abc import Iterable, Iterator
from inspect import getdoc
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from wsl.config.schema import Config
from wsl.settings.distributions import BaseDistribution, Choice
from wsl.settings.registry import Registry
from wsl.settings.sections import Named, OneOf, Sections

HEADING = """# The config

This page is generated from the schema (`python -m wsl.config.reference`), and a test checks that it is up to date. A
config file that you give with `--configfile` replaces `config.yaml`: keys that you leave out take the defaults below,
not the values in `config.yaml`. You can set single keys with `--config 'zoo={members: 100}'`. An unknown key, a wrong
type or an impossible value stops the run before any job starts. Renamed keys are reported with their new name. The
[glossary](../docs/glossary.md) explains the terms. `schema.json` describes the same keys for editors: one that knows
YAML completes and checks a config with the first line of the presets.

- `config.yaml`: the default; images that come with a dependency, minutes on two cores, no network.
- `digits-thesis.yaml`: the setting of the thesis on scikit-learn's digits; `make run` runs it too.
- `cifar10.yaml`: CIFAR-10 by its name, downloaded once.
- `tiny-imagenet.yaml`: photographs at 64 pixels from folders; copy it for your own photographs.
- `thesis.yaml`: the thesis at full size.
- `tiny.yaml`: every stage, figure and table in about a minute; a first run that shows how the workflow works.

A *distribution* is a value, or `{choice: [...]}`, `{uniform: [low, high]}`, `{loguniform: [low, high]}`, `{integers:
[low, high]}` (both included) or `{normal: [mean, deviation], clip: [low, high]}` (rounded to integers). Paths are
relative to the folder in which Snakemake runs. *Empty* means that the key has no value.

The names of class folders may use any script, spaces and quotes, up to 200 bytes. Names are refused if they contain
braces, slashes or control characters, start with a dot, or differ from another name only in case or Unicode
normalisation.
"""
TABLE = "| key | values | default | meaning |\n|---|---|---|---|\n"
TYPES = {"str": "text", "int": "integer", "float": "number", "bool": "`true`, `false`", "Path": "path"}
Row = tuple[str, Any, Any, str]  # key, annotation, default, description
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def reference() -> str:
    """Return the reference as Markdown."""
    return HEADING + "".join(_section("", Config, getdoc(Config), None, {})).rstrip() + "\n"


def _section(path: str, model: type[BaseModel], text: str, defaults: Any, listed: dict[int, str]) -> Iterator[str]:
    """Yield a section, and then the sections in it.

    Args:
        path: dotted key of the section; empty for the top level.
        model: class of the section.
        text: description of the section.
        defaults: an instance of ``model`` with its default values, or None to use those of the class.
        listed: sections by registry (its ``id``) whose entries are listed already; extended.
    """
    prefix = f"{path}." if path else ""
    yield f"\n## {f'`{path}`' if path else 'Top level'}\n\n{prose(text)}\n\n"
    rows: list[Row] = []
    sections: list[tuple[str, type[BaseModel], str, Any]] = []
    for key, annotation, default, meaning in _rows(model, defaults):
        if not is_section(annotation):
            rows.append((key, annotation, default, meaning))
        elif _has_one_key(annotation):
            rows += [(f"{key}.{name}", *rest) for name, *rest in _rows(annotation, default)]
        else:
            sections.append((key, annotation, getdoc(annotation), default))
    if issubclass(model, Sections):
        other = listed.setdefault(id(model.registry), path)
        if other != path:
            values = ", ".join(f"`{name}: {_plain(value)}`" for name, value in model.defaults.items())
            yield f"The keys are those of [`{other}`](#{other.replace('.', '')}). Other defaults: {values}.\n"
            return
        for name in model.registry:
            key, entry = name.replace("-", "_"), model.registry[name]
            settings, about = entry.Settings, summary_of(entry)
            default = settings.model_validate(model.defaults.get(key, {}))
            if _has_one_key(settings):
                name, *rest, meaning = _rows(settings, default)[0]
                rows.append((f"{key}.{name}", *rest, f"{about.rstrip('.')}; {meaning}"))
            elif settings.model_fields:
                sections.append((key, settings, about, default))
    if rows:
        yield TABLE
    for key, annotation, default, meaning in rows:
        yield f"| `{key}` | {_values(annotation)} | {_default(default)} | {_cell(meaning)} |\n"
    if issubclass(model, Sections):
        others = [name for name in model.registry if not model.registry[name].Settings.model_fields]
        yield from _summaries(f"{model.registry.kind} without settings", model.registry, others)
    for key, annotation, *_ in rows:
        for selection in _selections(annotation):
            yield from _registered(prefix + key, selection)
    for key, *section in sections:
        yield from _section(prefix + key, *section, listed)


def _rows(model: type[BaseModel], defaults: Any) -> list[Row]:
    """Return key, annotation, default and description of each field of a section."""
    return [
        (
            field.alias or name,
            Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation,
            field.get_default(call_default_factory=True) if defaults is None else getattr(defaults, name),
            field.description,
        )
        for name, field in model.model_fields.items()
    ]


def is_section(annotation: Any) -> bool:
    """Return whether a field is a section."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _has_one_key(model: type[BaseModel]) -> bool:
    """Return whether a section has a single key, so that a row of its parent's table is enough."""
    annotations = [field.annotation for field in model.model_fields.values()]
    return len(annotations) == 1 and not is_section(annotations[0]) and not issubclass(model, Sections)


def _registered(path: str, selection: OneOf) -> Iterator[str]:
    """Yield the entries that a field can select: a table of their summaries, and one of their settings."""
    registry = selection.registry
    yield f"\n## `{path}`\n\nThe name of one {registry.kind}, or a mapping of `name` and settings.\n"
    yield from _summaries(registry.kind, registry, list(registry))
    rows: dict[tuple[str, ...], list[str]] = {}
    for name in registry:
        for key, annotation, default, meaning in _leaves(registry[name], None):
            rows.setdefault((key, _values(annotation), _default(default), _cell(meaning)), []).append(name)
    if rows:
        yield f"\n| key | {registry.kind} | values | default | meaning |\n|---|---|---|---|---|\n"
    for (key, values, default, meaning), names in rows.items():
        owners = "all" if len(names) == len(list(registry)) > 1 else ", ".join(f"`{name}`" for name in names)
        yield f"| `{key}` | {owners} | {values} | {default} | {meaning} |\n"


def _summaries(title: str, registry: Registry, names: list[str]) -> Iterator[str]:
    if names:
        yield f"\n| {title} | description |\n|---|---|\n"
    yield from (f"| `{name}` | {_cell(summary_of(registry[name]))} |\n" for name in names)


def _short(entry: type[Named]) -> str:
    return f" or `{entry.name}:<{entry.short}>`" if entry.short else ""


def _leaves(model: type[BaseModel], defaults: Any) -> Iterator[Row]:
    """Yield the rows of a section and of the sections in it, with dotted keys."""
    for key, annotation, default, meaning in _rows(model, defaults):
        if is_section(annotation):
            yield from ((f"{key}.{name}", *rest) for name, *rest in _leaves(annotation, default))
        else:
            yield key, annotation, default, meaning


def _selections(annotation: Any) -> list[OneOf]:
    return [item for item in getattr(annotation, "__metadata__", ()) if isinstance(item, OneOf)]


def summary_of(entry: type) -> str:
    """Return the summary of an entry: its own, or the first paragraph of its settings' or its own docstring."""
    settings = getattr(entry, "Settings", None)
    documented = settings if settings and settings.model_fields else entry
    return getattr(entry, "summary", None) or (getdoc(documented) or "").split("\n\n")[0]


def prose(text: str) -> str:
    """Return a docstring as Markdown, without its sections of arguments."""
    for heading in ("\nAttributes:", "\nArgs:"):
        text = text.partition(heading)[0]
    return text.replace("``", "`").strip()


def _cell(text: str | None) -> str:
    return " ".join(prose(text or "").split()).replace("|", "\\|")


def _values(annotation: Any) -> str:
    """Return the values that a field takes, in words."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        if selections := _selections(annotation):
            registry = selections[0].registry
            return ", ".join(f"`{name}`" + _short(registry[name]) for name in registry)
        return "distribution" if is_distribution(inner) else _values(inner) + _bounds(metadata)
    if annotation is None or annotation is type(None):
        return "empty"
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is UnionType or str(get_origin(annotation)) == "typing.Union":
        return "distribution" if is_distribution(annotation) else " or ".join(map(_values, get_args(annotation)))
    if get_origin(annotation) in (list, tuple):
        return f"list of {_values(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return "mapping"
    return TYPES.get(annotation.__name__, annotation.__name__) if isinstance(annotation, type) else "any"


def is_distribution(annotation: Any) -> bool:
    """Return whether a field is a distribution."""
    return any(get_args(arg)[:1] == (Choice,) for arg in get_args(annotation) if get_origin(arg) is Annotated)


def _bounds(metadata: Iterable[Any]) -> str:
    constraints = [part for item in metadata for part in getattr(item, "metadata", [item])]
    words = [f"{word} {getattr(c, k):g}" for c in constraints for k, word in BOUNDS.items() if hasattr(c, k)]
    return f" ({', '.join(words)})" if words else ""


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "empty"
    if isinstance(value, Named):
        value = value.name
    if isinstance(value, BaseDistribution):
        value = value.model_dump()
        choices = value.get("choice", [])
        value = choices[0] if len(choices) == 1 else value
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    """Return a value as in YAML."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_plain, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_plain(item)}" for key, item in value.items()) + "}"
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    print(reference(), end="")
