"""Facts of source files, and their cache, which saves a second of each start."""

import hashlib
import json

import pytest

from wsl.jobs import provenance
from wsl.jobs.provenance import source

CODE = '''"""A module."""

from typing import TYPE_CHECKING

import numpy
import wsl.files.hdf5
from wsl.errors import DataError

if TYPE_CHECKING:
    from wsl.runs.run import Run

TEMPLATE = Path(__file__).parent / "page.jinja"


def late():
    from wsl.zoo import index
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A file, read by a process that has its own cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "module.py"
    path.write_text(CODE)
    new_process()
    yield path
    new_process()


def new_process():
    source.cache_clear()
    provenance._cached.cache_clear()
    provenance._PARSED.clear()


def cached(tmp_path):
    (path,) = (tmp_path / "cache" / "wsl" / "sources").iterdir()
    return path


def test_imports_and_files_of_a_module(module):
    names = {"wsl.files.hdf5", "wsl.errors", "wsl.errors.DataError", "wsl.zoo", "wsl.zoo.index"}
    assert set(source(module).modules) == names  # not numpy, and nothing for annotations alone
    assert source(module).beside == ("page.jinja",)


def test_the_digest_of_a_file_that_is_not_python_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "page.jinja"
    path.write_bytes(b"text")
    assert source(path) == (hashlib.sha256(b"text").hexdigest(), (), ())


def test_a_later_process_reads_the_cache(module, tmp_path, monkeypatch):
    first = source(module)
    provenance._keep_parsed()
    assert list(json.loads(cached(tmp_path).read_text())) == [hashlib.sha256(CODE.encode()).hexdigest()]
    new_process()
    monkeypatch.setattr(provenance, "_parsed", None)
    assert source(module) == first


def test_an_edit_is_detected_despite_the_cache(module):
    first = source(module)
    provenance._keep_parsed()
    new_process()
    module.write_text(CODE + "x = 1\n")
    assert source(module).digest != first.digest


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": ["b"]}', b"\xff"])
def test_a_damaged_cache_is_replaced(module, tmp_path, content):
    first = source(module)
    provenance._keep_parsed()
    cached(tmp_path).write_bytes(content)
    new_process()
    assert source(module) == first
    provenance._keep_parsed()
    assert len(json.loads(cached(tmp_path).read_text())) == 1


def test_without_a_cache_folder_the_facts_are_the_same(module, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder would be")
    first = source(module)
    provenance._keep_parsed()
    new_process()
    assert source(module) == first
