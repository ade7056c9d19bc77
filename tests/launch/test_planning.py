"""Runs are checked before the first of them starts."""

import sys
from pathlib import Path

import pytest
import yaml

from wsl.errors import ConfigError
from wsl.launch.places import presets
from wsl.launch.planning import asks, plan_runs

DIGITS = {"run": "one", "images": {"source": "digits", "classes": 5}, "zoo": {"members": 8}}

ROOT = Path(__file__).parents[2]
NOWHERE = {"source": {"name": "imagefolder", "train": "no/where", "test": "no/where"}}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes configs in a project's folder: ``written(one=..., two=...)`` returns their paths."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Snakefile").touch()

    def write(**configs):
        paths = []
        for name, config in configs.items():
            paths.append(tmp_path / f"{name}.yaml")
            paths[-1].write_text(config if isinstance(config, str) else yaml.safe_dump(config))
        return paths

    return write


def test_runs_have_their_names_and_folders(written):
    runs = plan_runs(written(one=DIGITS, two={**DIGITS, "run": "two"}), [])
    assert [(run.name, str(run.results)) for run in runs] == [("one", "results/one"), ("two", "results/two")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config", "run=other", "zoo={members: 12}"],
        ["--keep-going", "-C", "run=other", "--resources", "gpu=1"],
        ["--config=run=other"],
    ],
)
def test_changes_of_a_config_are_those_of_snakemake(written, arguments):
    (run,) = plan_runs(written(one=DIGITS), arguments)
    assert run.name == "other"


def test_a_changed_section_keeps_its_other_keys(written):
    wrong = written(one={**DIGITS, "zoo": {"members": 8, "architecture": {"width": 0}}})
    with pytest.raises(ConfigError, match="width"):
        plan_runs(wrong, ["--config", "zoo={members: 12}"])
    plan_runs(wrong, ["--config", "zoo={architecture: {width: 4}}"])


@pytest.mark.parametrize(
    "second, message",
    [
        ({**DIGITS, "run": "two", "sed": 1}, r"two\.yaml: .*\n.*sed: unknown key"),
        (DIGITS, r"one\.yaml and .*two\.yaml both make results/one; change `run`"),
        ("a: [", r"two\.yaml, line 1: "),
        ("- 1", r"two\.yaml contains no keys"),
        ({**DIGITS, "run": "two", "images": NOWHERE}, "no/where"),
    ],
)
def test_an_error_in_the_second_config_is_reported_before_the_first_run_starts(written, second, message):
    with pytest.raises(ConfigError, match=message):
        plan_runs(written(one=DIGITS, two=second), [])


def test_a_config_among_the_arguments_of_snakemake_is_refused(written):
    with pytest.raises(ConfigError, match="give config files as arguments"):
        plan_runs(written(one=DIGITS), ["--configfile", "x.yaml"])


def test_without_snakemake_the_extra_is_named(written, monkeypatch):
    monkeypatch.setitem(sys.modules, "snakemake", None)
    with pytest.raises(ConfigError, match=r"not installed; pip install 'weight-space-learning\[workflow\]'$"):
        plan_runs(written(one=DIGITS), [])


def test_presets_have_the_names_of_their_runs_and_the_folders_own_config_comes_first(written):
    written()
    assert {name: yaml.safe_load(path.read_text())["run"] for name, path in presets().items()} == {
        name: name for name in ("cifar10", "glyphs", "digits-thesis", "thesis", "tiny", "tiny-imagenet")
    }
    assert [(run.name, run.given) for run in plan_runs([], [])] == [("glyphs", "glyphs")]
    assert plan_runs(["digits-thesis"], [])[0].config == ROOT / "config" / "digits-thesis.yaml"
    written(config={**DIGITS, "run": "mine"})
    assert [(run.name, run.given) for run in plan_runs([], [])] == [("mine", "config.yaml")]
    with pytest.raises(ConfigError, match=r"there is no file gone\.yaml; .*\(glyphs, .*tiny.*\).*`wsl init FOLDER`"):
        plan_runs(["gone.yaml"], [])


@pytest.mark.parametrize(
    "arguments, asking",
    [(["-n"], True), (["--report=x.zip"], True), (["--unlock"], True), (["--forcerun", "n"], False), ([], False)],
)
def test_requests_that_run_no_jobs_are_answered_in_the_terminal(arguments, asking):
    assert asks(arguments) == asking
