"""Docstrings as griffe reads them: an entry for each argument.

In the code one line may explain several (`train, validation: latents`) or hold several explanations (`folder: of
class folders; name: of the class`). Here each gets a line of its own, and so its type and default in the reference; an
entry for what is no argument stops the build. Names of code lead to it.
"""

import re
from inspect import cleandoc

from griffe import Extension

SECTION = re.compile(r"^(?:Args|Attributes):\n((?:    .*\n?|\n(?=    ))+)", re.MULTILINE)
ENTRY = re.compile(r"^    (?! )(.*(?:\n     .*)*)", re.MULTILINE)
CODE = re.compile(r"``(wsl(?:\.\w*[a-z]\w*)+)``")  # constants have no entry
NAMES = re.compile(r"(?:^|; )((?:[a-z_]\w*, )*[a-z_]\w*):\s+")


class Docstrings(Extension):
    """Changes every docstring before it is parsed."""

    def on_object(self, *, obj, **_):
        if obj.docstring:
            obj.docstring.value = CODE.sub(r"[`\1`][\1]", obj.docstring.value)

    def on_function(self, *, func, **_):
        self._split(func, {parameter.name for parameter in func.parameters})

    def on_class(self, *, cls, **_):
        made = cls.members.get("__init__")
        self._split(cls, {*cls.members, *([parameter.name for parameter in made.parameters] if made else ())})

    def _split(self, documented, known):
        if documented.docstring:
            text = cleandoc(documented.docstring.value)
            documented.docstring.value = SECTION.sub(lambda found: ENTRY.sub(split(known), found[0]), text)


def split(known):
    """Return what makes of an entry (a match) those that it holds, of names in ``known``."""

    def entries(found):
        text = " ".join(found[1].split())
        starts = [one for one in NAMES.finditer(text) if one.start() == 0 or set(one[1].split(", ")) <= known]
        ends = [one.start() for one in starts[1:]] + [len(text)]
        parts = [(one[1].split(", "), text[one.end() : end]) for one, end in zip(starts, ends, strict=True)]
        return "\n".join(f"    {name}: {words}" for names, words in parts for name in names) or found[0]

    return entries
