"""The three lists of packages agree."""

import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"torch": "pytorch"}


def requirements(extras: tuple[str, ...] = ()) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    return [Requirement(line) for line in lines]


def test_environment_for_conda_names_the_same_packages_and_bounds():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = {Requirement(line).name: Requirement(line).specifier for line in listed}
    assert str(conda.pop("python")) == ">=3.11"
    assert conda == {CONDA_NAMES.get(r.name, r.name): r.specifier for r in requirements(("test",))}


def test_constraints_pin_every_package_within_its_bounds():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {Requirement(line).name.lower().replace("_", "-"): line for line in lines if not line.startswith("#")}
    for requirement in requirements(("test",)):
        (pin,) = Requirement(pins[requirement.name]).specifier
        assert pin.operator == "=="
        assert requirement.specifier.contains(pin.version), requirement
