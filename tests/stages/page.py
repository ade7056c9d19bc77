"""Run all stages on all architectures and write the page of their outcomes.

    python -m tests.stages.page > docs/reference/architectures.md

The page has no other cells, so it lists nothing that was not run.
"""

import json
import re
import tempfile
from functools import cache
from pathlib import Path

import pytest
import torch

from tests.stages import of_models, of_weights  # noqa: F401  they list the stages
from tests.stages.kinds import KINDS, SIZES, accepted_channels, built, register_plugins
from tests.stages.material import Images, Material
from tests.stages.outcome import STAGES, Outcome
from wsl.weights.pca import ParameterPCA

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "architectures.md"
START = """\
# Architectures

Every stage is tested on every architecture, at its smallest: six members, images of 24 pixels, three classes. A number
points to a remark below the tables. A stage that does not work refuses the config, and the remark is its message. The
models of timm and torchvision are an EfficientNet and a ShuffleNetV2 with few channels, which the tests register.
`python -m tests.stages.page` runs all of it and writes this page; a test fails if the page differs from what ran.
Adapters (`zoo.adapter`) are left out; see [what does not work with them](../guides/pretrained.md#adapters).
[Contributing](../../CONTRIBUTING.md#an-architecture) shows how to add an architecture.

"""
Column = dict[str, Outcome]  # by stage


def run_stages(label: str, images: Path, root: Path) -> Column:
    """Run all stages on one architecture of ``KINDS``, in an empty folder."""
    material, outcomes = Material(KINDS[label], images, root), {}
    with pytest.MonkeyPatch.context() as patch:
        # Stages load the PCA again and again, one file per named parameter.
        patch.setattr(ParameterPCA, "read", staticmethod(cache(ParameterPCA.read)))
        for name, function in STAGES.items():
            torch.manual_seed(0)
            try:
                outcomes[name] = function(material) or Outcome()
            except BaseException as error:
                error.add_note(f"stage {name} of {label}")
                raise
    return outcomes


def run_images(label: str) -> Column:
    """Build one architecture for all sizes of images, and for grey images."""
    outcomes = {f"{size} pixels": built(KINDS[label], size) or Outcome() for size in SIZES}
    return {**outcomes, "`channels: 1`": accepted_channels(KINDS[label]) or Outcome()}


def written(stages: dict[str, Column], images: dict[str, Column]) -> str:
    """Return the page of the outcomes of all architectures."""
    remarks = dict.fromkeys(
        outcome.remark for column in (*stages.values(), *images.values()) for outcome in column.values()
    )
    numbers = {remark: number for number, remark in enumerate(filter(None, remarks), 1)}

    def cell(outcome: Outcome) -> str:
        word = "yes" if outcome.works else "no"
        return f"{word} ({numbers[outcome.remark]})" if outcome.remark else word

    def table(columns: dict[str, Column]) -> str:
        rows = [["", *columns], ["---"] * (len(columns) + 1)]
        rows += [[name, *(cell(column[name]) for column in columns.values())] for name in next(iter(columns.values()))]
        return "".join(f"| {' | '.join(row)} |\n" for row in rows)

    values = "".join(f"- {label}: `{json.dumps(kind)}`\n" for label, kind in KINDS.items())
    notes = "".join(f"{number}. {remark}\n" for remark, number in numbers.items())
    return (
        f"{START}## Stages\n\n{table(stages)}\n## Images\n\n{table(images)}\n## Remarks\n\n{notes}\n"
        f"## Settings\n\nThe values of `zoo.architecture` that were run:\n\n{values}"
    )


def listed(page: str, section: str) -> dict[str, Column]:
    """Return the outcomes in one table of the page, by architecture: the inverse of ``written``."""
    notes = dict(re.findall(r"^(\d+)\. (.*)$", page, flags=re.MULTILINE))
    table = page.partition(f"## {section}\n\n")[2].partition("\n\n")[0]
    (_, *labels), _, *rows = ([cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines())

    def outcome(cell: str) -> Outcome:
        word, _, number = cell.partition(" ")
        return Outcome(word == "yes", notes[number.strip("()")] if number else "")

    return {label: {row[0]: outcome(row[place]) for row in rows} for place, label in enumerate(labels, 1)}


def main() -> None:
    """Run everything and print the page."""
    register_plugins()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("images", *KINDS):
            (root / name).mkdir()
        Images(root / "images").make()
        stages = {label: run_stages(label, root / "images", root / label) for label in KINDS}
    print(written(stages, {label: run_images(label) for label in KINDS}), end="")


if __name__ == "__main__":
    main()
