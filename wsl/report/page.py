"""The HTML report of a run: one file with all figures, tables and main numbers."""

import base64
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pandas as pd
import yaml
from markupsafe import Markup

from wsl.figures.methods import KINDS, kinds_in, method, strongest_baseline
from wsl.files.atomic import written_whole
from wsl.files.plain import read_json
from wsl.jobs.machine import this_machine
from wsl.report.cautions import cautions
from wsl.report.origin import origin_rows, read_origin
from wsl.zoo.few_sets import counted

TEMPLATE = Path(__file__).parent / "report.html.jinja"
LONG_TABLE = 30  # rows
WIDE = 600  # pixels on the screen
SCREEN_SCALE = 0.7  # of bitmaps, so that their text is as large as the text around them


def write_report(
    figures: Sequence[str | Path],
    tables: Sequence[str | Path],
    captions: Sequence[str | Path],
    summary: str | Path,
    out: str | Path,
    contents: list[dict[str, str]],
    config: dict[str, Any],
    facts: dict[str, Any],
) -> None:
    """Write the report: an HTML file in the run's folder, whose one link to another file is to `explore.html`.

    Args:
        figures: PNG files, in the order of ``contents``.
        tables: CSV files, in the order of ``contents``.
        captions: templates, one for each of ``contents``.
        summary: the main numbers (JSON).
        out: the HTML file.
        contents: figures, then tables, see ``wsl.report.contents``.
        config: the checked config, shown as YAML.
        facts: see ``wsl.report.facts``.
    """
    numbers = read_json(summary)
    items = [
        {**item, "caption": caption(template, facts), **(_picture(file) if item["kind"] == "figure" else _table(file))}
        for item, template, file in zip(contents, captions, [*figures, *tables], strict=True)
    ]
    shown = items[: len(figures)]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["percent"] = lambda value: f"{value:.1%}"
    origin = read_origin(Path(out).parent, out)
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        run=config["run"],
        facts=facts,
        numbers=numbers,
        tiles=tiles(numbers, facts["sets"], facts["unit"]),
        ranking={"kinds": [KINDS[kind] for kind in kinds_in(numbers["accuracy"])], "rows": ranking(numbers)},
        warnings=cautions(numbers, facts),
        written=f"Report written on {origin.written:%Y-%m-%d} by wsl {this_machine().wsl}; seed {config['seed']}.",
        origin=[*origin_rows(origin, config["run"], config["seed"]), *zoo_rows(facts["borrowed"])],
        figures=[(category, list(group)) for category, group in groupby(shown, key=lambda item: item["category"])],
        tables=items[len(figures) :],
        config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
    )
    with written_whole(out) as temporary:
        temporary.write_text(page, encoding="utf-8")


def zoo_rows(other: dict[str, str]) -> list[tuple[str, str]]:
    """Return rows of the table of the origin about the run whose zoo is used, with its report; none for its own."""
    if not other:
        return []
    link = Markup('that of the run <a href="{}">{}</a> ({})')
    rows = [("zoo", link.format(quote(other["report"]), other["run"], other["folder"]))]
    return rows + [("classes left out", other["left_out"])] * bool(other["left_out"])


def caption(template: str | Path, facts: dict[str, Any]) -> str:
    """Return the text of a caption: a template, in which a fact is ``{{ snakemake.config.facts.per_task }}``.

    Snakemake's own report fills the same template with the same facts, which are in its config.
    """
    # As Snakemake does, except that a missing fact is an error.
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    text = environment.from_string(Path(template).read_text(encoding="utf-8"))
    return " ".join(text.render(snakemake={"config": {"facts": facts}}).split())


def _picture(path: str | Path) -> dict[str, Any]:
    data = Path(path).read_bytes()
    width = round(int.from_bytes(data[16:20], "big") * SCREEN_SCALE)  # from the header of the PNG, pixels
    return {"data": base64.b64encode(data).decode(), "width": width, "wide": width > WIDE}


def _table(path: str | Path) -> dict[str, Any]:
    table = pd.read_csv(path)
    return {
        "columns": list(table.columns),
        "numeric": set(table.select_dtypes("number")),
        "rows": [list(map(_cell, row)) for row in table.itertuples(index=False)],
        "long": len(table) > LONG_TABLE,
    }


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.4g}"
    return str(value)


def tiles(numbers: dict[str, Any], sets: dict[str, int], unit: str) -> list[dict[str, Any]]:
    """Return one tile per kind of held-out tasks: the chosen sampler and the strongest baseline, the better one first.

    ``sets`` are the numbers of units of intervals by kind, for a summary without these numbers.
    """
    content = []
    for kind in kinds_in(numbers["accuracy"]):
        accuracies, count = numbers["accuracy"][kind], numbers.get("sets", sets).get(kind)
        roles = {numbers["chosen_sampler"]: "chosen sampler", strongest_baseline(accuracies): "strongest baseline"}
        methods = [
            {"label": method(name).label, "role": role, "accuracy": accuracies[name]}
            for name, role in roles.items()
            if name is not None
        ]
        content.append(
            {
                "title": KINDS[kind],
                "units": count and counted(count, unit),
                "methods": sorted(methods, key=lambda entry: -entry["accuracy"]),
                "trained": accuracies.get("trained"),
            }
        )
    return content


def ranking(numbers: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the look of all methods, the most accurate on seen classes first, with a cell per kind of tasks."""
    accuracies = {kind: numbers["accuracy"][kind] for kind in kinds_in(numbers["accuracy"])}
    names = dict.fromkeys(name for values in accuracies.values() for name in values)
    intervals = numbers.get("accuracy_intervals", {})

    def cell(kind: str, name: str) -> str:
        if name not in accuracies[kind]:
            return ""
        bounds = [100 * bound for bound in intervals.get(kind, {}).get(name, ()) if bound is not None]
        return f"{accuracies[kind][name]:.1%}" + (" ({:.1f} to {:.1f})".format(*bounds) if len(bounds) == 2 else "")

    return [
        {
            "look": method(name),
            "chosen": name == numbers["chosen_sampler"],
            "cells": [cell(kind, name) for kind in accuracies],
        }
        for name in sorted(names, key=lambda name: [-values.get(name, -1) for values in accuracies.values()])
    ]
