"""A section of settings as the options of a command, so that its fields are declared once."""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer
from annotated_types import Ge, Le
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from wsl.settings.sections import Section

SCALARS = (bool, int, float, str, Path)


def section_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a typer command with one option per field instead of each parameter annotated as a ``Section``.

    The field's description is the option's help, and its bounds are checked. The option has the field's name, unless
    ``json_schema_extra={"option": "--name"}`` gives another. A ``Literal`` is a choice, a ``list[str]`` an option that
    may be repeated. Fields of all other types are given as text, which the section's validators read.
    """
    hints = get_type_hints(command, include_extras=True)
    sections = {name: hint for name, hint in hints.items() if isinstance(hint, type) and issubclass(hint, Section)}

    @wraps(command)
    def run(**arguments: Any) -> Any:
        for name, section in sections.items():
            arguments[name] = _validated(section, {key: arguments.pop(key) for key in section.model_fields})
        return command(**arguments)

    parameters: list[Parameter] = []
    for name, parameter in signature(command).parameters.items():
        if name in sections:
            parameters += [_option(key, field) for key, field in sections[name].model_fields.items()]
        else:
            parameters.append(parameter.replace(annotation=hints[name], kind=Parameter.KEYWORD_ONLY))
    run.__signature__ = signature(command).replace(parameters=parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del run.__wrapped__
    return run


def _validated(section: type[Section], values: dict[str, Any]) -> Section:
    try:  # an option that is not given is None, and keeps its default
        return section.model_validate({key: value for key, value in values.items() if value is not None})
    except ValidationError as error:
        fault = error.errors()[0]
        key = str(fault["loc"][0]) if fault["loc"] else None
        hint = _flag(key, section.model_fields[key]) if key else None
        raise typer.BadParameter(fault["msg"].removeprefix("Value error, "), param_hint=hint) from None


def _flag(key: str, field: FieldInfo) -> str:
    return (field.json_schema_extra or {}).get("option", "--" + key.replace("_", "-"))


def _option(key: str, field: FieldInfo) -> Parameter:
    kind, bounds = _kind(field.annotation)
    bounds = [*bounds, *field.metadata]
    settings: dict[str, Any] = {
        "min": next((bound.ge for bound in bounds if isinstance(bound, Ge)), None),
        "max": next((bound.le for bound in bounds if isinstance(bound, Le)), None),
    }
    default = field.get_default(call_default_factory=True)
    if get_origin(kind) is Literal:
        kind = StrEnum(key, {choice.upper(): choice for choice in get_args(kind)})
        default = None if default is None else kind(default)
    elif kind not in SCALARS and kind != list[str]:
        kind = str
        default = ",".join(map(str, default)) if isinstance(default, tuple | list) else default
    if default in (None, []):
        default, kind, settings["show_default"] = None, kind | None, False
    option = typer.Option(_flag(key, field), help=field.description, **settings)
    return Parameter(key, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])


def _kind(annotation: Any) -> tuple[Any, list[Any]]:
    """Return a field's type without None and markers, and its bounds."""
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        annotation = kinds[0] if len(kinds) == 1 else annotation
    if get_origin(annotation) is not Annotated:
        return annotation, []
    annotation, *markers = get_args(annotation)
    return annotation, [
        bound for marker in markers for bound in (marker.metadata if isinstance(marker, FieldInfo) else [marker])
    ]
