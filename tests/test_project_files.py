"""Files that other programs read: GitHub, pre-commit, Read the Docs, the workflow catalog, citation managers, conda."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# What a file must and may hold, after the pages of the programs that read it.
CATALOG = {"mandatory-flags", "software-stack-deployment", "report"}
DEPLOYMENT = {"conda", "apptainer", "apptainer+conda"}
FORM_PARTS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}
CITATION = {"cff-version", "message", "title", "authors"}
CHANGES = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def read(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def makefile_targets():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return {target for line in re.findall(r"^([^\s#:=][^:=\n]*):(?!=)", text, re.MULTILINE) for target in line.split()}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_github_workflows_pin_actions_and_call_existing_targets(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "permissions", "jobs"} <= set(workflow) and True in workflow  # `on`, as YAML 1.1 reads it
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] and job["runs-on"]
        for step in job["steps"]:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step.get("uses", "actions/checkout@v1")), step
            for command in re.findall(r"^make (.+)$", step.get("run", ""), re.MULTILINE):
                assert {word for word in command.split() if "=" not in word} <= makefile_targets(), step


def test_github_runs_what_the_readme_says():
    commands = [step.get("run") for job in read(".github/workflows/test.yml")["jobs"].values() for step in job["steps"]]
    assert {"make test", "make slurm browser", ".venv/bin/snakemake --directory .test --cores 2"} <= set(commands)


def test_paths_in_workflows_exist():
    matrix = read(".github/workflows/test.yml")["jobs"]["quick"]["strategy"]["matrix"]["include"]
    paths = [word for entry in matrix for word in entry["tests"].split() if not word.startswith("-")]
    assert len(paths) > 5 and all((ROOT / path).is_dir() for path in paths)


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.name
)
def test_issue_forms_have_the_required_parts(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.name == "config.yml":
        assert set(form) <= {"blank_issues_enabled", "contact_links"}
        return
    assert {"name", "description", "body"} <= set(form)
    assert len({part["id"] for part in form["body"]}) == len(form["body"])
    for part in form["body"]:
        assert part["type"] in FORM_PARTS and part["attributes"]["label"]


def test_pre_commit_has_the_versions_of_the_tests():
    pins = dict(re.findall(r"^([\w.-]+)==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE))
    repositories = read(".pre-commit-config.yaml")["repos"]
    versions = {Path(one["repo"]).name.removesuffix("-pre-commit"): one.get("rev") for one in repositories}
    assert versions == {"ruff": f"v{pins['ruff']}", "snakefmt": f"v{pins['snakefmt']}", "local": None}
    assert {hook["id"] for one in repositories for hook in one["hooks"]} >= {"ruff-check", "ruff-format", "snakefmt"}


def test_read_the_docs_builds_the_site():
    configuration = read(".readthedocs.yaml")
    assert configuration["version"] == 2 and {"os", "tools", "commands"} <= set(configuration["build"])
    assert any(command.endswith("make docs") for command in configuration["build"]["commands"])


def test_catalog_finds_what_it_takes():
    usage = read(".snakemake-workflow-catalog.yml")["usage"]
    assert set(usage) <= CATALOG and set(usage["mandatory-flags"]) == {"desc", "flags"}
    assert set(usage["software-stack-deployment"]) <= DEPLOYMENT and any(usage["software-stack-deployment"].values())
    for name in (
        "workflow/Snakefile",
        "config/README.md",
        "workflow/schemas/config.schema.json",
        ".test/config/config.yaml",
    ):
        assert (ROOT / name).is_file(), name


def test_citation_has_what_its_standard_requires():
    citation = read("CITATION.cff")
    assert set(citation) >= CITATION and citation["cff-version"] == "1.2.0"
    for author in citation["authors"]:
        assert "name" in author or {"family-names", "given-names"} <= set(author)
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= set(reference)


def test_changelog_keeps_to_the_form():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert versions and all(
        re.fullmatch(r"\[(Unreleased|\d+\.\d+\.\d+)\]( - (\d{4}-\d\d-\d\d|unreleased))?", one) for one in versions
    )
    for part in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (.+)$", part, re.MULTILINE)
        assert kinds == [kind for kind in CHANGES if kind in kinds]


def test_environment_of_rules_holds_what_the_library_needs_and_no_tools():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {one.name: one.specifier for one in map(Requirement, project["dependencies"]) if one.name != "snakemake"}
    listed = read("workflow/envs/job.yaml")
    assert list(listed) == ["channels", "dependencies"]
    conda = {one.name: one.specifier for one in map(Requirement, listed["dependencies"])}
    assert str(conda.pop("python")) == project["requires-python"]
    assert conda == {{"torch": "pytorch"}.get(name, name): specifier for name, specifier in needed.items()}


def test_container_installs_no_tools():
    (extras,) = re.findall(r'"/wsl\[(.+)\]"', (ROOT / "Containerfile").read_text(encoding="utf-8"))
    assert set(extras.split(",")) == {"onnx", "workflow"}
