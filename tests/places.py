"""Fixtures: a web site on loopback, and small, full or read-only disks."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from huggingface_hub import constants
from loopback import Loopback


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A web site on loopback, see ``loopback.Loopback``, which is also the hub of models, with an empty cache."""
    (tmp_path / "site").mkdir()
    with Loopback(tmp_path / "site") as site:
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "ENDPOINT", site.url)
        template = site.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield site


@pytest.fixture
def disk(tmp_path):
    """Mounts a small disk: ``disk(folder, "size=1m")`` or ``disk(folder, "ro")``; returns the folder."""
    mounted = []

    def mount(folder: Path, options: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"mounting a disk needs root and the right to mount: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    if shutil.which("mount") is None:
        pytest.skip("there is no program `mount`")
    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def fill():
    """Fills the disk of a folder up to a number of free bytes: ``fill(folder, 0)``; returns the file."""

    def run(folder: Path, left: int) -> Path:
        path = folder / "filler"
        with open(path, "wb") as file:
            with contextlib.suppress(OSError):
                while True:
                    os.write(file.fileno(), bytes(4096))
            os.truncate(path, max(0, path.stat().st_size - left))
        return path

    return run


@pytest.fixture
def fake_hub(tmp_path, monkeypatch):
    """A Hugging Face Hub on loopback, see ``hub_server.FakeHub``, with an empty cache and a token."""
    from tests.hub_server import TOKEN, FakeHub

    with FakeHub() as fake:
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "ENDPOINT", fake.url)
        template = fake.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield fake
