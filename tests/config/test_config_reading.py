"""Config files are read as Snakemake reads them, and what YAML passes over is refused."""

import pytest
import yaml

from wsl.config.reading import read_yaml
from wsl.errors import ConfigError, DataError


def written(tmp_path, content):
    path = tmp_path / "mine.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "run: a\nzoo: {members: 12, width: 1}\nlist: [{a: 1}, {a: 1}]\n",
        "base: &base {a: 1, b: 2}\nown: {<<: *base, a: 3}\nagain: *base\n",
        "1: a\n'1': b\n",
        '{"a": 1, "b": {"a": [1, 2]}}',
    ],
)
def test_a_complete_file_is_read_as_yaml_reads_it(tmp_path, text):
    assert read_yaml(written(tmp_path, text)) == yaml.safe_load(text)


def test_presets_are_read(pytestconfig):
    for path in sorted((pytestconfig.rootpath / "config").glob("*.yaml")):
        assert read_yaml(path) == yaml.safe_load(path.read_text(encoding="utf-8"))


def test_json_is_read_as_snakemake_reads_it(tmp_path):
    assert read_yaml(written(tmp_path, '{\n\t"rate": 1e-3,\n\t"run": "a"\n}')) == {"rate": 0.001, "run": "a"}


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("run: a\nzoo: {members: 12}\nimages: {source: digits}\nzoo: {width: 4}\n", "zoo", (2, 4)),
        ("zoo:\n  width: 1\n\n  width: 1\n", "zoo.width", (2, 4)),
        ("zoo: {parts: {train: 1,\n  train: 1}}\n", "zoo.parts.train", (1, 2)),
        ("list:\n- {a: 1}\n- a: 1\n  a: 2\n", "list.1.a", (3, 4)),
        ('{\n\t"run": "a",\n\t"run": "b"}', "run", (2, 3)),
        ("'run': a\nrun: b\n", "run", (1, 2)),
    ],
)
def test_a_repeated_key_is_refused(tmp_path, text, key, lines):
    with pytest.raises(ConfigError) as caught:
        read_yaml(written(tmp_path, text))
    words = f"the key {key} is repeated in lines {lines[0]} and {lines[1]}; keep each key once"
    assert str(caught.value) == f"{tmp_path}/mine.yaml: {words}"


def test_all_repeated_keys_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"key a is repeated.* 1 and 3; the key b is repeated.* 2 and 4; keep"):
        read_yaml(written(tmp_path, "a: 1\nb: 1\na: 2\nb: 2\n"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("# run: a\n", "is empty"),
        ("null", "is empty"),
        ("- run\n", "contains no keys"),
        ("run", "contains no keys"),
        ("run: a\n\tzoo: 1\n", ", line 2: "),
        ("run: [a\nzoo: 1\n", ", line 2: "),
        ("a: 1\nrun: b: c\n", ", line 2: mapping values are not allowed here"),
        ("run: a\n---\nrun: b\n", ", line 2: "),
        ("a: 1\n? [1]\n: 2\n", ", line 2: found unhashable key"),
        ("a: !!python/object/apply:os.system [true]\n", ", line 1: could not determine a constructor"),
        ("a: \x01", "unacceptable character"),
        ("a: 2020-13-01", "month must be in 1..12"),
        ("a: &a [*a]", "recursion"),
    ],
)
def test_a_file_that_is_not_a_config_is_named(tmp_path, text, words):
    with pytest.raises(ConfigError) as caught:
        read_yaml(written(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path}/mine.yaml") and words in str(caught.value)


def test_a_byte_order_mark_is_not_part_of_the_first_key(tmp_path):
    assert read_yaml(written(tmp_path, "run: naïve\r\n".encode("utf-8-sig"))) == {"run": "naïve"}


@pytest.mark.parametrize(("encoding", "line"), [("utf-16", 1), ("utf-16-le", 1), ("cp1252", 2)])
def test_an_encoding_that_snakemake_cannot_read_is_refused(tmp_path, encoding, line):
    with pytest.raises(DataError, match=rf"mine\.yaml, line {line}: .*; save it as UTF-8$"):
        read_yaml(written(tmp_path, "run: mine\n# naïve\n".encode(encoding)))


def test_a_config_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.yaml is missing"):
        read_yaml(tmp_path / "gone.yaml")
