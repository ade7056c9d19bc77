"""Any config: accepted values are read back after writing, and faults are named by their path.

The schema for editors accepts and refuses the same.
"""

import math
import types
from collections.abc import Iterator
from functools import reduce
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import BaseModel

from wsl.config.json_schema import json_schema
from wsl.config.renamed import RENAMED
from wsl.config.schema import Config, load_config
from wsl.errors import ConfigError
from wsl.settings.sections import fields_of, selection


def sections(model: type[BaseModel] = Config, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every section of the config by its path, the config itself first; of registered entries the default."""
    yield path, model
    for name, annotation in fields_of(model).items():
        selected = selection(model, name)
        if selected:
            yield from sections(selected.entry({}), (*path, name))
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from sections(annotation, (*path, name))


SECTIONS = dict(sections())


def kinds(annotation: Any, bounds: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The alternatives of an annotation, each with its bounds."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        more = [bound for item in metadata for bound in getattr(item, "metadata", [item])]
        yield from kinds(inner, (*bounds, *more))
    elif get_origin(annotation) in (Union, types.UnionType):
        for alternative in get_args(annotation):
            yield from kinds(alternative, bounds)
    else:
        yield annotation, bounds


def limits(bounds: tuple[Any, ...]) -> dict[str, float]:
    names = [(name, getattr(annotated_types, name.capitalize())) for name in ("ge", "gt", "le", "lt")]
    return {name: getattr(bound, name) for bound in bounds for name, kind in names if isinstance(bound, kind)}


def within(kind: Any, bounds: tuple[Any, ...]) -> st.SearchStrategy | None:
    """Values of a plain kind inside its bounds, small enough for a fast plan; None for other kinds."""
    limit = limits(bounds)
    if kind is bool:
        return st.booleans()
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if kind is int:
        return st.integers(limit.get("ge", limit.get("gt", -1) + 1), 60)
    if kind is float:
        low, high = limit.get("ge", limit.get("gt")), limit.get("le", limit.get("lt", 1e6))
        return st.floats(low, high, exclude_min="gt" in limit, exclude_max="lt" in limit)
    return None


def outside(kind: Any, bounds: tuple[Any, ...]) -> st.SearchStrategy | None:
    """Numbers beyond one of their bounds, and non-finite ones."""
    limit = limits(bounds)
    if kind not in (int, float) or not limit:
        return None
    low = limit.get("ge", limit.get("gt"))
    below = (
        st.integers(max_value=int(low) - 1) if kind is int else st.floats(max_value=low - 1e-6, allow_infinity=False)
    )
    beyond = [below, st.sampled_from([float("nan"), float("inf"), -float("inf")])]
    if (high := limit.get("le", limit.get("lt"))) is not None:
        beyond.append(st.floats(min_value=high + 1e-6, allow_infinity=False))
    return st.one_of(beyond)


def leaves(values) -> dict[tuple[str, ...], st.SearchStrategy]:
    """Values for each key that has one plain kind and may be empty."""
    strategies = {}
    for path, model in SECTIONS.items():
        for name, field in model.model_fields.items():
            alternatives = kinds(Annotated[field.annotation, *field.metadata, None])
            plain = [(kind, bounds) for kind, bounds in alternatives if kind is not type(None)]
            if len(plain) == 1 and (strategy := values(*plain[0])) is not None:
                strategies[*path, name] = strategy
    return strategies


def written(changes: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    raw: dict[str, Any] = {"run": "test"}
    for path, value in changes.items():
        at = raw
        for part in path[:-1]:
            at = at.setdefault(part, {})
        at[path[-1]] = value
    return raw


EDITOR = Draft7Validator(json_schema())
INSIDE, OUTSIDE = leaves(within), leaves(outside)
some = st.lists(st.sampled_from(sorted(INSIDE)), min_size=1, max_size=4, unique=True)
changes = some.flatmap(lambda paths: st.fixed_dictionaries({path: INSIDE[path] for path in paths}))


def test_most_keys_are_drawn():
    assert len(INSIDE) > 90 and len(OUTSIDE) > 60
    assert ("zoo", "backbone", "epochs") in OUTSIDE and ("weights", "encoder", "latent") in INSIDE


@settings(max_examples=60)
@given(changes)
def test_an_accepted_config_is_read_back_after_writing(values):
    try:
        loaded = load_config(written(values))
    except ConfigError as error:  # keys that contradict each other, each in its limit bounds
        assert "\n  " in str(error)
        assume(False)
    whole = yaml.safe_load(yaml.safe_dump(loaded.model_dump(mode="json")))
    assert EDITOR.is_valid(written(values)) and EDITOR.is_valid(whole)
    again = load_config(whole)
    assert again == loaded
    for path, value in values.items():
        assert reduce(getattr, path, loaded) == value


@settings(max_examples=60)
@given(st.sampled_from(sorted(SECTIONS)), st.text("abcxyz_äß7", min_size=1, max_size=12))
def test_an_unknown_key_is_refused_in_every_section(path, key):
    assume(key not in fields_of(SECTIONS[path]))
    with pytest.raises(ConfigError) as refusal:
        load_config(written({(*path, key): 1}))
    assert f"\n  {'.'.join((*path, key))}: unknown key; the keys here are " in str(refusal.value)
    assert not EDITOR.is_valid(written({(*path, key): 1}))


@settings(max_examples=150)
@given(st.sampled_from(sorted(OUTSIDE)).flatmap(lambda path: st.tuples(st.just(path), OUTSIDE[path])))
def test_a_value_out_of_range_is_refused(case):
    path, value = case
    with pytest.raises(ConfigError) as refusal:
        load_config(written({path: value}))
    assert f"\n  {'.'.join(path)}: " in str(refusal.value)
    assert not (math.isfinite(value) and EDITOR.is_valid(written({path: value})))  # JSON knows no other numbers


@pytest.mark.parametrize("key", RENAMED)
def test_a_key_of_an_earlier_version_is_refused_with_its_new_name(key):
    *path, name = key.split(".")
    assert name not in fields_of(SECTIONS[tuple(path)]), "the key exists again: remove it from the table"
    with pytest.raises(ConfigError) as refusal:
        load_config(written({tuple(key.split(".")): 1}))
    assert f"\n  {key}: a key of an earlier version, {RENAMED[key]}" in str(refusal.value)
    named = [word.rstrip(":;,") for word in RENAMED[key].split() if word.count(".") > 1 and word.rstrip(":;,") != key]
    for *path, name in (word.split(".") for word in named if not word.startswith(".")):
        mark = selection(SECTIONS[tuple(path[:-1])], path[-1])
        entries = mark.registry.values() if mark else [SECTIONS[tuple(path)]]
        assert any(name in fields_of(entry) for entry in entries)
