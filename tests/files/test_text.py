"""Text that people save, in the encodings that editors and spreadsheets use."""

import errno
import logging
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsl.errors import DataError
from wsl.files.text import read_text

WORDS = "n01\tjardinière\nn02\tGrößenklasse\n"
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


def saved(path, data: bytes):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_unicode_is_read_in_every_encoding(tmp_path, encoding, ending, caplog):
    mark = "\ufeff" if encoding.endswith(("le", "be")) else ""
    text = WORDS + "n03\tкоала 考拉\n"
    path = saved(tmp_path / "a.tsv", (mark + text).replace("\n", ending).encode(encoding))
    assert read_text(path) == text
    assert not caplog.records


@pytest.mark.parametrize("text", [WORDS, "été; à la carte; façade’s – “œuvre” 3 m²\n", "crème brûlée"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_windows_text_is_read_with_a_warning(tmp_path, caplog, text, ending):
    lines = "koala\n" + text
    path = saved(tmp_path / "a.csv", lines.replace("\n", ending).encode("cp1252"))
    with caplog.at_level(logging.WARNING):
        assert read_text(path) == lines
    (message,) = caplog.messages
    assert str(path) in message
    assert "line 2" in message
    assert text.split("\n")[0].strip() in message
    assert "UTF-8" in message


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("коала", "cp1251"),
        ("коала", "koi8-r"),
        ("κοάλα", "cp1253"),
        ("考拉是动物", "gbk"),
        ("コアラの写真", "shift-jis"),
        ("żółw łąka", "cp1250"),
    ],
)
def test_other_old_encodings_are_refused(tmp_path, text, encoding):
    path = saved(tmp_path / "a.tsv", b"n01\tkoala\nn02\t" + text.encode(encoding) + b"\n")
    with pytest.raises(DataError, match=r"a\.tsv, line 2: byte 0x.* is not UTF-8.*save it as UTF-8"):
        read_text(path)


def test_damaged_utf8_is_not_read_as_windows_text(tmp_path):
    path = saved(tmp_path / "a.tsv", "é\nkoala\nü".encode() + b"\n\n\xfcber\n")
    with pytest.raises(DataError, match=r"line 5: byte 0xfc is not UTF-8, though other.*save it as UTF-8"):
        read_text(path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_named(tmp_path, encoding):
    path = saved(tmp_path / "a.tsv", WORDS.encode(encoding))
    with pytest.raises(DataError, match=r"a\.tsv, line 1: .*UTF-16 without a byte-order mark; save it as UTF-8"):
        read_text(path)


def test_binary_is_named_with_its_line(tmp_path):
    with pytest.raises(DataError, match=r"line 2: .*NUL"):
        read_text(saved(tmp_path / "a.tsv", b"ab\nc\0d"))
    with pytest.raises(DataError, match=r"line 1: byte 0x89 is not UTF-8"):
        read_text(saved(tmp_path / "a.png", b"\x89PNG\r\n\x1a\n"))


def test_utf16_cut_short_is_named(tmp_path):
    with pytest.raises(DataError, match=r"line 2: .*not UTF-16-LE"):
        read_text(saved(tmp_path / "a.tsv", "koala\nab".encode("utf-16")[:-1]))


def test_the_cause_is_named_if_a_file_cannot_be_opened(tmp_path):
    with pytest.raises(DataError, match=r"a\.tsv is missing"):
        read_text(tmp_path / "a.tsv")
    with pytest.raises(DataError, match="is a folder"):
        read_text(tmp_path)
    (tmp_path / "link.tsv").symlink_to("gone.tsv")
    with pytest.raises(DataError, match=r"link to gone\.tsv, which is missing"):
        read_text(tmp_path / "link.tsv")


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.EMFILE, "ulimit -n"), (errno.EACCES, "permission"), (errno.EIO, "Input/output error.*check the disk")],
)
def test_failures_of_the_system_are_named(tmp_path, monkeypatch, code, words):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("pathlib.Path.read_bytes", fail)
    with pytest.raises(DataError, match=words) as caught:
        read_text(saved_name := tmp_path / "a.tsv")
    assert str(saved_name) in str(caught.value)
    assert "delete" not in str(caught.value)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_all_text_is_read_back_from_utf8(tmp_path, text):
    path = saved(tmp_path / "any.txt", text.encode("utf-8"))
    expected = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    assert read_text(path) == expected


@given(st.binary())
def test_any_other_bytes_raise_a_data_error(tmp_path, data):
    try:
        text = read_text(saved(tmp_path / "any.bin", data))
    except DataError as error:
        assert "any.bin" in str(error)
    else:
        assert "\r" not in text
