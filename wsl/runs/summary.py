"""The summary that a finished run prints: the path of the report, and a table of methods sorted by accuracy."""

import sys
from pathlib import Path
from typing import Any

from wsl.figures.methods import SHORT_KINDS, kinds_in, strongest_baseline
from wsl.files.plain import read_json
from wsl.zoo.few_sets import SETS, counted

NAME, KIND, NUMBER, WIDE_NAME = 16, 10, 23, 20  # least widths of columns


def print_summary(results: str | Path) -> None:
    """Print the main numbers of the finished run in a folder; without a summary, print nothing."""
    path = Path(results, "summary.json")
    if path.is_file():
        numbers = read_json(path)
        if "architectures" in numbers:
            lines = mixed_lines(Path(results, "tables"), numbers)
        else:
            lines = summary_lines(Path(results, "report.html"), numbers)
        text = "\n".join(lines)
        encoding = sys.stdout.encoding or "ascii"  # which may lack characters of the path
        print(text.encode(encoding, "backslashreplace").decode(encoding))


def summary_lines(report: Path, numbers: dict[str, Any]) -> list[str]:
    """Return the lines to print for ``wsl.evaluation.tables.write_summary``, at most 80 columns wide.

    Only the path of the report and tables of methods with long names may be wider.
    """
    zoo = (
        f"Zoo:     {numbers['members']} members ({numbers['members_diverged']} diverged), validation accuracy "
        f"{numbers['validation_accuracy_max']:.1%}"
    )
    start = ["", f"Report:  {report}", zoo]
    if "recomputed_accuracy" in numbers:
        reported, recomputed = (f"{numbers[key]:.1%}" for key in ("reported_accuracy", "recomputed_accuracy"))
        start.append(f"         test members: {reported} in their zoo, {recomputed} on images of this run")
    if "probes" in numbers:
        return [*start, *_probes(numbers["probes"]), ""]
    kinds = kinds_in(numbers["accuracy"])
    best = {kind: strongest_baseline(numbers["accuracy"][kind]) for kind in kinds}
    unit = numbers.get("unit", SETS)
    sets = {kind: f"({counted(count, unit)})" for kind, count in numbers["sets"].items()}
    width = max([NAME, *(len(name) + 1 for name in numbers["kinds"])])
    agreement = _number(numbers["agreement"], numbers["reconstruction_intervals"]["agreement"])
    lines = [
        *start,
        f"Held-out trained models and their reconstructions agree on {agreement.strip()} %.",
        "",
        "Accuracy on test images of held-out tasks, in %, with 95 % intervals over",
        f"independent {unit}. All methods may use all training images of a task,",
        f"but only references train a network on them. Chance: {numbers['chance']:.1%}.",
        "",
        f"  {'method':<{width}}{'kind':<{KIND}}" + "".join(f"{SHORT_KINDS[kind]:<{NUMBER}}" for kind in kinds),
        f"  {'':<{width + KIND}}" + "".join(f"{sets[kind]:<{NUMBER}}" for kind in kinds),
    ]
    for name in sorted(numbers["kinds"], key=lambda name: [-numbers["accuracy"][kind].get(name, -1) for kind in kinds]):
        cells = [_cell(numbers, kind, name, best[kind]) for kind in kinds]
        if any(cells):
            mark = "* " if name == numbers["chosen_sampler"] else "  "
            row = f"{mark}{name:<{width}}{numbers['kinds'][name]:<{KIND}}"
            lines.append(row + "".join(f"{cell:<{NUMBER}}" for cell in cells))
    lines += ["", "* the sampler chosen on validation tasks"]
    for kind in kinds:
        if best[kind] is not None:
            lines.append(f"< below the best baseline on {SHORT_KINDS[kind]}: {best[kind]}")
    return [*(line.rstrip() for line in lines), ""]


def _probes(probes: dict[str, dict[str, float]]) -> list[str]:
    """Return a table of the scores of probes by encoder and target."""
    names = dict.fromkeys(name for scores in probes.values() for name in scores)
    lines = ["", "Ridge probes of held-out weights: R², or accuracy for the optimizer", ""]
    lines.append(f"  {'':<{WIDE_NAME}}" + "".join(f"{name:<{WIDE_NAME}}" for name in names))
    for target, scores in probes.items():
        lines.append(f"  {target:<{WIDE_NAME}}" + "".join(f"{scores[name]:<{WIDE_NAME}.3f}" for name in names))
    return [line.rstrip() for line in lines]


def mixed_lines(tables: Path, numbers: dict[str, Any]) -> list[str]:
    """Return the lines to print for ``wsl.evaluation.mixed.write_mixed_summary``."""
    lines = ["", f"Tables:  {tables / 'weight_encoders.csv'}", f"         {tables / 'probes.csv'}"]
    for label, zoo in numbers["architectures"].items():
        about = f"{zoo['members']} members ({zoo['diverged']} diverged) of {zoo['numbers_per_snapshot']} numbers"
        lines += ["", f"{label}: {about}, validation accuracy {zoo['validation_accuracy']:.1%}"]
        for name, agreement in numbers["agreement"].items():
            error = numbers["error"][name][label]
            lines.append(f"  {name:<{WIDE_NAME}}agreement {agreement[label]:6.1%}   error of weights {error:.3f}")
    lines += ["", "R² of test accuracy, from weights, over all architectures"]
    return [*lines, *(f"  {name:<{WIDE_NAME}}{score:.2f}" for name, score in numbers["probes"].items()), ""]


def _cell(numbers: dict[str, Any], kind: str, name: str, best: str | None) -> str:
    accuracies = numbers["accuracy"][kind]
    if name not in accuracies:
        return ""
    worse = numbers["kinds"][name] == "sampler" and best is not None and accuracies[name] < accuracies[best]
    return _number(accuracies[name], numbers["accuracy_intervals"][kind][name]) + " <" * worse


def _number(value: float, bounds: list[float | None]) -> str:
    if None in bounds:
        return f"{value * 100:5.1f}"
    return f"{value * 100:5.1f} [{', '.join(f'{bound * 100:.1f}' for bound in bounds)}]"
