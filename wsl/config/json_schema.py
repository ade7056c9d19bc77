"""Generate the JSON Schema of the config, for editors: ``python -m wsl.config.json_schema > config/schema.json``.

An editor completes keys and names, shows their meaning, and marks errors. Names and settings of plug-ins are accepted,
since the schema cannot know them. A start of the workflow checks more, for example values that exclude each other.
"""

import json
from collections.abc import Mapping
from inspect import getdoc
from typing import Any

from pydantic import BaseModel

from wsl.config.reference import is_distribution, is_section, prose, summary_of
from wsl.config.schema import Config
from wsl.settings.sections import OneOf, Sections, selection

DRAFT = "http://json-schema.org/draft-07/schema#"  # the version that most editors know
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
BARE = {"type": ["number", "string", "boolean"]}  # a distribution of one value
Schema = dict[str, Any]


def json_schema() -> Schema:
    """Return the schema of a config file."""
    definitions: Schema = {}
    schema = _section(Config, definitions)
    return {"$schema": DRAFT, "title": "The config of a run", **schema, "definitions": definitions}


def _section(model: type[BaseModel], definitions: Schema) -> Schema:
    """Return the schema of a section; extend ``definitions``, which it refers to.

    Sections are in their place and not among the definitions, since Snakemake's workflow catalog follows no references.
    """
    schema = model.model_json_schema()
    schema = {**_plain(schema, schema.get("$defs", {})), "description": _text(getdoc(model))}
    properties = schema.setdefault("properties", {})
    for key, field in model.model_fields.items():
        mark = selection(model, key)
        if mark is not None:
            properties[key] = {"description": field.description, **_selected(mark, definitions)}
        elif is_section(field.annotation):
            properties[key] = _section(field.annotation, definitions)
        elif is_distribution(field.annotation):
            kinds = properties[key].pop("oneOf")
            definitions.setdefault("distribution", {"anyOf": [BARE, *kinds]})
            properties[key]["allOf"] = [_reference("distribution")]
    if issubclass(model, Sections):
        properties |= {key: _section(settings, definitions) for key, settings in model.subsections().items()}
        schema["additionalProperties"] = {"type": "object"}  # settings of a plug-in
    return schema


def _selected(mark: OneOf, definitions: Schema) -> Schema:
    """Return the schema of a field that selects an entry of a registry, or several."""
    name = f"{mark.registry.kind}-{mark.default}".replace(" ", "-")
    if name not in definitions:
        definitions[name] = {}  # while it is described: settings of an entry may select one of the same registry
        definitions[name] |= _entries(mark, definitions)
    one = _reference(name)
    return {"anyOf": [one, {"type": "array", "items": one}]} if mark.several else {"allOf": [one]}


def _entries(mark: OneOf, definitions: Schema) -> Schema:
    """Return the schema of an entry: its name, or a mapping of name and settings."""
    registry, cases = mark.registry, []
    known = [{"const": name, "description": _text(summary_of(registry[name]))} for name in registry]
    names = {"anyOf": [*known, {"type": "string"}]}
    for name in registry:
        entry = _section(registry[name], definitions)
        entry["properties"] = {"name": {"type": "string"}, **entry["properties"]}
        # `name:text` gives a setting too.
        required = [key for key in entry.pop("required", ()) if key != registry[name].short]
        chosen = {"properties": {"name": {"pattern": f"^{name}(:|$)"}}}
        named = {} if name == mark.default else {"required": ["name"]}
        cases.append({"if": {**chosen, **named}, "then": {**entry, **({"required": required} if required else {})}})
    return {"anyOf": [names, {"type": "object", "properties": {"name": names}, "allOf": cases}]}


def _plain(schema: Any, found: Mapping[str, Any]) -> Any:
    """Return pydantic's schema in the older version: definitions in place, other names of bounds, no titles.

    Args:
        schema: of pydantic.
        found: definitions that it refers to.
    """
    if isinstance(schema, list):
        return [_plain(item, found) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        schema = {**found[schema["$ref"].rpartition("/")[2]], **schema}
    plain: Schema = {}
    for key, value in schema.items():
        if key == "properties":
            plain[key] = {name: _plain(item, found) for name, item in value.items()}
        elif key == "prefixItems":
            plain["items"] = _plain(value[0], found)
        elif key == "description":
            plain[key] = _text(value)
        elif key not in ("$ref", "$defs", "title", "discriminator") and not (
            key == "default" and isinstance(value, dict | list)
        ):
            plain[BOUNDS.get(key, key)] = _plain(value, found)
    return plain


def _reference(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _text(docstring: str) -> str:
    return " ".join(prose(docstring).split())


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=1, ensure_ascii=False))
