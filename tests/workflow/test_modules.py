"""The workflow as a module of another Snakefile, which `snakedeploy deploy-workflow` sets up.

No network is needed: git reads github.com from a folder. The repository there holds the workflow without the
library, which is imported by its name as an installed one is.
"""

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY, TINY, call_snakemake
from printed import job_counts, jobs

from wsl.watch.record import read_record

SNAKEFILE = """\
from snakemake.utils import min_version

min_version("6.10.0")

configfile: "config/config.yaml"

{before}
module wsl:
    snakefile:
        {snakefile}
    config:
        {config}
{more}
use rule * from wsl {rules}
{after}
"""
ON_GITHUB = 'github("someone/wsl", path="workflow/Snakefile", tag="v0")'
IN_A_FOLDER = repr(str(REPOSITORY / "workflow" / "Snakefile"))
AUTHOR = ("-c", "user.name=someone", "-c", "user.email=someone@example.org", "-c", "commit.gpgsign=false")


@pytest.fixture(scope="session")
def github(tmp_path_factory) -> dict[str, str]:
    """Environment variables with which git finds the workflow, and nothing else, at github.com/someone/wsl."""
    if shutil.which("git") is None:
        pytest.skip("there is no program `git`")
    base = tmp_path_factory.mktemp("github")
    folder = base / "someone" / "wsl"
    for name in ("workflow", "config"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for command in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", "the workflow"), ("tag", "v0")):
        subprocess.run(["git", *AUTHOR, *command], cwd=folder, check=True)
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{base}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
        "XDG_CACHE_HOME": str(base / "cache"),
        "PYTHONPATH": str(REPOSITORY),
    }


class Deployment:
    """A folder with the files that snakedeploy writes, and changes to its Snakefile."""

    def __init__(self, root: Path, environment: dict[str, str]):
        self.root, self.environment = root, environment
        self.results = root / "results" / "tiny"
        shutil.copytree(REPOSITORY / "profiles", root / "profiles")
        self.configure(TINY)
        self.write(snakefile=ON_GITHUB)

    def configure(self, config) -> None:
        (self.root / "config").mkdir(exist_ok=True)
        (self.root / "config" / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")

    def write(self, snakefile=IN_A_FOLDER, before="", config="config", more="", rules="", after="") -> None:
        (self.root / "workflow").mkdir(exist_ok=True)
        text = SNAKEFILE.format(**{key: value for key, value in locals().items() if key != "self"})
        (self.root / "workflow" / "Snakefile").write_text(text, encoding="utf-8")

    def copy_run(self, project: Path) -> None:
        """Copy a finished run of a direct start, with what Snakemake knows about it."""
        for name in ("results", ".snakemake"):
            shutil.copytree(project / name, self.root / name, dirs_exist_ok=True)

    def snakemake(self, *arguments):
        return call_snakemake(*arguments, cwd=self.root, **self.environment)

    def printed(self, *arguments) -> str:
        done = self.snakemake(*arguments)
        assert done.returncode == 0, done.stdout[-20_000:]
        return done.stdout


@pytest.fixture
def deployment(tmp_path, github):
    (tmp_path / "deployed").mkdir()
    return Deployment(tmp_path / "deployed", github)


def seen(printed: str) -> Counter:
    return Counter((job["rule"], job.get("output"), job.get("log")) for job in jobs(printed))


def test_a_deployment_plans_the_jobs_of_a_direct_start(deployment, printed):
    assert seen(deployment.printed("--dry-run")) == seen(printed)


def test_a_deployment_runs_to_both_reports(deployment, made):
    deployment.copy_run(made[1])
    before = deployment.results.joinpath("report.html").read_text(encoding="utf-8")
    printed = deployment.printed("--cores", "2", "--forcerun", "sample")
    rules = {job["rule"] for job in jobs(printed)}
    # Captions come from another place. Nothing else is stale, since modules have the same params and digests.
    assert rules == {"sample", "html_report", "all"}
    assert "Devices: " in printed and "Accuracy on test images of held-out tasks" in printed
    assert {job.rule for job in read_record(deployment.results).jobs if job.due} == rules - {"all"}
    after = deployment.results.joinpath("report.html").read_text(encoding="utf-8")
    assert len(after) == pytest.approx(len(before), rel=0.01)
    assert "Nothing to be done" in deployment.printed("--cores", "1")
    deployment.printed("--report", "report.html")
    own = deployment.root.joinpath("report.html").read_text(encoding="utf-8")
    assert "Report of the run tiny" in own and "every one from" in own


def test_a_snakefile_renames_rules_changes_one_and_adds_handlers_jobs_and_a_section(deployment, made):
    deployment.copy_run(made[1])
    deployment.configure({"networks": TINY})
    deployment.write(
        before='onstart:\n    print("first mine")\n\nonsuccess:\n    print("mine too")\n',
        config='config["networks"]',
        rules="as net_*",
        after="use rule train_cohort from wsl as net_train_cohort with:\n    threads: 2\n\n"
        "rule copy:\n    default_target: True\n    input: 'results/tiny/report.html'\n    output: 'copy.html'\n"
        "    shell: 'cp {input} {output}'\n",
    )
    planned = job_counts(deployment.printed("--dry-run", "--forceall"))
    assert (
        planned.pop("copy") == 1
        and all(rule.startswith("net_") for rule in planned)
        and planned["net_train_cohort"] == 8
    )
    printed = deployment.printed("--cores", "1")
    places = [printed.index(text) for text in ("first mine", "Devices: ", "rule copy:", "mine too", "Accuracy on test")]
    assert places == sorted(places) and printed.count("Devices: ") == 1
    assert len(read_record(deployment.results).jobs) == sum(planned.values())


def test_a_missing_library_is_named_with_the_remedy(deployment):
    (deployment.root / "wsl").mkdir()  # another project's, which is found first
    for name in ("__init__.py", "config.py"):
        (deployment.root / "wsl" / name).touch()
    done = deployment.snakemake("--dry-run")
    assert done.returncode and "pip install 'weight-space-learning[workflow]'" in done.stdout
    assert "wsl.config.reading" in done.stdout


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"more": '    prefix: "below"'}, "takes no `prefix`"),
        ({"config": "{}"}, "write `config: config`"),
    ],
)
def test_refused(deployment, changes, message):
    deployment.write(**changes)
    done = deployment.snakemake("--dry-run")
    assert done.returncode and message in done.stdout


def test_the_catalogs_test_plans_the_tiny_run(tmp_path, printed):
    shutil.copytree(REPOSITORY / ".test", tmp_path / ".test", ignore=shutil.ignore_patterns(".snakemake", "results"))
    done = call_snakemake(
        *("--snakefile", "workflow/Snakefile", "--directory", tmp_path / ".test", "--dry-run"),
        cwd=REPOSITORY,
    )
    assert done.returncode == 0 and seen(done.stdout) == seen(printed)
