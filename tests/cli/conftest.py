"""The sampler of a run, a user's folder of images, and commands in processes."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from PIL import Image

from wsl.sampling.description import NAME, describe_sampler
from wsl.sampling.loading import Choice, MethodFiles

ARCHITECTURE = {"name": "resnet18", "stem": 7, "width": 2}


@pytest.fixture(scope="session")
def sampler_of(zoo, fitted, autoencoder, shared, class_means, packed, bins, tiny_clip, tmp_path_factory):
    """Describes the session's sampler: ``sampler_of(class means, **changes)`` returns the folder of its run."""

    def describe(means=class_means, **changes) -> Path:
        run = tmp_path_factory.mktemp("run")

        def in_run(path):
            """A file of the session as a file of the run, by a link to its folder."""
            if not isinstance(path, str | Path):
                return [*map(in_run, path)]
            link = run / path.parent.name
            if not link.exists():
                link.symlink_to(path.parent)
            return link / path.name

        files = {"index": zoo.train, "pca": fitted, "encoder": autoencoder.state, "shared": shared.state}
        files |= {"latents": autoencoder.latents["train"]}
        files |= {"class_means": list(means.values()), "packed": list(packed.values()), "bins": bins}
        card = {
            "run": "tiny",
            "architecture": ARCHITECTURE,
            "size": 16,
            "encoder": {"encoder": "clip"},
        }
        clip = {"model": str(tiny_clip), "weights": None, "seed": 0}
        settings = {
            "choice": Choice(name="projection", known=["0", "1"], recalibrate=False),
            "outcome": "best",
            "embedding": {"clip": changes.pop("clip", clip), "prompts": changes.pop("prompts", [])},
            "about": card,
            "finetuning": {"optimizer": "adam", "learning_rate": 1e-3, "batch_size": 8, "augment": False},
        }
        files |= {key: changes.pop(key) for key in ("start", "body", "fitted") if key in changes}
        inputs = MethodFiles(**{key: in_run(path) for key, path in files.items()})
        describe_sampler(inputs, run / NAME, **{**settings, **changes})
        return run

    return describe


@pytest.fixture(scope="session")
def run(sampler_of) -> Path:
    return sampler_of()


@pytest.fixture(scope="session")
def photos(packed, tmp_path_factory) -> Path:
    """Folders of the training images of the digits 0, 3 and 2, under other names in the same order."""
    folder = tmp_path_factory.mktemp("photos")
    for name, digit in (("apple", "0"), ("pear", "3"), ("plum", "2")):
        (folder / name).mkdir()
        with h5py.File(packed[digit]) as file:
            for place, image in enumerate(file["train"]):
                Image.fromarray(image).save(folder / name / f"{place:03d}.png")
    return folder


FORKS = """
import json, os, sys
from wsl.cli.main import app
IMPORTS
codes = []
for place, arguments in enumerate(json.loads(sys.argv[1])):
    child = os.fork()
    if not child:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{sys.argv[2]}/{place}.{name}", os.O_CREAT | os.O_TRUNC | os.O_WRONLY), number)
        sys.argv[:] = ["wsl", *arguments]
        app()
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(codes))
"""


@pytest.fixture
def commands(tmp_path, tmp_path_factory):
    """Runs commands, each in a process whose streams are files, forked from one that has imported `wsl` already.

    ``commands([arguments, ...], environment, imports)`` returns each one's exit code, output and errors (bytes).
    """

    def run(calls, environment, imports=""):
        folder = tmp_path_factory.mktemp("streams")
        calls = [[*map(str, arguments)] for arguments in calls]
        code = FORKS.replace("IMPORTS", imports)
        environment = {"PYTHONPATH": str(Path(__file__).parents[2]), **environment}
        done = subprocess.run(
            [sys.executable, "-c", code, json.dumps(calls), folder],
            **{"cwd": tmp_path, "env": environment, "capture_output": True, "check": True},
        )
        streams = [
            [(folder / f"{place}.{name}").read_bytes() for name in ("out", "err")] for place in range(len(calls))
        ]
        return [(exit_code, *files) for exit_code, files in zip(json.loads(done.stdout), streams, strict=True)]

    return run
