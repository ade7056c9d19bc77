"""Text files in any encoding (class lists, tables, YAML); output to terminals that show ASCII only."""

import codecs
import logging
import re
import sys
from contextlib import suppress
from pathlib import Path

from wsl.errors import DataError
from wsl.files.opening import read_bytes

log = logging.getLogger(__name__)
# UTF-32 comes first: its little-endian mark starts with that of UTF-16.
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
REMEDY = "save it as UTF-8"


def read_text(path: str | Path, utf8_only: bool = False) -> str:
    r"""Read a text file in UTF-8, in UTF-16 or UTF-32 with a byte-order mark, or in Windows-1252.

    Windows-1252 is assumed only if the bytes are not UTF-8 and the result looks like a Western European language; a
    warning then names the file and the first such line. The result has no byte-order mark, and all line endings are
    ``\n``. Split it by ``split("\n")``: ``splitlines`` also splits at characters that a name may contain.

    Args:
        path: the file.
        utf8_only: refuse all other encodings.

    Raises:
        DataError: the file cannot be opened, or has another encoding.
    """
    data = read_bytes(path)
    mark = next((mark for mark in MARKS if data.startswith(mark)), b"")
    encoding = MARKS.get(mark, "utf-8")
    body = data.removeprefix(mark)
    if utf8_only and encoding != "utf-8":
        raise DataError(f"{path}, line 1: it is {encoding.upper()}; {REMEDY}")
    if encoding == "utf-8" and b"\0" in body:
        # Every second byte of Latin letters in UTF-16 is zero.
        kind = "is UTF-16 without a byte-order mark" if body[:2].count(0) == 1 else "contains NUL bytes, so is not text"
        raise DataError(f"{path}, line {_line(body[: body.index(0)].decode('latin-1'))}: it {kind}; {REMEDY}")
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        if mark:
            line = _line(body[: error.start].decode(encoding, errors="ignore"))
            fault = f"{path}, line {line}: the text is not {encoding.upper()}, which the byte-order mark announces"
            raise DataError(f"{fault}; {REMEDY}") from None
        text = _western(path, body, error, utf8_only)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _western(path: str | Path, body: bytes, error: UnicodeDecodeError, refuse: bool) -> str:
    """Return bytes that are not UTF-8, decoded as Windows-1252, or refuse damaged UTF-8 and other encodings."""
    number = _line(body[: error.start].decode("latin-1"))
    place = f"{path}, line {number}: byte 0x{body[error.start]:02x} is not UTF-8"
    if re.search(r"[^\x00-\x7f]", body.decode("utf-8", errors="ignore")):
        raise DataError(f"{place}, though other characters of the file are; correct the line, and {REMEDY}")
    if refuse:
        raise DataError(f"{place}; {REMEDY}")
    text = body.decode("cp1252", errors="replace")
    if any(map(_garbled, re.findall(r"\w+", text))) or re.search(r"[\x00-\x08\x0e-\x1f\ufffd]", text):
        raise DataError(f"{place}, and the encoding is unknown; {REMEDY}")
    first = text[: error.start].rpartition("\n")[2] + text[error.start :].partition("\n")[0]
    log.warning("%s, line %d: not UTF-8, read as Windows-1252: %s; %s", path, number, first.strip(), REMEDY)
    return text


def _garbled(word: str) -> bool:
    """Return whether a word looks like another encoding decoded as Windows-1252.

    Cyrillic, Greek and Asian encodings give words without ASCII letters; the Central European one gives superscripts
    and fractions inside words.
    """
    foreign = [character for character in word if not character.isascii()]
    letters = [character for character in word if character.isalpha()]
    symbol_inside = any(not character.isalpha() for character in foreign if character is not word[-1])
    return (len(letters) > 1 and all(not letter.isascii() for letter in letters)) or symbol_inside


def _line(before: str) -> int:
    """Return the number of the line in which the text ends."""
    return len(re.findall(r"\r\n|\r|\n", before)) + 1


def forgive_output() -> None:
    """Escape characters that the terminal cannot show on standard output and error; they would raise an error."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # another kind of stream, or closed
            stream.reconfigure(errors="backslashreplace")
