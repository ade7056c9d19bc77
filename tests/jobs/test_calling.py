"""Calls of rules' functions: which arguments they get."""

import sys
from dataclasses import dataclass
from types import ModuleType

import pytest
from pydantic import ValidationError

from wsl.jobs.calling import call_function
from wsl.jobs.job import Job
from wsl.settings.sections import PositiveInt, Section

JOB = Job("cuda", 3)
CALLS = []


class Width(Section):
    width: PositiveInt = 4


@dataclass
class Inputs:
    train: str
    test: str = "none"


def with_job(index, out, settings: Width, most, job: Job):
    CALLS.append((index, out, settings, most, job))


def with_inputs(inputs: Inputs, out, seed):
    CALLS.append((inputs, out, seed))


@pytest.fixture(autouse=True)
def rules(monkeypatch):
    module = ModuleType("functions_of_rules")
    module.with_job, module.with_inputs = with_job, with_inputs
    monkeypatch.setitem(sys.modules, "functions_of_rules", module)
    CALLS.clear()


def call(name, inputs, **settings):
    call_function(f"functions_of_rules.{name}", inputs, {"out": "out.csv"}, settings, JOB)
    return CALLS.pop()


def test_sections_are_validated_and_the_job_has_the_seed():
    arguments = call("with_job", {"index": "train.h5"}, settings={"width": 8}, most=5, seed=17)
    assert arguments == ("train.h5", "out.csv", Width(width=8), 5, Job("cuda", 3, seed=17))


def test_a_job_without_a_seed_has_seed_0():
    assert call("with_job", {"index": "train.h5"}, settings={}, most=5)[-1] == JOB


def test_an_invalid_section_is_refused_before_the_call():
    with pytest.raises(ValidationError, match="widht"):
        call("with_job", {"index": "train.h5"}, settings={"widht": 8}, most=5)
    assert CALLS == []


def test_inputs_are_taken_together_and_the_seed_by_name():
    assert call("with_inputs", {"train": "train.h5"}, seed=17) == (Inputs("train.h5"), "out.csv", 17)
