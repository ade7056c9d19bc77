"""Draw equations with matplotlib while the site is built, so that readers load no script from another server.

`pymdownx.arithmatex` finds the equations. TeX that matplotlib does not support stops the build.
"""

import html
import re
from functools import cache

from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import text_to_path
from mkdocs.exceptions import PluginError

EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
FONT = FontProperties(math_fontfamily="stix", size=text_to_path.FONT_SCALE)
UNITS = 1000 / text_to_path.FONT_SCALE  # the drawing has 1000 units per em
WORD = re.compile(r"\\[A-Za-z]+")
RENAMED = {r"\lVert": r"\,\Vert", r"\rVert": r"\Vert"}  # commands that matplotlib has under another name
COMMANDS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}


def on_page_content(content, page, **_):
    """Draw the equations of a page."""

    def draw(match):
        tag, tex = match[1], " ".join(html.unescape(match[2]).split())
        try:
            return f'<{tag} class="equation">{draw_equation(tex, tag == "div")}</{tag}>'
        except ValueError as error:
            raise PluginError(f"{page.file.src_uri}: matplotlib cannot draw {tex!r}: {error}") from error

    return EQUATION.sub(draw, content)


@cache
def draw_equation(tex, displayed):
    """Return an equation as SVG, in the colour and size of the surrounding text and on its baseline.

    Args:
        tex: the equation.
        displayed: whether the equation is in a paragraph of its own, with fractions in full size.
    """
    renamed = RENAMED | {r"\frac": r"\dfrac"} if displayed else RENAMED
    text = f"${WORD.sub(lambda word: renamed.get(word[0], word[0]), tex)}$"
    sizes = text_to_path.get_text_width_height_descent(text, FONT, ismath=True)
    width, height, descent = (UNITS * size for size in sizes)
    outline = Path(*text_to_path.get_text_path(FONT, text, ismath=True))
    steps = "".join(
        COMMANDS[code] + ("" if code == Path.CLOSEPOLY else " ".join(f"{UNITS * value:.0f}" for value in points))
        for points, code in outline.iter_segments(simplify=False, curves=True)
    )
    return (
        f'<svg role="img" aria-label="{html.escape(tex)}" viewBox="0 {descent - height:.0f} {width:.0f} {height:.0f}" '
        f'style="width: {width / 1000:.3f}em; height: {height / 1000:.3f}em; vertical-align: {-descent / 1000:.3f}em">'
        f'<path transform="scale(1 -1)" d="{steps}"/></svg>'
    )
