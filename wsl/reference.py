"""The reference of the config, made from its schema: ``python -m wsl.reference > config/README.md``."""

from collections.abc import Iterator
from inspect import getdoc
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from wsl.config.schema import Config
from wsl.distributions import BaseDistribution, Choice
from wsl.sections import OneOf, Sections

HEADING = """# The config

Generated from the schema (`python -m wsl.reference`); a test checks that both agree. A config file given by
`--configfile` replaces `config.yaml`: keys that it leaves out take the defaults below, not those of `config.yaml`.
Single keys can be set with `--config 'zoo={members: 100}'`. An unknown key, a wrong type or an impossible value stops
the run before any job. Renamed keys are reported with their new name.

- `config.yaml`: the default; images that ship with a dependency, minutes on two cores, no network.
- `digits-thesis.yaml`: the setting of the thesis on scikit-learn's digits; `make run` makes this run too.
- `tiny-imagenet.yaml`: photographs at 64 pixels from folders; copy it for your own.
- `thesis.yaml`: the thesis at full size.

A *distribution* is a value, or `{choice: [...]}`, `{uniform: [low, high]}`, `{loguniform: [low, high]}`,
`{integers: [low, high]}` (both included) or `{normal: [mean, deviation], clip: [low, high]}` (rounded to integers).
Paths are relative to the folder in which Snakemake runs.

Class folders may have names in any script, with spaces and quotes, of up to 200 bytes. Refused are names that contain
braces, slashes or control characters or start with a dot, and two names that differ only in case or Unicode
normalisation.
"""


def reference() -> str:
    """Return the reference as Markdown."""
    return HEADING + "".join(_section("", Config)).rstrip() + "\n"


def _section(path: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"\n## {f'`{path}`' if path else 'Top level'}\n\n{getdoc(model)}\n\n"
    yield "| key | values | default | meaning |\n|---|---|---|---|\n"
    sections = []
    for name, field in model.model_fields.items():
        key = f"{path}.{name}" if path else name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            sections.append((key, field.annotation))
        else:
            annotation = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
            default = field.get_default(call_default_factory=True)
            one_of = next((item for item in field.metadata if isinstance(item, OneOf)), None)
            if one_of:
                names = ", ".join(f"`{entry}`" for entry in one_of.registry)
                yield f"| `{name}` | {names}, or a section with `name` | `{default.name}` | {field.description} |\n"
                sections += [(f"{key}` of `{entry.name}", entry) for entry in one_of.registry.values()]
                continue
            yield f"| `{name}` | {_values(annotation)} | {_default(default)} | {field.description} |\n"
    if issubclass(model, Sections):
        sections += [(f"{path}.{name}", settings) for name, settings in model.subsections().items()]
    for key, section in sections:
        yield from _section(key, section)


def _values(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        if _is_distribution(inner):
            return "distribution"
        return _values(inner) + _bounds(metadata)
    if annotation is None or annotation is type(None):
        return "empty"
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is UnionType or str(get_origin(annotation)) == "typing.Union":
        return "distribution" if _is_distribution(annotation) else " or ".join(map(_values, get_args(annotation)))
    if get_origin(annotation) is list:
        return f"list of {_values(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return "sections by name"
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "`true`, `false`", "Path": "path"}
    return names[annotation.__name__]


def _is_distribution(annotation: Any) -> bool:
    return any(get_args(arg)[:1] == (Choice,) for arg in get_args(annotation) if get_origin(arg) is Annotated)


def _bounds(metadata: list[Any]) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    constraints = [part for item in metadata for part in getattr(item, "metadata", [item])]
    found = [f"{word} {getattr(c, k):g}" for c in constraints for k, word in words.items() if hasattr(c, k)]
    return f" ({', '.join(found)})" if found else ""


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "empty"
    if isinstance(value, BaseDistribution):
        values = value.model_dump()
        only = values.get("choice", [])
        value = only[0] if len(only) == 1 else "{" + ", ".join(f"{k}: {_plain(v)}" for k, v in values.items()) + "}"
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    print(reference(), end="")
