"""The lists of packages agree, and so do the places that name the version."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement

import wsl
from wsl.files.packages import DISTRIBUTION, install_hint

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"torch": "pytorch"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements(*extras: str) -> list[Requirement]:
    """The packages of the project itself and of extras, which may include other extras."""
    lines = PROJECT["dependencies"] + [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    found = {}
    for requirement in map(Requirement, lines):
        inner = requirements(*requirement.extras) if requirement.name == DISTRIBUTION else [requirement]
        found |= {one.name: one for one in inner}
    return list(found.values())


def test_the_version_is_the_same_everywhere():
    assert "version" in PROJECT["dynamic"]  # read from wsl/__init__.py
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == wsl.__version__
    numbers = re.findall(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert numbers[0] == wsl.__version__


def test_hints_name_the_distribution_and_its_extras():
    assert PROJECT["name"] == DISTRIBUTION and install_hint("onnx") == f"pip install '{DISTRIBUTION}[onnx]'"
    texts = "\n".join(path.read_text() for path in (ROOT / "wsl").rglob("*.py"))
    named = set(re.findall(r"""install_hint\(["'](\w+)["']\)""", texts))
    assert {"onnx", "trackers"} <= named <= set(PROJECT["optional-dependencies"])
    assert re.findall(r"pip install '?wsl\b", texts) == []


def test_environment_for_conda_names_the_same_packages_and_bounds():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = {Requirement(line).name: Requirement(line).specifier for line in listed}
    assert str(conda.pop("python")) == ">=3.11"
    assert conda == {CONDA_NAMES.get(r.name, r.name): r.specifier for r in requirements("test")}


def test_constraints_pin_every_package_within_its_bounds():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {Requirement(line).name.lower().replace("_", "-"): line for line in lines if not line.startswith("#")}
    for requirement in requirements("test"):
        (pin,) = Requirement(pins[requirement.name]).specifier
        assert pin.operator == "=="
        assert requirement.specifier.contains(pin.version), requirement
