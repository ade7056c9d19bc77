"""Faults of a config in words: the key as its writer knows it, what is wrong with it, the remedy."""

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from wsl.sections import fields_of, selection


def describe_fault(raw: Any, model: type[BaseModel], fault: Any, renamed: Mapping[str, str] | None = None) -> str:
    """Return one of pydantic's faults as ``key: what is wrong``.

    Args:
        raw: the config as read from YAML.
        model: its schema.
        fault: an entry of ``ValidationError.errors()``.
        renamed: what became of keys that once were, by their names.
    """
    path = [str(part) for part in fault["loc"]]
    if fault["type"] == "extra_forbidden" and (became := (renamed or {}).get(".".join(path))):
        return f"{'.'.join(path)}: a key of an earlier version, {became}"
    return f"{_user_path(raw, path)}: {_remedy(raw, model, path, fault)}"


def _user_path(raw: Any, path: list[str]) -> str:
    # Names of a union's branches are pydantic's own; only the writer's keys belong in a message.
    kept, at = [], raw
    for part in path:
        if isinstance(at, dict) and part in at:
            kept.append(part)
            at = at[part]
        elif isinstance(at, list) and part.isdigit() and int(part) < len(at):
            kept.append(part)
            at = at[int(part)]
        elif part == path[-1] and isinstance(at, dict) and part.islower() and "[" not in part:
            kept.append(part)
    return ".".join(kept) or "the config"


def _keys(section: Any) -> dict[str, Any]:
    return fields_of(section) if isinstance(section, type) and issubclass(section, BaseModel) else {}


def _remedy(raw: Any, model: type[BaseModel], path: list[str], fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        section: Any = model
        for part in path[:-1]:
            raw = raw.get(part) if isinstance(raw, dict) else None
            is_section = isinstance(section, type) and issubclass(section, BaseModel)
            selected = selection(section, part) if is_section else None
            by_name = get_args(section)[1] if get_origin(section) is dict else None
            section = selected.entry(raw) if selected else by_name or _keys(section).get(part)
        known = ", ".join(_keys(section))
        return "unknown key" + (f"; the keys here are {known}" if known else "")
    message = fault["msg"].removeprefix("Value error, ")
    given = fault["input"]
    return message if isinstance(given, dict | BaseModel) else f"{message} (given: {given!r})"
