"""Read a config file (YAML or JSON) and refuse repeated keys."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from wsl.errors import ConfigError
from wsl.files.text import read_text


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML or JSON file as Snakemake does, but refuse repeated keys, which YAML ignores.

    Raises:
        ConfigError: the syntax is wrong, a key is repeated, or the file is not a mapping; the message names the file,
            the line and the key.
        DataError: the file cannot be opened, or is not UTF-8.
    """
    text = read_text(path, utf8_only=True)  # Snakemake ends with a traceback for others
    try:
        content = json.loads(text)
        text = text.replace("\t", " ")  # JSON may be indented with tabs, YAML may not
    except ValueError:
        content = None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        repeated = list(_repeated(node)) if node else []
        if not repeated and content is None and node:
            content = loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}: {error.problem}" if mark else f"{path}: {error}"
        hint = ": indent with spaces, and quote text with colons or special characters" if mark else ""
        raise ConfigError(f"{place}; correct the YAML{hint}") from error
    except (RecursionError, ValueError) as error:  # aliases that contain themselves; invalid dates
        raise ConfigError(f"{path}: {error}; correct the YAML") from error
    if repeated:
        raise ConfigError(f"{path}: {'; '.join(dict.fromkeys(repeated))}; keep each key once")
    if content is None:
        raise ConfigError(f"{path} is empty; add the keys of a config, at least `run`")
    if not isinstance(content, dict):
        raise ConfigError(f"{path} contains no keys; write `key: value` lines, at least `run`")
    return content


def _repeated(node: yaml.Node, above: str = "") -> Iterator[str]:
    """Yield the repeated keys of a section, with both lines."""
    if isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(node.value):
            yield from _repeated(value, f"{above}{place}.")
    elif isinstance(node, yaml.MappingNode):
        lines: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            line, name = key.start_mark.line + 1, (key.tag, str(key.value))
            if name in lines:
                yield f"the key {above}{key.value} is repeated in lines {lines[name]} and {line}"
            lines[name] = line
            yield from _repeated(value, f"{above}{key.value}.")
