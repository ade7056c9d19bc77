"""A tiny run of the whole workflow, made once a session; a test that alters it gets it as it was."""

import copy
import fcntl
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from forking import fork_snakemake
from printed import job_counts, jobs
from restoring import Copy

from wsl.launch.stopping import FULL

REPOSITORY = Path(__file__).parents[2]
FOLDERS = ("workflow", "wsl", "config", "profiles")
FILES = ("Snakefile", "README.md", "pyproject.toml")
TINY = yaml.safe_load(Path(REPOSITORY, "config", "tiny.yaml").read_text(encoding="utf-8"))  # the preset


def changed(config: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a copy of ``config`` with keys changed: ``changed(TINY, shared__epochs=0.2)``."""
    config = copy.deepcopy(config)
    for path, value in changes.items():
        *sections, key = path.split("__")
        section = config
        for name in sections:
            section = section.setdefault(name, {})
        section[key] = value
    return config


def call_snakemake(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run Snakemake in ``cwd``, on the CPU, and return what came of it; both streams are in ``stdout``.

    It prints everything, with lists of files and reasons.
    """
    inherited = {key: value for key, value in os.environ.items() if key not in ("SNAKEMAKE_PROFILE", "PYTHONPATH")}
    return fork_snakemake([*FULL, *map(str, arguments)], cwd, {**inherited, "CUDA_VISIBLE_DEVICES": "", **environment})


class Project:
    """A copy of the project with a config of its own; what is edited here is what Snakemake sees.

    Attributes:
        root: its folder, where Snakemake runs.
        config: as in ``tiny.yaml``; change it by ``configure``.

    Args:
        original: the project that is copied; None: ``root`` contains one.
    """

    def __init__(self, root: Path, config: dict[str, Any], original: Path | None = REPOSITORY):
        self.root = root
        if original is not None:
            for name in FOLDERS:
                shutil.copytree(original / name, root / name, ignore=shutil.ignore_patterns("*.pyc.*"))  # being written
            for name in FILES:
                shutil.copy2(original / name, root / name)
        self.write_config(config)

    def write_config(self, config: dict[str, Any]) -> None:
        self.config = copy.deepcopy(config)
        Path(self.root, "tiny.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    def configure(self, **changes: Any) -> None:
        self.write_config(changed(self.config, **changes))

    @property
    def results(self) -> Path:
        return self.root / "results" / self.config["run"]

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace the one place of ``old`` in a file of the project."""
        file = self.root / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path} holds {old!r} {text.count(old)} times"
        file.write_text(text.replace(old, new), encoding="utf-8")

    def append(self, path: str, text: str) -> None:
        """Add ``text`` to the end of a file of the project."""
        with open(self.root / path, "r+", encoding="utf-8") as file:  # not "a", which creates a missing file
            file.seek(0, os.SEEK_END)
            file.write(text)

    def snakemake(self, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess:
        return call_snakemake("--configfile", "tiny.yaml", *arguments, cwd=self.root, **environment)

    def run(self, *targets: str | Path, cores: int = 2) -> str:
        """Run the workflow and return what it printed."""
        done = self.snakemake("--cores", str(cores), *targets)
        assert done.returncode == 0, done.stdout[-20_000:]
        return done.stdout

    def dry_run(self, *targets: str | Path) -> str:
        done = self.snakemake("--dry-run", *targets)
        assert done.returncode == 0, done.stdout[-20_000:]
        return done.stdout

    def would_run(self, *targets: str | Path) -> Counter:
        """Return how many jobs of each rule a dry run plans, ``all`` left out."""
        return job_counts(self.dry_run(*targets))

    def would_make(self, rule: str, *targets: str) -> set[str]:
        """Return the names, without suffix, of the files that a dry run plans to make by ``rule``."""
        outputs = [
            path for job in jobs(self.dry_run(*targets)) if job["rule"] == rule for path in job["output"].split(", ")
        ]
        return {Path(path).stem for path in outputs}


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> tuple[str, Path]:
    """The tiny run, made by one call of Snakemake: what was printed, and the folder of its project."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    pristine, said = shared / "tiny run" / "project", shared / "tiny run" / "printed"
    with open(shared / "tiny run.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker makes it for all
        if not said.exists():
            shutil.rmtree(pristine, ignore_errors=True)
            said.write_text(Project(pristine, TINY).run(), encoding="utf-8")
    return said.read_text(encoding="utf-8"), pristine


@pytest.fixture(scope="session")
def printed(made) -> str:
    """What the run printed."""
    return made[0]


@pytest.fixture(scope="session")
def results(made) -> Path:
    """The run's results, in a place that no test alters."""
    return made[1] / "results" / "tiny"


@pytest.fixture(scope="session")
def whole_copy(made, tmp_path_factory) -> Copy:
    """A copy of the run's project."""
    return Copy(made[1], tmp_path_factory.mktemp("whole") / "project")


@pytest.fixture
def finished(whole_copy) -> Project:
    """The finished run, to be altered."""
    whole_copy.restore()
    return Project(whole_copy.root, TINY, original=None)


@pytest.fixture(scope="session")
def tiny_config() -> dict[str, Any]:
    """The tiny run's config; not to be altered, see ``changed``."""
    return TINY


@pytest.fixture
def read_jobs():
    """Reads the jobs that Snakemake prints: ``read_jobs(printed)``."""
    return jobs


@pytest.fixture(scope="session")
def new_project(tmp_path_factory):
    """Makes a project of its own: ``new_project(config)``; ``original`` is the project that it copies."""
    return lambda config, original=REPOSITORY: Project(tmp_path_factory.mktemp("own") / "project", config, original)


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def plain_snakemake(tmp_path):
    """Runs the repository's own workflow in an empty folder: ``plain_snakemake(config, *arguments)``.

    ``config`` is what the file given by ``--configfile`` holds, or its path; None gives none.
    """

    def run(config: dict[str, Any] | Path | None, *arguments: str | Path) -> subprocess.CompletedProcess:
        if isinstance(config, dict):
            given = tmp_path / "given.yaml"
            given.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
            config = given
        named = [] if config is None else ["--configfile", config]
        return call_snakemake("--snakefile", REPOSITORY / "Snakefile", *named, *arguments, cwd=tmp_path)

    return run


@pytest.fixture(scope="session")
def count_jobs():
    """Reads the job statistics that Snakemake prints: ``count_jobs(printed)``."""
    return job_counts


@pytest.fixture(scope="session")
def change():
    """Changes keys of a config: ``change(config, shared__epochs=0.2)``, see ``changed``."""
    return changed
