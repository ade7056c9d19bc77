"""How objects look in a notebook: tables of facts in HTML, pictures, and cards in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image


class Markdown(str):
    """Text in Markdown, which a notebook shows formatted."""

    def _repr_markdown_(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Picture:
    """A figure of a run, which a notebook shows.

    Attributes:
        name: of the figure.
        png: its file as a bitmap.
        pdf: its file as vectors.
    """

    name: str
    png: Path
    pdf: Path

    @property
    def image(self) -> Image.Image:
        """The bitmap."""
        from PIL import Image

        with Image.open(self.png) as image:
            image.load()
        return image

    def _repr_png_(self) -> bytes:
        return self.png.read_bytes()


def as_html(title: str, facts: Mapping[str, Any], table: pd.DataFrame | None = None) -> str:
    """Return a title, facts in two columns, and a table below, as HTML."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(key)}</th><td style="text-align:left">{escape(str(value))}</td></tr>'
        for key, value in facts.items()
    )
    below = "" if table is None else table.to_html(float_format=lambda value: f"{value:.3g}", na_rep="", border=0)
    return f"<div><b>{escape(title)}</b><table>{rows}</table>{below}</div>"


def as_text(title: str, facts: Mapping[str, Any]) -> str:
    """Return a title and facts in one line."""
    return f"{title}({', '.join(f'{key}={value!r}' for key, value in facts.items())})"
