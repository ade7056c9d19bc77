"""Captions describe the run: counts come from its config and plan, and they contain no markup."""

import re
from collections import namedtuple
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from docutils.core import publish_parts
from jinja2 import Environment, StrictUndefined, UndefinedError

from wsl.report.facts import facts, listed
from wsl.report.page import caption
from wsl.runs.run import Run

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "workflow" / "report"
CAPTIONS = sorted(path for path in FOLDER.glob("*.rst") if path.name != "workflow.rst")
UNSEEN = {"unseen": {"classes": 3, "members": 4}, "backbone": {"classes": 2, "epochs": 1}}


@pytest.fixture
def run():
    """A run of digits with changed keys: 4 classes train the backbone, the other 6 make tasks of 3."""

    def build(**zoo) -> Run:
        config = yaml.safe_load((ROOT / "config" / "digits-thesis.yaml").read_text())
        base = {"members": 48, "parts": {"train": 6, "validation": 1, "test": 1}, "classes_per_task": 3}
        base |= {"init": "finetuned", "backbone": {"classes": 4, "epochs": 1}, "early_epoch": 1, "max_epoch": 8}
        return Run({"run": "x", "images": config["images"], "zoo": {**base, **zoo}})

    return build


def test_the_unit_of_held_out_tasks_is_counted_by_hand(run):
    tiny = run()
    values = facts(tiny)
    rows = [row for row in tiny.plan if row["part"] == "test"]
    sets = [set for set in combinations(tiny.groups["tasks"], 3) if any({*row["classes"]} == {*set} for row in rows)]
    assert values["sets"] == {"seen": len(sets)} and values["unseen"] == ""
    assert str(len(sets)) in values["held_out"] and str(len(rows)) in values["held_out"]
    assert (values["classes"], values["tasks"]) == (10, "tasks of 3 out of 6 classes")


def test_unseen_tasks_are_counted_separately(run):
    values = facts(run(**UNSEEN))
    assert values["sets"]["unseen"] == 1 and values["unseen"] == "4 tasks (1 set of classes)"
    assert values["tasks"] == "tasks of 3 out of 5 classes, 4 of them on tasks of 3 out of 3 unseen classes"


@pytest.mark.parametrize(
    "snapshots, count, names",
    [
        ([0, "early", 4, "max"], "4", "epoch 0 (the start), early, epoch 4 and max (the last epoch)"),
        (["early", "max"], "2", "early and max (the last epoch)"),
        ([1, "early", "max"], "2", "early, epoch 1 and max (the last epoch)"),  # the early epoch is 1
        ("geometric", "5", "epoch 0 (the start), epochs 1, 2, 4, 8 and so on, and max (the last epoch)"),
    ],
)
def test_snapshots_are_counted(run, snapshots, count, names):
    values = facts(run(snapshots=snapshots))
    assert (values["snapshot_count"], values["snapshots"]) == (count, names)
    assert f"the {count} snapshots of each member: {names}." in caption(FOLDER / "zoo_overview.rst", values)


@pytest.mark.parametrize("template", CAPTIONS, ids=lambda path: path.stem)
@pytest.mark.parametrize("zoo", [{}, UNSEEN], ids=["seen", "unseen"])
def test_both_reports_show_the_same_plain_text(run, template, zoo):
    text = caption(template, facts(run(**zoo)))
    shown = re.sub(r"<[^>]+>", "", publish_parts(text, writer="html")["body"])
    for entity, character in {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&amp;": "&"}.items():
        shown = shown.replace(entity, character)
    assert " ".join(shown.split()) == text  # no markup, and nothing that docutils changes
    assert text.endswith(".") and not re.search(r"\*|``|\{|\}|\btwo snapshots\b|  ", text)


def test_captions_of_a_mixed_zoo_name_its_architectures():
    zoo = {"architecture": ["mlp", {"width": 2}], "members": 16, "parts": {"train": 1}}
    given = {"run": "x", "images": {"source": "digits", "size": 16}, "zoo": zoo}
    values = facts(Run({**given, "weights": {"encoder": {"name": "sane", "latent": 2000}}}))
    for name in ("weight_encoders", "probes"):
        assert "architecture" in caption(FOLDER / f"{name}.rst", values)
        assert "architecture" not in caption(FOLDER / f"{name}.rst", {**values, "mixed": False})


def test_a_caption_that_names_an_unknown_fact_is_refused(tmp_path):
    (tmp_path / "x.rst").write_text("{{ snakemake.config.facts.nothing }}")
    with pytest.raises(UndefinedError):
        caption(tmp_path / "x.rst", {})


@pytest.mark.parametrize(
    "words, text", [(["all"], "all"), (["1", "all"], "1 and all"), (["1", "5", "all"], "1, 5 and all")]
)
def test_lists_in_sentences(words, text):
    assert listed(words) == text


def test_snakemakes_report_opens_with_an_explanation(run):
    tiny = run(**UNSEEN)
    context = {"snakemake": SimpleNamespace(config={"run": "x", "facts": facts(tiny)})}
    category = namedtuple("Category", ["name", "id"])
    categories = {category(name, "0f"): {} for name in ("Zoo", "Images")}
    template = Environment(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined).from_string(
        (FOLDER / "workflow.rst").read_text()
    )
    parts = publish_parts(template.render(categories=categories, files=[], **context), writer="html")
    shown = " ".join(re.sub(r"<[^>]+>", "", parts["body"]).split())
    assert parts["title"] == "Report of the run x"
    assert "problematic" not in parts["body"] and "system-message" not in parts["body"]
    assert "trained 52 classifiers of 3 classes each" in shown and "figures and tables by stage: Images, Zoo." in shown
