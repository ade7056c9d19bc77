"""The interactive page in a notebook."""

import html
import tempfile
from dataclasses import dataclass
from pathlib import Path

from wsl.explore.page import write_page
from wsl.paths import Paths


@dataclass(frozen=True)
class PageView:
    """The page of a run; a notebook shows it.

    Attributes:
        page: its HTML.
        height: in a notebook, in pixels.
    """

    page: str
    height: int = 900

    def _repr_html_(self) -> str:
        frame = "width: 100%; border: 1px solid #ddd; border-radius: 4px"
        return f'<iframe srcdoc="{html.escape(self.page)}" style="{frame}" height="{self.height}"></iframe>'

    def __repr__(self) -> str:
        return f"PageView of {len(self.page) / 1e6:.1f} MB; a notebook shows it, and save(path) writes it"

    def save(self, path: str | Path) -> None:
        """Write the page to a file."""
        Path(path).write_text(self.page, encoding="utf-8")


def figure(folder: str | Path, height: int = 900) -> PageView:
    """Return the page of a finished run: its `explore.html`, or, of runs that have none, a new one.

    Nothing is written to the folder.

    Raises:
        DataError: the run has no map, see ``wsl.explore.page.PageFiles.of``.
    """
    page = Path(Paths(str(folder)).explore)
    if page.is_file():
        return PageView(page.read_text(encoding="utf-8"), height)
    with tempfile.TemporaryDirectory() as temporary:
        page = Path(temporary, "explore.html")
        write_page(folder, page)
        return PageView(page.read_text(encoding="utf-8"), height)
