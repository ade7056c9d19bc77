"""Write benchmarks/README.md from the results that lie here: the last tables, their ratios, the machine."""

import ast
import json
from pathlib import Path
from typing import Any

import pandas as pd
from growth import in_words
from side_by_side import RESULTS

HERE = Path(__file__).parent
# Reports by the file that makes them, in the order of the chain.
REPORTS = {
    "seeds": ("seeds",),
    "profile_stages": ("profile_stages",),
    "storage": ("storage",),
    "index": ("index",),
    "pca": ("pca", "pca_out_of_core"),
    "zoo_cpu": ("zoo_cpu",),
    "zoo_gpu": ("zoo_gpu",),
    "decoding": ("decoding",),
    "workflow": ("starts", "planning", "scheduling"),
    "growth": ("growth",),
}
INTRODUCTION = """# Benchmarks

`make bench BENCH=pca` runs one, `make bench` all that this machine can run. Each stands beside fair rivals in the same
run: ratios count, not seconds, and lie between the least and the largest of all rounds. Leave the machine idle.
Results lie in `benchmarks/results/<name>.json`; this page is made of them
(`python benchmarks/readme.py`).
"""


def section(name: str, reports: tuple[str, ...]) -> str:
    """Return a benchmark's part of the page: what it does, tables, figures, the machine; all as measured last."""
    what = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8")))
    parts, machines = [f"## {name}\n\n{what}"], []
    for report in reports:
        path = RESULTS / f"{report}.json"
        if not path.is_file():
            parts.append(f"`{report}`: not measured.")
            continue
        found = json.loads(path.read_text(encoding="utf-8"))
        machines.append(machine(found.pop("machine")))
        rows = found.pop("rows")
        if name == "growth":
            rows = exponents(found.pop("exponents"))
        parts.append(table(rows))
        lines = [f"- {key.replace('_', ' ')}: {value(one)}" for key, one in found.items()]
        parts += ["\n".join(lines)] if lines else []
    return "\n\n".join([*parts, *dict.fromkeys(machines)])


def exponents(found: dict[str, dict[str, dict[str, float | None]]]) -> list[dict[str, Any]]:
    """Return a row a stage: the exponents of its seconds and of its memory."""
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
    lines = [heads, ["---"] * len(heads), *([value(one) for one in row] for row in frame.itertuples(index=False))]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def value(one: Any) -> str:
    """Return a figure in words."""
    if isinstance(one, dict) and set(one) == {"median", "low", "high"}:
        return f"**{one['median']:.3g}** ({one['low']:.3g} to {one['high']:.3g})"
    if isinstance(one, dict):
        return ", ".join(f"{key} {value(part)}" for key, part in one.items())
    if isinstance(one, float):
        return "" if one != one else f"{one:.4g}"
    return "" if one is None else str(one)


def machine(about: dict[str, Any]) -> str:
    """Return the machine that a report was made on."""
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    gpu = f", {about['gpu']}" if about["gpu"] else ", no GPU"
    cores = f"{about['cores']} cores, {about['memory_gib']} GiB{gpu}"
    return f"On: {about['cpu'].strip()}, {cores}; Python {about['python']}, {packages}."


if __name__ == "__main__":
    sections = [section(name, reports) for name, reports in REPORTS.items()]
    (HERE / "README.md").write_text("\n\n".join([INTRODUCTION.rstrip(), *sections]) + "\n", encoding="utf-8")
