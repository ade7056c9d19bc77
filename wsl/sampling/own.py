"""A model for somebody's own classes, by their images or their names, from a finished run."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsl.datasets.class_means import ClassMeans, embed_classes, embed_name
from wsl.datasets.clip import Clip
from wsl.errors import DataError
from wsl.files import listed
from wsl.images.classes import name_fault
from wsl.images.names import repeated_names
from wsl.images.own import PREFIX, own_classes, pack_nothing, pack_own
from wsl.images.reading import join_task
from wsl.images.tasks import TaskImages
from wsl.outcomes.bins import read_bins
from wsl.sampling.description import Description, load_description
from wsl.sampling.makers import Makers
from wsl.zoo.index import open_zoo
from wsl.zoo.layout import Layout


@dataclass(frozen=True)
class OwnModel:
    """A sampled model.

    Attributes:
        weights: flat (n_weights,), as ``layout`` says; counters: integer buffers (n_counters,).
        classes: names, in the order of its outputs; task: what ``images`` call them.
        loss: validation loss that was asked for, nats; seed: of the draw.
        images: part ``train`` is what it was made from, part ``test`` what was set aside.
    """

    weights: np.ndarray
    counters: np.ndarray
    layout: Layout
    classes: list[str]
    task: str
    loss: float
    seed: int
    images: TaskImages


def sample_own(
    run: str | Path,
    folder: Path | None,
    classes: Sequence[str] | None,
    outcome: str | float | None = None,
    held_out: float = 0.2,
    seed: int | None = None,
    device: str = "cpu",
) -> tuple[OwnModel, Description]:
    """Sample a model for classes that the run need not have seen; nothing of it is trained.

    Args:
        run: folder of a finished run.
        folder: of class folders of images; None: the classes are known by their names alone.
        classes: which of its folders, in which order; or those names.
        outcome: validation loss asked for, nats, or ``best``; None: as the run asks.
        held_out: share of each class's images that the model is not made from.
        seed: of what is random in the sampler and of the choice of images; None: the run's.
        device: ``cpu`` or ``cuda``.

    Raises:
        DataError: the run or the images cannot serve; the message says what would.
    """
    about = load_description(run)
    encoder, size = about.about["encoder"]["encoder"], about.about["size"]
    if encoder != "clip":
        raise DataError(f"{run} embeds datasets by {encoder!r}, which serves its own images alone; use a run with clip")
    with open_zoo(about.files["train_index"]) as zoo:
        needed = zoo.layout.classes
    seed = about.seed if seed is None else seed
    names = _named(classes, needed) if folder is None else own_classes(folder, classes, needed)
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wsl-")))
        packed, means = ([work / f"{kind}-{place}.h5" for place in range(needed)] for kind in ("images", "means"))
        if folder is None:
            counts = [pack_nothing(name, path, size) for name, path in zip(names, packed, strict=True)]
        else:
            counts = [
                pack_own(folder, name, path, size, held_out, seed) for name, path in zip(names, packed, strict=True)
            ]
        prompts = [[prompt.replace("{}", name) for prompt in about.prompts] for name in names]
        if folder is None:
            _embed_names(names, prompts, means, about, device)
        else:
            embed_classes(packed, means, prompts, **about.clip, device=device)
        files = {**about.files, "packed": [*listed(about.files["packed"]), *packed]}
        files["class_means"] = [*listed(about.files["class_means"]), *means]
        settings = {key: value for key, value in about.making.items() if key != "outcome"}
        makers = stack.enter_context(Makers(**files, **settings, device=device))
        loss = read_bins(makers.bins).requested_loss(about.making["outcome"] if outcome is None else outcome)
        task = join_task([PREFIX + name for name in names])
        # Where classes have different numbers of images, none is left out.
        weights = makers.load(about.sampler).make(task, loss, max(counts), seed)
        counters = np.rint(makers.zoo.counters.mean(axis=0)).astype(np.int64)
        for part in ("train", "test"):
            makers.images.of_task(task, part=part)  # held from here on, since their files go
    return OwnModel(weights, counters, makers.layout, names, task, loss, seed, makers.images), about


def _named(classes: Sequence[str] | None, needed: int) -> list[str]:
    if repeated := repeated_names(classes or ()):
        raise DataError(f"the class {repeated[0]!r} is listed twice in --classes; list each class once")
    if not classes or len(classes) != needed:
        raise DataError(f"this run's models distinguish {needed} classes; name {needed} by --classes, or give a folder")
    for name in classes:
        if why := name_fault(name):
            raise DataError(f"the name of a class {name!r} {why}; write it otherwise")
    return list(classes)


def _embed_names(
    names: Sequence[str], prompts: list[list[str]], out: list[Path], about: Description, device: str
) -> None:
    if not all(prompts):
        raise DataError(
            "this run knows no names: its datasets.prompts are empty; give a folder of images, or a run with prompts"
        )
    clip = Clip(about.clip["model"], about.clip["weights"], about.clip["seed"], device)
    length = ClassMeans(about.files["class_means"]).length
    for name, sentences, path in zip(names, prompts, out, strict=True):
        embed_name(PREFIX + name, sentences, path, clip, length)
