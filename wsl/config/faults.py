"""Messages about faults of a config: the key as the user wrote it, the cause, the remedy."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from wsl.settings.sections import Named, fields_of, selection

ON_BENCH = re.compile(r"^evaluation\.bench\.encoders\.[^.]+\.")  # sections with the keys of `weights`


def describe_fault(raw: Any, model: type[BaseModel], fault: Any, renamed: Mapping[str, str] | None = None) -> str:
    """Return an entry of ``ValidationError.errors()`` as ``key: cause``, one line per renamed key.

    Args:
        raw: the config as read from YAML.
        model: its schema.
        fault: the entry.
        renamed: new name or remedy of renamed and removed keys, by their former names.
    """
    path = [str(part) for part in fault["loc"]]
    if fault["type"] == "extra_forbidden":
        former = [
            f"{key}: a key of an earlier version, {remedy}"
            for key in _keys_below(".".join(path), fault["input"])
            if (remedy := (renamed or {}).get(ON_BENCH.sub("weights.", key)))
        ]
        if former:
            return "\n  ".join(former)
    return f"{_user_path(raw, path)}: {_remedy(raw, model, path, fault)}"


def _keys_below(key: str, value: Any) -> Iterator[str]:
    """Yield an unknown key, and the keys in it if it is a section."""
    yield key
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _keys_below(f"{key}.{name}", below)


def _user_path(raw: Any, path: list[str]) -> str:
    # Pydantic adds the names of a union's branches; a message contains only keys of the config.
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
        section, selected = model, None
        for part in path[:-1]:
            if isinstance(raw, list) and part.isdigit():  # of selected entries
                raw = raw[int(part)]
                section = selected.entry(raw) if selected else None
                continue
            raw = raw.get(part) if isinstance(raw, dict) else None
            is_section = isinstance(section, type) and issubclass(section, BaseModel)
            selected = selection(section, part) if is_section else None
            by_name = get_args(section)[1] if get_origin(section) is dict else None
            section = selected.entry(raw) if selected else by_name or _keys(section).get(part)
        named = isinstance(section, type) and issubclass(section, Named)
        known = ", ".join([*(["name"] if named else []), *_keys(section)])
        return "unknown key" + (f"; the keys here are {known}" if known else "")
    message, value = fault["msg"].removeprefix("Value error, "), fault["input"]
    return message if isinstance(value, dict | BaseModel) else f"{message} (given: {value!r})"
