"""The HTML report of a run: one file with every figure, table and main number."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from wsl.files import read_json, written_whole

TEMPLATE = Path(__file__).parent / "report.html.jinja"
LONG_TABLE = 30
BROAD = 600  # pixels on the screen
SCREEN_SCALE = 0.7  # of the bitmaps, so that letters are as large as the text around them


def write_report(
    figures: Sequence[str | Path],
    tables: Sequence[str | Path],
    captions: Sequence[str | Path],
    summary: str | Path,
    out: str | Path,
    config: dict[str, Any],
) -> None:
    """Write the report.

    Args:
        figures: PNG files; tables: CSV files, each captioned by the text file of its stem.
        captions: text files.
        summary: the main numbers (JSON).
        out: HTML file, complete in itself.
        config: the checked config, shown as YAML.
    """
    numbers = read_json(summary)
    texts = {Path(path).stem: Path(path).read_text(encoding="utf-8").strip() for path in captions}
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["percent"] = lambda value: f"{value:.1%}"
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        run=config["run"],
        numbers=numbers,
        warnings=_warnings(config, numbers),
        figures=[{"name": Path(path).stem, "caption": texts[Path(path).stem], **_picture(path)} for path in figures],
        tables=[{"name": Path(path).stem, "caption": texts[Path(path).stem], **_table(path)} for path in tables],
        config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
    )
    with written_whole(out) as beside:
        beside.write_text(page, encoding="utf-8")


def _warnings(config: dict[str, Any], numbers: dict[str, Any]) -> list[str]:
    found = []
    if config["datasets"]["weights"] is None:
        found.append(
            f"Dataset embeddings are RANDOM features: the CLIP model {config['datasets']['model']} has no pretrained "
            "weights here. Name some in datasets.weights for embeddings that know what images show."
        )
    if numbers["members_diverged"]:
        found.append(f"{numbers['members_diverged']} of {numbers['members']} members diverged and were left out.")
    if numbers["images_skipped"]:
        found.append(f"{numbers['images_skipped']} image files could not be read and were skipped; see classes.")
    if numbers["images_shared"]:
        found.append(
            f"{numbers['images_shared']} images lie in several classes, which they cannot tell apart; the log of "
            "class_table names them."
        )
    if numbers["outcome_bins_filled"] < 3:
        found.append(
            f"Only {numbers['outcome_bins_filled']} outcome bins hold training snapshots: a request R can hardly "
            "matter. Use outcomes.spacing: quantiles, or snapshots whose losses spread more."
        )
    return found


def _picture(path: str | Path) -> dict[str, Any]:
    data = Path(path).read_bytes()
    width = round(int.from_bytes(data[16:20], "big") * SCREEN_SCALE)  # where a PNG holds it, pixels
    return {"data": base64.b64encode(data).decode(), "width": width, "broad": width > BROAD}


def _table(path: str | Path) -> dict[str, Any]:
    table = pd.read_csv(path)
    return {
        "columns": list(table.columns),
        "numeric": set(table.select_dtypes("number")),
        "rows": [[_cell(value) for value in row] for row in table.itertuples(index=False)],
        "long": len(table) > LONG_TABLE,
    }


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.4g}"
    return str(value)
