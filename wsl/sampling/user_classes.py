"""A model for a user's own classes, from their images or their names, by the sampler of a finished run."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsl.datasets.backbone import embed_by_backbone
from wsl.datasets.class_means import ClassMeans, embed_classes, embed_name
from wsl.datasets.clip import Clip
from wsl.datasets.encoders.backbone import Backbone
from wsl.datasets.settings import ClipModel
from wsl.errors import DataError
from wsl.files.plain import listed
from wsl.images.classes import name_fault
from wsl.images.names import repeated_names
from wsl.images.own import PREFIX, own_classes, pack_nothing, pack_own
from wsl.images.reading import join_task
from wsl.jobs.job import Job
from wsl.outcomes.bins import read_bins
from wsl.sampling.description import Description
from wsl.sampling.loading import MethodFiles, OpenRun
from wsl.zoo.index import open_zoo


@dataclass(frozen=True)
class Request:
    """A user's request for a model."""

    folder: Path | None = None  # of class folders of images; None: the model is made from class names
    classes: Sequence[str] | None = None  # folders, or names of classes, in the order of the model's outputs
    outcome: str | float | None = None  # requested validation loss (nats), or ``best``; None: the run's
    held_out: float = 0.2  # fraction of each class's images that is held out
    refine: int = 0  # epochs of training on the other images
    seed: int | None = None  # None: the run's


@dataclass(frozen=True)
class UserModel:
    """A sampled model.

    ``run`` also has the user's files: ``train`` images, which the model is made from, and held-out ``test`` images.
    """

    weights: np.ndarray  # flat (n_weights,), in the layout of ``run``
    classes: list[str]  # in the order of the model's outputs
    task: str  # of the classes among the images of ``run``, see ``join_task``
    loss: float  # requested validation loss, nats
    seed: int
    run: OpenRun


@contextmanager
def sampled_model(
    path: str | Path, description: Description, request: Request, device: str = "cpu"
) -> Iterator[UserModel]:
    """Sample a model for classes that the run need not have seen, without training.

    Args:
        path: folder of the run.
        description: of its sampler.
        request: the classes and their images.
        device: ``cpu`` or ``cuda``.

    Yields:
        The model; its files exist within the context.

    Raises:
        DataError: the run or the images cannot be used.
    """
    encoder, size = description.about["encoder"]["encoder"], description.about["size"]
    encoder = encoder["name"] if isinstance(encoder, dict) else encoder  # a name in earlier versions
    if encoder not in ("clip", Backbone.name):
        raise DataError(
            f"{path} embeds datasets by {encoder!r}, which works for its own images only; use a run with clip or "
            f"{Backbone.name}"
        )
    with open_zoo(description.files["index"]) as zoo:
        needed = zoo.layout.classes
    seed = description.seed if request.seed is None else request.seed
    folder = request.folder
    names = _checked_names(request, needed) if folder is None else own_classes(folder, request.classes, needed)
    with tempfile.TemporaryDirectory(prefix="wsl-") as work:
        packed, means = ([Path(work, f"{kind}-{place}.h5") for place in range(needed)] for kind in ("images", "means"))
        prompts = [[prompt.replace("{}", name) for prompt in description.prompts] for name in names]
        if folder is None:
            counts = [pack_nothing(name, file, size) for name, file in zip(names, packed, strict=True)]
            _embed_names(names, prompts, means, description, device)
        else:
            share = request.held_out
            counts = [pack_own(folder, name, file, size, share, seed) for name, file in zip(names, packed, strict=True)]
            settings = {key: value for key, value in description.clip.items() if key != "seed"}
            job = Job(device, seed=description.clip["seed"])
            if encoder == Backbone.name:
                embed_by_backbone(packed, means, prompts, Backbone(**settings), job)
            else:
                embed_classes(packed, means, prompts, ClipModel(**settings), job)
        files = {**description.files, "packed": [*listed(description.files["packed"]), *packed]}
        files["class_means"] = [*listed(description.files["class_means"]), *means]
        with OpenRun(MethodFiles(**files), description.choice, device) as run:
            outcome = description.outcome if request.outcome is None else request.outcome
            loss = read_bins(run.files.bins).requested_loss(outcome)
            task = join_task([PREFIX + name for name in names])
            # Classes may have different numbers of images; the largest number allows all.
            weights = run.load().sample(task, loss, max(counts), seed)
            yield UserModel(weights, names, task, loss, seed, run)


def _checked_names(request: Request, needed: int) -> list[str]:
    classes = request.classes or ()
    if repeated := repeated_names(classes):
        raise DataError(f"the class {repeated[0]!r} is listed twice in --classes; list each class once")
    if len(classes) != needed:
        raise DataError(f"this run's models distinguish {needed} classes; name {needed} by --classes, or give a folder")
    for name in classes:
        if fault := name_fault(name):
            raise DataError(f"the name of a class {name!r} {fault}; write it differently")
    return list(classes)


def _embed_names(
    names: Sequence[str], prompts: list[list[str]], out: list[Path], description: Description, device: str
) -> None:
    if not all(prompts):
        raise DataError(
            "this run cannot use class names: its datasets.prompts are empty; give a folder of images, or a run with "
            "prompts"
        )
    clip = Clip(description.clip["model"], description.clip["weights"], description.clip["seed"], device)
    length = ClassMeans(description.files["class_means"]).length
    for name, sentences, path in zip(names, prompts, out, strict=True):
        embed_name(PREFIX + name, sentences, path, clip, length)
