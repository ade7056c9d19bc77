"""Write benchmarks/README.md from the last results: tables, ratios and the machine."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
from growth import in_words
from side_by_side import RESULTS

HERE = Path(__file__).parent
# Reports by the file that writes them, in the order of the stages.
REPORTS = {
    "seeds": ("seeds",),
    "profile_stages": ("profile_stages",),
    "storage": ("storage",),
    "index": ("index",),
    "pca": ("pca", "pca_out_of_core"),
    "zoo_cpu": ("zoo_cpu",),
    "batches": ("batches",),
    "zoo_gpu": ("zoo_gpu",),
    "decoding": ("decoding",),
    "sane": ("sane",),
    "workflow": ("starts", "planning", "scheduling"),
    "growth": ("growth",),
}
INTRODUCTION = """# Benchmarks

`make bench BENCH=pca` runs one benchmark, `make bench` all that this machine can run. Each benchmark also measures fair
baselines in the same run. Compare the ratios, not the seconds; their ranges are the minimum and the maximum over all
rounds. Nothing else should run on the machine. Results are in `benchmarks/results/<name>.json`, and
`python benchmarks/readme.py` writes this page from them. Benchmarks without results there keep their sections.
"""


def section(name: str, reports: tuple[str, ...], kept: str | None) -> str:
    """Return a benchmark's section: description, tables, figures and machine of the last measurement.

    Args:
        name: of the benchmark.
        reports: names of its results.
        kept: its section of the page so far, which remains if there are no results.
    """
    paths = {report: RESULTS / f"{report}.json" for report in reports}
    if kept and not any(path.is_file() for path in paths.values()):
        return kept
    what = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8")))
    parts, machines = [f"## {name}\n\n{what}"], []
    for report, path in paths.items():
        if not path.is_file():
            parts.append(f"`{report}`: no results are stored.")
            continue
        found = json.loads(path.read_text(encoding="utf-8"))
        machines.append(machine(found.pop("machine")))
        rows = found.pop("rows")
        if name == "growth":
            rows = exponents(found.pop("exponents"))
        parts.append(table(rows))
        lines = [f"- {key.replace('_', ' ')}: {value(item)}" for key, item in found.items()]
        parts += ["\n".join(lines)] if lines else []
    return "\n\n".join([*parts, *dict.fromkeys(machines)])


def kept_sections(page: str) -> dict[str, str]:
    """Return the sections of a page by their names."""
    _, *sections = re.split(r"^## ", page, flags=re.MULTILINE)
    return {one.partition("\n")[0]: f"## {one.rstrip()}" for one in sections}


def exponents(found: dict[str, dict[str, dict[str, float | None]]]) -> list[dict[str, Any]]:
    """Return one row per stage: the exponents of its time and memory."""
    columns = {"core seconds": "seconds", "memory": "mib"}
    return [
        {"stage": stage}
        | {
            f"{name} by {against}": in_words(own[stage][key])
            for against, own in found.items()
            for name, key in columns.items()
        }
        for stage in found["members"]
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows as a Markdown table."""
    frame = pd.DataFrame(rows)
    heads = [str(column) for column in frame]
    lines = [heads, ["---"] * len(heads), *([value(item) for item in row] for row in frame.itertuples(index=False))]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def value(item: Any) -> str:
    """Return a value as text."""
    if isinstance(item, dict) and set(item) == {"median", "low", "high"}:
        return f"**{item['median']:.3g}** ({item['low']:.3g} to {item['high']:.3g})"
    if isinstance(item, dict):
        return ", ".join(f"{key} {value(part)}" for key, part in item.items())
    if isinstance(item, float):
        return "" if item != item else f"{item:.4g}"
    return "" if item is None else str(item)


def machine(about: dict[str, Any]) -> str:
    """Return the machine of a report as text."""
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    gpu = f", {about['gpu']}" if about["gpu"] else ", no GPU"
    cores = f"{about['cores']} cores, {about['memory_gib']} GiB{gpu}"
    return f"On: {about['cpu'].strip()}, {cores}; Python {about['python']}, {packages}."


if __name__ == "__main__":
    page = HERE / "README.md"
    kept = kept_sections(page.read_text(encoding="utf-8"))
    sections = [section(name, reports, kept.get(name)) for name, reports in REPORTS.items()]
    page.write_text("\n\n".join([INTRODUCTION.rstrip(), *sections]) + "\n", encoding="utf-8")
