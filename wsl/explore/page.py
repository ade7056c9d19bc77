"""The interactive page of a run, `explore.html`: one file that needs no network."""

import base64
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from wsl.errors import DataError
from wsl.explore.content import curves_of, members_of, methods_of, snapshots_of
from wsl.explore.points import first_of_each_part, load_space
from wsl.explore.thumbnails import thumbnails
from wsl.figures.palette import BLUE, GREEN, ORANGE, PURPLE, RED, SKY
from wsl.files.atomic import written_whole
from wsl.files.plain import read_json
from wsl.jobs.job import Job
from wsl.paths import Paths

log = logging.getLogger(__name__)
ASSETS = Path(__file__).parent / "assets"
LIBRARY = Path(__file__).parent / "vendor" / "echarts.common.min.js"
SCRIPTS = ("state.js", "colours.js", "map.js", "details.js", "filters.js", "curves.js", "methods.js", "start.js")
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY, "#4D4D4D", "#8C6D1F")
PARTS = ("train", "validation", "test", "unseen")


@dataclass(frozen=True)
class PageFiles:
    """Input files of the page. A run without a shared encoder has no (D, R) points, one without images no pictures."""

    latents: Sequence[str | Path]  # of every part
    members: str | Path  # table of members
    history: str | Path  # their metrics by epoch
    summary: str | Path  # the main numbers
    accuracy: str | Path | None = None  # see ``wsl.evaluation.tables.accuracy_table``
    packed: str | Path | None = None  # list of packed images
    class_means: str | Path | None = None
    bins: str | Path | None = None
    shared: str | Path | None = None  # the shared encoder

    @classmethod
    def of(cls, paths: Paths) -> "PageFiles":
        """Return the files of a finished run.

        Raises:
            DataError: the folder lacks a file that every page needs, or is of a mixed zoo.
        """
        latents = [path for path in map(paths.latents, PARTS) if Path(path).is_file()]
        needed = {"members": paths.table("members"), "history": paths.zoo_history, "summary": paths.summary}
        if Path(paths.shared()).is_file():
            needed |= {"shared": paths.shared(), "class_means": paths.class_means, "bins": paths.bins}
        absent = [path for path in needed.values() if not Path(path).is_file()]
        if absent or not latents:
            raise DataError(
                f"{absent[0] if absent else paths.latents('train')} is missing, so the run has no map: finish it; runs "
                "of several architectures have none"
            )
        further = {"accuracy": paths.table("accuracy"), "packed": paths.all_packed}
        return cls(latents, **needed, **{name: path for name, path in further.items() if Path(path).is_file()})


def write_page(folder: str | Path, out: str | Path) -> None:
    """Write the page of the finished run in a folder.

    Raises:
        DataError: see ``PageFiles.of``.
    """
    make_page(PageFiles.of(Paths(str(folder))), out, Path(folder).resolve().name)


def make_page(
    inputs: PageFiles,
    out: str | Path,
    run: str,
    superclasses: dict[str, str] = {},  # noqa: B006
    job: Job = Job(),  # noqa: B008
) -> None:
    """Write the page.

    Args:
        inputs: the run's files.
        out: the HTML file.
        run: the run's name.
        superclasses: of classes, for colours.
        job: seed of the map.
    """
    page = render_page(page_data(inputs, run, superclasses, job.seed))
    with written_whole(out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    log.info("%s has %.1f MB", out, Path(out).stat().st_size / 1e6)


def page_data(inputs: PageFiles, run: str, superclasses: dict[str, str], seed: int) -> dict[str, Any]:
    """Return everything that the page shows."""
    whole = load_space(inputs.latents, inputs.class_means, inputs.bins, inputs.shared)
    space = first_of_each_part(whole)
    table = pd.read_csv(inputs.members, dtype={"task": str})
    shown = table[table["member"].isin(space.snapshots["member"])]
    members = members_of(shown, superclasses)
    numbers = read_json(inputs.summary)
    pictures = {} if inputs.packed is None else thumbnails(inputs.packed)
    return {
        "run": run,
        "chance": numbers.get("chance"),
        "palette": PALETTE,
        "shared": space.pairs is not None,
        "counts": {
            "members": [len(shown), len(table)],
            "snapshots": [len(space.snapshots), len(whole.snapshots)],
            "left_out": whole.left_out,
        },
        "members": members,
        "pictures": [pictures.get(name) for name in members["classes"]],
        "snapshots": snapshots_of(space, members["names"], seed),
        "curves": curves_of(pd.read_csv(inputs.history), members["names"]),
        "accuracy": None if inputs.accuracy is None else methods_of(pd.read_csv(inputs.accuracy)),
    }


def render_page(data: dict[str, Any]) -> str:
    """Return the HTML of the page.

    Its content security policy lets only its own scripts run and nothing load, whatever names the data contain.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    scripts = [path.read_text(encoding="utf-8") for path in (LIBRARY, *(ASSETS / name for name in SCRIPTS))]
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return environment.from_string((ASSETS / "page.html.jinja").read_text(encoding="utf-8")).render(
        run=data["run"],
        data=data,
        style=(ASSETS / "style.css").read_text(encoding="utf-8"),
        scripts=scripts,
        hashes=[base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts],
        text=text.replace("<", "\\u003c"),  # so that no name ends the script
    )
