"""A run on another run's zoo in which some classes become unseen: what may be fitted, and what is refused."""

from pathlib import Path

import pytest

from tests.runs.test_borrowed import made, on
from wsl.errors import ConfigError
from wsl.report.facts import facts
from wsl.report.page import zoo_rows
from wsl.runs.borrowed import needed_files
from wsl.runs.run import Run
from wsl.sampling.inputs import choice_of

IMAGES = {
    "sources": {"digits": "digits", "turned": {"source": "digits", "transform": "rotate"}, "letters": "glyphs"},
    "classes": [
        *(f"{label}.{digit}" for label in ("digits", "turned") for digit in range(5)),
        *(f"letters.{letter}" for letter in "ABCDE"),
    ],
    "size": 16,
}
ZOO = {"members": 60, "parts": {"train": 2, "validation": 1, "test": 1}, "classes_per_task": 2}
ZOO |= {"architecture": "mlp", "max_epoch": 3, "snapshots": ["max"], "cohort": 4}


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def other(project):
    """A zoo of tasks of two classes of one of three sources."""
    return made("other", images=IMAGES, zoo=ZOO)


def members(run, part):
    return {row["member"]: row["classes"] for row in run.plan if row["part"] == part}


def test_nothing_is_fitted_to_members_on_classes_left_out_and_test_members_on_them_are_judged(other):
    own = on("results/other", zoo={"leave_out": ["turned", "digits.1"]})
    left = {*(f"turned.{digit}" for digit in range(5)), "digits.1"}
    for part in ("train", "validation", "test"):
        expected = {number: task for number, task in members(other, part).items() if left.isdisjoint(task)}
        assert members(own, part) == expected and 0 < len(expected) < len(members(other, part))
    # A test member whose task has a class of each kind is neither seen nor unseen.
    tasks = members(other, "test")
    assert members(own, "unseen") == {number: task for number, task in tasks.items() if left.issuperset(task)} != {}
    mixed = [number for number, task in tasks.items() if not left.isdisjoint(task) and not left.issuperset(task)]
    assert mixed and not {*mixed} & {row["member"] for row in own.plan}


def test_classes_are_grouped_as_in_a_zoo_that_was_trained_without_them(other):
    own = on("results/other", zoo={"leave_out": ["letters"]})
    zoo = {**ZOO, "unseen": {"classes": ["letters"], "members": 2}}
    assert own.groups == Run({"run": "own", "images": IMAGES, "zoo": zoo}).groups
    assert own.known_classes == own.groups["tasks"] and own.classes == other.classes
    # Settings of jobs that fit to classes themselves, and images for batch-normalisation statistics.
    assert choice_of(own, "projection")["known"] == own.known_classes
    assert not any("letters" in name for name in own.known_classes)


def test_files_of_members_that_are_left_out_are_not_needed(other):
    own = on("results/other", zoo={"leave_out": ["turned"]})
    dropped = {*needed_files(other)} - {*needed_files(own)}
    assert all("zoo/members" in path for path in dropped)
    for path in dropped:
        Path(path).unlink()
    assert on("results/other", zoo={"leave_out": ["turned"]}).plan == own.plan


def test_the_first_training_members_are_those_that_are_left(other):
    leave = {"leave_out": ["turned"]}
    training = list(members(on("results/other", zoo=leave), "train"))
    few = on("results/other", zoo={**leave, "training": 5})
    assert list(members(few, "train")) == training[:5]
    with pytest.raises(ConfigError, match=f"zoo.training: 30 training members, but there are {len(training)}"):
        on("results/other", zoo={**leave, "training": 30})


def test_a_chain_keeps_what_is_left_out(other):
    made("second", images={}, zoo={"from": "results/other", "leave_out": ["turned"]})
    third = on("results/second", zoo={"leave_out": ["letters"]})
    both = on("results/other", zoo={"leave_out": ["turned", "letters"]})
    assert third.plan == both.plan and third.groups["tasks"] == both.groups["tasks"] == [
        f"digits.{digit}" for digit in range(5)
    ]
    with pytest.raises(ConfigError, match=r"zoo.leave_out: no training member of that zoo has a task with 'turned.0'"):
        on("results/second", zoo={"leave_out": ["turned"]})


def test_the_config_and_the_report_show_it(other):
    own = on("results/other", zoo={"leave_out": ["letters", "turned"]})
    assert own.shown_config()["zoo"] == {"from": "results/other", "training": None, "leave_out": ["letters", "turned"]}
    assert ("classes left out", "letters and turned") in zoo_rows(facts(own)["borrowed"])
    assert Run({key: own.shown_config()[key] for key in ("run", "zoo", "images")}).plan == own.plan


def test_a_whole_dataset_can_be_left_out(project):
    names = [f"{label}.{digit}" for label in ("digits", "turned") for digit in range(3)]
    other = made("whole", images={**IMAGES, "classes": names}, zoo={**ZOO, "tasks": "whole", "classes_per_task": 3})
    own = on("results/whole", zoo={"leave_out": ["digits"]})
    assert {row["dataset"] for row in own.plan if row["part"] != "unseen"} == {"turned"}
    assert {row["dataset"] for row in own.plan if row["part"] == "unseen"} == {"digits"}
    assert own.unit == other.unit == "members" and own.groups["unseen"] == names[:3]


@pytest.mark.parametrize(
    "names, message",
    [
        (["digit"], r"there is no class 'digit' or image source in that zoo \(did you mean 'digits'\?\); correct"),
        (["turned", "turned.0"], r"the class 'turned.0' is listed twice"),
        (["turned.0", "turned.0"], r"the class 'turned.0' is listed twice"),
        (["turned", "letters", "digits"], r"every training member of that zoo has a task with these .* name fewer"),
        (["turned.0"], r"no test member of that zoo has a task of these classes alone, .* name all classes"),
    ],
)  # fmt: skip
def test_what_cannot_be_left_out_is_refused(other, names, message):
    with pytest.raises(ConfigError, match=rf"zoo.leave_out: {message}"):
        on("results/other", zoo={"leave_out": names})


def test_classes_of_the_common_start_and_unseen_classes_are_refused():
    other = made("finetuned")
    for use, message in (("backbone", "common start was trained on"), ("unseen", "no training member .* with")):
        first, second = other.groups[use][:2]
        with pytest.raises(ConfigError, match=rf"zoo.leave_out: .*{message} '{first}'(?s:.*){message} '{second}'"):
            on("results/finetuned", zoo={"leave_out": [first, second]})


def test_a_zoo_of_its_own_has_unseen_classes_in_place_of_classes_left_out():
    with pytest.raises(ConfigError, match=r"zoo: leave_out: it needs the zoo of another run, `from`; .* use unseen"):
        Run({"run": "own", "images": IMAGES, "zoo": {**ZOO, "leave_out": ["turned"]}})


def test_an_encoder_that_also_reads_a_run_with_these_classes_is_refused(other):
    made("seen", images={}, zoo={"from": "results/other"})
    made("unseen", images={}, zoo={"from": "results/other", "leave_out": ["turned"]})
    leave = {"leave_out": ["turned"]}
    encoder = {"name": "sane", "latent": 2000, "runs": ["unseen"]}
    assert on("results/other", zoo=leave, weights={"encoder": encoder}).plan
    for run in ("seen", "other"):
        with pytest.raises(
            ConfigError, match=f"zoo.leave_out: the weight encoder sane is also fitted to the run {run}"
        ):
            on("results/other", zoo=leave, weights={"encoder": {**encoder, "runs": ["unseen", run]}})
