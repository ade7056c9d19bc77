"""Small real data that many tests share: packed digits, a tiny zoo trained on them, and models fitted to it.

Tests marked `data` need real data, and are skipped without them:
    WSL_DATA  a folder with `train` and `val`, each holding a folder of photos for every class
    WSL_CLIP  a folder with `wsl-tiny-rn.json` and `wsl-tiny-rn.pt`, an open_clip model and its weights
"""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from PIL import Image

from tests.networks import resnet18_layout, resnet18_network
from tests.places import disk, fake_hub, fill, site  # noqa: F401
from wsl.datasets.encoders.base import DATASET_ENCODERS
from wsl.datasets.settings import ClipModel
from wsl.images.packing import pack_class
from wsl.images.settings import Packing
from wsl.images.sources.base import SOURCES
from wsl.jobs.job import Job
from wsl.outcomes.bins import Outcomes, write_bins
from wsl.sampling.loading import MethodFiles
from wsl.sampling.merging.base import MERGES
from wsl.sampling.methods.base import METHODS
from wsl.settings.registry import PLUGINS
from wsl.shared.losses.base import LOSSES
from wsl.shared.settings import Shared
from wsl.shared.training import train_shared
from wsl.training.recipe import Recipe
from wsl.weights.codec import embed_part
from wsl.weights.coefficients import encode_part
from wsl.weights.encoders.base import WEIGHT_ENCODERS, EncoderInputs
from wsl.weights.pca import fit_parameters
from wsl.weights.pca_settings import PcaSettings
from wsl.weights.settings import EncoderFit
from wsl.weights.training import train_weight_encoder
from wsl.zoo.architectures.base import ARCHITECTURES
from wsl.zoo.cohort import train_cohort
from wsl.zoo.index import write_index
from wsl.zoo.settings import MemberTraining
from wsl.zoo.start import random_start

torch.set_num_threads(1)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes that tests start find compiled modules
# Few examples and the same ones each time, so that failures can be reproduced.
UNTIMED = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture]
settings.register_profile("wsl", max_examples=40, deadline=None, derandomize=True, suppress_health_check=UNTIMED)
settings.load_profile("wsl")

REGISTRIES = (ARCHITECTURES, DATASET_ENCODERS, LOSSES, MERGES, METHODS, SOURCES, WEIGHT_ENCODERS)
SIZE, WIDTH = 16, 2
TASKS = {"train": ["012", "234", "413"], "validation": ["104"], "test": ["032"]}
ADAMW = {"learning_rate": 1e-2, "weight_decay": 0.0, "batch_size": 4, "epochs": 20}
RECIPE = Recipe(**ADAMW)
TINY_CLIP = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": SIZE, "layers": 1, "width": 16, "patch_size": 8, "head_width": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 16, "width": 8, "heads": 1, "layers": 1},
}


@pytest.fixture(autouse=True, scope="module")
def plugins_of_this_module():
    """Entries that the tests of a module register from plug-in files are unknown to other modules."""
    yield
    for registry in REGISTRIES:
        for name in [name for name, entry in registry._entries.items() if entry.__module__.startswith(PLUGINS)]:
            del registry._entries[name]
    for name in [name for name in sys.modules if name.startswith(f"{PLUGINS}.")]:
        del sys.modules[name]


def plan_row(member: int = 0, task: str = "012", **changes) -> dict:
    """A member's row of the plan; ``task`` names digits."""
    row = {"member": member, "classes": list(task), "seed": 100 + member, "optimizer": "adam", "learning_rate": 3e-3}
    return {**row, "batch_size": 32, "weight_decay": 0.0, "early_epoch": 1, "max_epoch": 3, **changes}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run files with slow tests first, so that all workers finish at about the same time.

    The very first one is that of Slurm, which mostly waits: the others begin with a run that several files need.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, not item.get_closest_marker("slurm")))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Seed torch, so that a test does not depend on those before it."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def packed(tmp_path_factory) -> dict[str, Path]:
    """Packed digits 0 to 4, by name."""
    folder = tmp_path_factory.mktemp("images")
    files = {name: folder / f"{name}.h5" for name in "01234"}
    for name, path in files.items():
        pack_class(path, name, Packing(size=SIZE), seed=0)
    return files


@pytest.fixture(scope="session")
def train(packed):
    """Train one member: ``train(out, task="012", width=2, **changes to its plan or training)``."""

    def run(out: Path, task: str = "012", width: int = WIDTH, images=packed, **changes) -> Path:
        settings = {"architecture": {"width": width}}
        settings |= {key: changes.pop(key) for key in MemberTraining.model_fields if key in changes}
        start, plan = changes.pop("start", None), plan_row(task=task, **changes)
        train_cohort([images[name] for name in task], out, [plan], MemberTraining(**settings), start)
        return out

    return run


@pytest.fixture(scope="session")
def zoo(train, tmp_path_factory) -> SimpleNamespace:
    """Five members of two snapshots: ``root``, ``members`` (paths), ``train``, ``validation``, ``test`` (indices)."""
    root = tmp_path_factory.mktemp("zoo")
    members, indices = [], {}
    for part, tasks in TASKS.items():
        paths = []
        for task in tasks:
            number = len(members) + len(paths)
            sgd = {"optimizer": "sgd", "learning_rate": 0.01} if number % 2 else {}
            paths.append(train(root / "members" / f"{number:05d}.h5", task, member=number, seed=100 + number, **sgd))
        indices[part] = root / f"{part}.h5"
        write_index(paths, indices[part])
        members += paths
    return SimpleNamespace(root=root, members=members, **indices)


@pytest.fixture(scope="session")
def start(tmp_path_factory) -> Path:
    """Random weights that members could start from."""
    path = tmp_path_factory.mktemp("start") / "start.safetensors"
    random_start(path, resnet18_network(WIDTH, 3), Job(seed=4))
    return path


@pytest.fixture(scope="session")
def fitted(zoo, tmp_path_factory) -> list[Path]:
    """One PCA file per named parameter, in order, with as many components as the six training snapshots allow."""
    folder = tmp_path_factory.mktemp("pca")
    paths = []
    for entry in resnet18_layout(WIDTH, 3).entries:
        paths.append(folder / f"{entry.name}.h5")
        settings = PcaSettings(variance_threshold=1e-12, dimension_limit=4, components=32)
        fit_parameters(zoo.train, [paths[-1]], [entry.name], settings)
    return paths


@pytest.fixture(scope="session")
def coefficients(zoo, fitted, tmp_path_factory) -> dict[str, Path]:
    """Coefficient files by part."""
    folder = tmp_path_factory.mktemp("coefficients")
    files = {part: folder / f"{part}.h5" for part in TASKS}
    for part, path in files.items():
        encode_part(getattr(zoo, part), fitted, path, seed=0)
    return files


@pytest.fixture(scope="session")
def autoencoder(zoo, fitted, coefficients, tmp_path_factory) -> SimpleNamespace:
    """A trained weight autoencoder: ``state``, ``history``, ``checkpoints``, and ``latents`` files by part."""
    folder = tmp_path_factory.mktemp("autoencoder")
    out = SimpleNamespace(
        state=folder / "ae.safetensors",
        history=folder / "history.csv",
        checkpoints=folder / "states.safetensors",
        latents={part: folder / f"{part}.h5" for part in TASKS},
    )
    inputs = EncoderInputs(zoo.train, zoo.validation, coefficients["train"], coefficients["validation"], fitted)
    settings = EncoderFit(encoder={"name": "pca-ae", "latent": 8, **ADAMW})
    train_weight_encoder(inputs, out.state, out.history, out.checkpoints, settings)
    for part, path in out.latents.items():
        embed_part(getattr(zoo, part), coefficients[part], fitted, out.state, path, orders=1, seed=0)
    return out


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory) -> Path:
    """The JSON config of an open_clip model small enough for a test."""
    path = tmp_path_factory.mktemp("clip") / "tiny-test-clip.json"
    path.write_text(json.dumps(TINY_CLIP))
    return path


@pytest.fixture(scope="session")
def reader(tiny_clip, tmp_path_factory):
    """The JSON config of the tiny CLIP with as many words as open_clip's own tokenizer knows."""
    path = tmp_path_factory.mktemp("clip") / "tiny-reading-clip.json"
    config = json.loads(tiny_clip.read_text())
    config["text_cfg"]["vocab_size"] = 49408
    path.write_text(json.dumps(config))
    return path


@pytest.fixture(scope="session")
def class_means(packed, tiny_clip, tmp_path_factory) -> dict[str, Path]:
    """Class-mean files by class name, of random features."""
    from wsl.datasets.clip import embed_classes  # open_clip takes seconds to import

    folder = tmp_path_factory.mktemp("class_means")
    files = {name: folder / f"{name}.h5" for name in packed}
    for name, path in files.items():
        embed_classes([packed[name]], [path], [()], ClipModel(model=str(tiny_clip)))
    return files


@pytest.fixture(scope="session")
def bins(zoo, tmp_path_factory) -> Path:
    """Four outcome bins of the training members."""
    path = tmp_path_factory.mktemp("outcomes") / "bins.json"
    write_bins(zoo.train, path, Outcomes(bins=4))
    return path


@pytest.fixture(scope="session")
def shared(autoencoder, class_means, bins, tmp_path_factory) -> SimpleNamespace:
    """A trained shared encoder: ``state`` and ``history``."""
    folder = tmp_path_factory.mktemp("shared")
    out = SimpleNamespace(state=folder / "shared.safetensors", history=folder / "history.csv")
    latents = autoencoder.latents
    shape = {"outcome_embedding": 4, "hidden": [16], "dropout": 0.0}
    files = (latents["train"], latents["validation"], list(class_means.values()), bins, out.state, out.history)
    train_shared(*files, Shared(**shape, **ADAMW))
    return out


@pytest.fixture(scope="session")
def method_files(zoo, fitted, autoencoder, class_means, packed, bins):
    """Makes the input files of jobs that load a method: ``method_files(held_out, shared=path)``."""
    common = {"index": zoo.train, "class_means": list(class_means.values()), "packed": list(packed.values())}
    common |= {"bins": bins, "pca": fitted, "encoder": autoencoder.state}
    return lambda held_out=(), **more: MethodFiles(**{**common, "held_out": held_out, **more})


@pytest.fixture(scope="session")
def class_folders(tmp_path_factory):
    """Makes a folder of folders of small photos: ``class_folders({"train": {"a": 30}, "val": {"a": 10}})``."""

    def make(counts: dict[str, dict[str, int]]) -> Path:
        root = tmp_path_factory.mktemp("photos")
        for part, classes in counts.items():
            for place, (name, count) in enumerate(classes.items()):
                (root / part / name).mkdir(parents=True)
                for i in range(count):
                    photo(place, f"{part}{i}").save(root / part / name / f"{i}.jpg")
        return root

    return make


def photo(place: int, name: str) -> Image.Image:
    """A noisy square whose colour is that of the class."""
    noise = np.random.default_rng(list(name.encode())).integers(0, 60, (20, 24, 3))
    noise[..., place % 3] += 40 * (1 + place // 3)
    return Image.fromarray(noise.astype(np.uint8))


@pytest.fixture
def photos() -> Path:
    """The folder of real photos."""
    return _named_by("WSL_DATA", "train")


@pytest.fixture
def real_clip() -> Path:
    """The folder of a pretrained CLIP model."""
    return _named_by("WSL_CLIP", "wsl-tiny-rn.pt")


def _named_by(variable: str, holds: str) -> Path:
    folder = Path(os.environ.get(variable, "nowhere"))
    if not (folder / holds).exists():
        pytest.skip(f"set {variable} to a folder that holds {holds!r}, see tests/conftest.py")
    return folder
