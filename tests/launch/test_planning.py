"""Runs are checked before the first of them starts."""

import pytest
import yaml

from wsl.errors import ConfigError
from wsl.launch.planning import plan_runs

DIGITS = {"run": "one", "images": {"source": "digits", "classes": 5}, "zoo": {"members": 8}}

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


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--configfile", "x.yaml"], "give config files as arguments"),
        (["-n"], r"snakemake --cores all --configfile \S*one\.yaml -n"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(written, arguments, message):
    with pytest.raises(ConfigError, match=message):
        plan_runs(written(one=DIGITS), arguments)


def test_a_folder_without_a_workflow_is_refused(written, tmp_path):
    configs = written(one=DIGITS)
    (tmp_path / "Snakefile").unlink()
    with pytest.raises(ConfigError, match="no Snakefile in this folder"):
        plan_runs(configs, [])
