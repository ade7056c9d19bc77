"""A run's sampler, and somebody's own folder of images."""

from pathlib import Path

import h5py
import pytest
from PIL import Image

from wsl.sampling.description import NAME, describe_sampler

ARCHITECTURE = {"name": "resnet18", "stem": 7, "width": 2}


@pytest.fixture(scope="session")
def sampler_of(zoo, fitted, autoencoder, shared, class_means, packed, bins, tiny_clip, tmp_path_factory):
    """Describes the session's sampler: ``sampler_of(class means, **changes)`` returns the folder of its run."""

    def describe(means=class_means, **changes) -> Path:
        run = tmp_path_factory.mktemp("run")

        def in_run(path):
            """A file of the session as one of the run's, by a link to its folder."""
            if not isinstance(path, str | Path):
                return [*map(in_run, path)]
            link = run / path.parent.name
            if not link.exists():
                link.symlink_to(path.parent)
            return link / path.name

        files = {"train_index": zoo.train, "fitted": fitted, "autoencoder": autoencoder.state, "shared": shared.state}
        files |= {"train_latents": autoencoder.latents["train"]}
        files |= {"class_means": list(means.values()), "packed": list(packed.values()), "bins": bins}
        about = {"run": "tiny", "architecture": ARCHITECTURE, "size": 16, "encoder": {"encoder": "clip"}}
        settings = {
            "sampler": "projection",
            "seed": 0,
            "clip": {"model": str(tiny_clip), "weights": None, "batch_size": 64, "seed": 0},
            "prompts": [],
            "about": about,
            "making": {"known": ["0", "1"], "outcome": "best", "recalibrate": False, "strength": 0.0}
            | {"settings": {"norm": "training"}},
            "finetuning": {"optimizer": "adam", "learning_rate": 1e-3, "batch_size": 8, "augment": False},
        }
        files |= {key: changes.pop(key) for key in ("start", "body") if key in changes}
        describe_sampler(run / NAME, **{**settings, **changes}, **{key: in_run(path) for key, path in files.items()})
        return run

    return describe


@pytest.fixture(scope="session")
def run(sampler_of) -> Path:
    return sampler_of()


@pytest.fixture(scope="session")
def own(packed, tmp_path_factory) -> Path:
    """Folders of the training images of the digits 0, 3 and 2, under other names that sort alike."""
    folder = tmp_path_factory.mktemp("own")
    for name, digit in (("apple", "0"), ("pear", "3"), ("plum", "2")):
        (folder / name).mkdir()
        with h5py.File(packed[digit]) as file:
            for place, image in enumerate(file["train"]):
                Image.fromarray(image).save(folder / name / f"{place:03d}.png")
    return folder
