"""The package, built and installed as a user does, makes the tiny run outside the clone."""

import os
import re
import shlex
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import torch

import wsl

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
BUILD = ("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir")
# In fewer jobs, since most of their time is their start.
RUN = ("wsl", "run", "tiny", "--cores", "2", "--", "--config", "images={classes_per_job: 5}")
INSTALL = ("install", "--no-deps", "--no-index", "--quiet")


class Installed:
    """A virtual environment with the package. Its other packages are those of the tests.

    Attributes:
        folder: an empty folder to work in, with a space in its name.
    """

    def __init__(self, root: Path):
        self.root, self.folder = root / "environment", root / "my runs"
        self.folder.mkdir()
        venv.create(self.root, symlinks=True)
        subprocess.run([sys.executable, "-m", "pip", *BUILD, root, ROOT], check=True)
        (wheel,) = root.glob("weight_space_learning-*.whl")
        pip = (sys.executable, "-m", "pip", "--python", self.root / "bin" / "python")
        subprocess.run([*pip, *INSTALL, wheel], check=True)
        (packages,) = self.root.glob("lib/python*/site-packages")
        # A path in a .pth file does not run the .pth files there, so an editable `wsl` of the tests stays unknown.
        (packages / "of_the_tests.pth").write_text(f"{Path(torch.__file__).parents[1]}\n")
        self.package = packages / "wsl"

    def call(self, *command: str | Path, cwd: Path | None = None, code: int = 0) -> str:
        program, *arguments = command
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "SNAKEMAKE", "WSL"))}
        done = subprocess.run(
            [self.root / "bin" / program, *arguments],
            cwd=cwd or self.folder,
            env={**kept, "PATH": f"{self.root / 'bin'}:{kept['PATH']}", "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "200"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout[-5000:]
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return Installed(tmp_path_factory.mktemp("installed"))


def test_the_tiny_run_outside_the_clone(installed, tmp_path):
    found = installed.call("python", "-c", "import wsl; print(wsl.__file__)").strip()
    assert Path(found) == installed.package / "__init__.py"
    assert installed.call("wsl", "--version") == f"wsl {wsl.__version__}\n"
    for path in (installed.package, *installed.package.rglob("*")):  # as for a user without administrator's rights
        path.chmod(path.stat().st_mode & ~0o222)

    shown = installed.call(*RUN)
    results = installed.folder / "results" / "tiny"
    assert "; complete, took " in shown and (results / "report.html").is_file()
    assert sorted(path.name for path in installed.folder.iterdir()) == [".snakemake", "results"]
    caption = (ROOT / "workflow" / "report" / "autoencoder_loss.rst").read_text().partition(". ")[0]
    assert caption in (results / "report.html").read_text()

    assert installed.call(*RUN).splitlines()[0] == "tiny: nothing to do"  # the digests of the code are the same
    (results / "report.html").unlink()
    watched = installed.call("wsl", "watch", "results/tiny", "--once", code=1).splitlines()[-1]
    again = shlex.split(watched.removeprefix("Make again: "))
    assert again == [*RUN, "--", "results/tiny/report.html"]
    again.insert(again.index("--") + 1, "--dry-run")
    assert "would run html_report" in installed.call(*again)

    (tmp_path / "wsl").mkdir()  # a folder of this name in another project is not the library
    (tmp_path / "logging.py").write_text("raise SystemExit('a module of this folder was imported')\n")
    planned = installed.call("wsl", "run", "tiny", "--", "-n", cwd=tmp_path)
    assert re.search(r"^ +train_cohort +8$", planned, re.MULTILINE)
