"""Texts for readers do not use the words in wording.txt."""

import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_name("wording.txt")
# All texts of the project: pages, messages, docstrings and comments.
CHECKED = (
    "*.md",
    "Snakefile",
    "workflow/Snakefile",
    "Makefile",
    "Containerfile",
    "*.yml",
    ".*.yaml",
    ".github/**/*.*",
    ".test/*.md",
    "benchmarks/*",
    "config/*",
    "docs/**/*.md",
    "docs/**/*.py",
    "docs/**/*.yaml",
    "profiles/*/*",
    "tests/**/*.py",
    "workflow/**/*.smk",
    "workflow/envs/*",
    "workflow/report/*",
    "workflow/scripts/*",
    "wsl/**/*.py",
    "wsl/**/*.jinja",
    "wsl/**/*.yaml",
)
CODE = "\0"  # replaces code, so that no phrase reaches across it


@cache
def patterns():
    """The patterns with the preferred words."""
    lines = [line for line in LIST.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    pairs = [line.split(" => ") for line in lines]
    return [(re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE), words) for pattern, words in pairs]


def blank(match):
    return re.sub(r"\S", CODE, match[0])


def text_of(path):
    """The text of a file without its code, with every character in its old place."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".py", ".smk") or path.name == "Snakefile":
        return text_of_python(text)
    if path.suffix in (".yaml", ".yml") or path.name in ("Makefile", "Containerfile"):
        text = re.sub(r"^[^#\n]+", blank, text, flags=re.MULTILINE)
        return text.replace("#", " ")
    text = re.sub(r"^ *```.*?^ *```|^(?:    .+\n)+", blank, text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]+`", blank, text)


def text_of_python(source):
    """Comments and strings of a module."""
    source_lines = source.splitlines(keepends=True)
    lines = [re.sub(r"\S", CODE, line) for line in source_lines]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)):
            continue
        if " " not in token.string:  # a name or a key
            continue
        (row, start), (last, end) = token.start, token.end
        for number in range(row - 1, last):
            line = source_lines[number]
            begin, stop = start if number == row - 1 else 0, end if number == last - 1 else len(line)
            lines[number] = lines[number][:begin] + re.sub("[\"'#]", " ", line[begin:stop]) + lines[number][stop:]
    return re.sub(r"``[^`\n]+``|`[^`\n]+`", blank, "".join(lines))


def found_in(text):
    """Line, words and preferred words of each finding."""
    return [
        (text.count("\n", 0, match.start()) + 1, " ".join(match[0].split()), words)
        for pattern, words in patterns()
        for match in pattern.finditer(text)
    ]


FILES = sorted({path for pattern in CHECKED for path in ROOT.glob(pattern) if path.is_file()} - {Path(__file__)})


def test_files_are_found():
    assert len(FILES) > 60
    assert all(any(path.match(pattern) for path in FILES) for pattern in ("README.md", "*.rst", "glossary.md"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_words_are_plain(path):
    try:
        text = text_of(path)
    except UnicodeDecodeError:
        pytest.skip("not a text file")
    lines = [f"{path.relative_to(ROOT)}:{line}: {words!r}, better: {better}" for line, words, better in found_in(text)]
    assert lines == [], "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("page.md", "It has two\nimages a\nclass.", 2),
        ("page.md", "```\nimages a class\n```\n`rival`\n\n    rival\n\nA rival.", 8),
        ("code.py", 'rival = "rival"\nprint("no " "such rival")', 2),
        ("code.py", '"""Text.\n\nThe loss\nasked for.\n"""', 3),
        ("code.py", "x = 1  # it is\n# no copy, see ``rival``", 1),
        ("keys.yaml", "rival: 1 # made anew", 1),
    ],
)
def test_words_are_found_in_texts_and_not_in_code(tmp_path, name, text, line):
    path = tmp_path / name
    path.write_text(text)
    assert [found[0] for found in found_in(text_of(path))] == [line]


def test_plain_sentences_are_not_found():
    assert found_in("There is no network. It is no longer than a class. One image per class. It is due to noise.") == []
