"""A user's own classes for a finished run, and models for them: from images or names, by the run's sampler."""

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsl.datasets.backbone import embed_by_backbone
from wsl.datasets.class_means import ClassMeans
from wsl.datasets.clip import Clip, embed_classes, embed_name
from wsl.datasets.encoders.backbone import Backbone
from wsl.datasets.settings import ClipModel
from wsl.errors import DataError
from wsl.files.plain import listed
from wsl.images.classes import name_fault
from wsl.images.names import repeated_names
from wsl.images.objects import ImagesLike, images_of
from wsl.images.own import PREFIX, own_classes, pack_nothing, pack_own, pack_test
from wsl.images.reading import join_task
from wsl.jobs.job import Job
from wsl.sampling.description import Description
from wsl.sampling.loading import MethodFiles, OpenRun
from wsl.zoo.index import open_zoo


class TemporaryFolder:
    """A folder that vanishes when it is closed, when nothing refers to this object, or when the process ends."""

    def __init__(self) -> None:
        self._path = Path(tempfile.mkdtemp(prefix="wsl-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self._path, ignore_errors=True)

    @property
    def path(self) -> Path:
        """The folder.

        Raises:
            DataError: it was closed.
        """
        if not self._remove.alive:
            raise DataError("the images of these classes were closed; embed them again")
        return self._path

    def close(self) -> None:
        """Remove the folder."""
        self._remove()

    @contextmanager
    def kept_if_filled(self) -> Iterator[None]:
        """Remove the folder at once if the block, which fills it, fails; otherwise the error would keep it."""
        try:
            yield
        except BaseException:
            self.close()
            raise


@dataclass(frozen=True)
class UserClasses:
    """A user's classes: packed images and dataset embeddings, in a temporary folder."""

    classes: list[str]  # in the order of the model's outputs
    counts: list[int]  # images of each class that models are made from
    packed: list[str]  # names of the packed files
    means: list[str]  # names of the class files
    seed: int  # of the split
    files: TemporaryFolder
    embedded: TemporaryFolder  # the folder of the class files

    @property
    def task(self) -> str:
        """The classes as a task, see ``join_task``."""
        return join_task([PREFIX + name for name in self.classes])

    def paths(self) -> tuple[list[Path], list[Path]]:
        """Return the packed files and the class files."""
        packed, means = self.files.path, self.embedded.path
        return [packed / name for name in self.packed], [means / name for name in self.means]

    def embedding(self, description: Description) -> np.ndarray:
        """Return z_D (classes * dimension,), as samplers read it."""
        _, means = self.paths()
        count = max(self.counts)
        # A name's embedding has the length of the run's class means.
        known = [] if count else listed(description.files["class_means"])
        return ClassMeans([*known, *means], count).embed([self.task])[0]

    def with_test(self, images: ImagesLike) -> "UserClasses":
        """Return the same classes with other test images.

        Raises:
            DataError: a class is missing, or has no readable image.
        """
        given, files = images_of(images), TemporaryFolder()
        names = own_classes(given, self.classes, len(self.classes))
        with files.kept_if_filled():
            for name, packed, file in zip(names, self.paths()[0], self.packed, strict=True):
                pack_test(given, name, packed, files.path / file)
        return UserClasses(**{**vars(self), "files": files})


@dataclass(frozen=True)
class UserModel:
    """A model for a user's classes, while the files of its run are open.

    ``run`` also has the user's files: ``train`` images, which the model is made from, and held-out ``test`` images.
    """

    weights: np.ndarray  # flat (n_weights,), in the layout of ``run``
    classes: list[str]  # in the order of the model's outputs
    task: str  # of the classes among the images of ``run``, see ``join_task``
    loss: float  # requested validation loss, nats
    seed: int
    run: OpenRun


def embed_user_classes(
    run: str | Path,
    description: Description,
    given: ImagesLike | Sequence[str],
    classes: Sequence[str] | None = None,
    held_out: float = 0.2,
    seed: int | None = None,
    device: str = "cpu",
) -> UserClasses:
    """Pack and embed a user's classes, which the run need not have seen.

    Args:
        run: folder of the run, for messages.
        description: of its sampler.
        given: images by class, or names of classes.
        classes: which classes of the images, in the order of the model's outputs; None: all.
        held_out: share of each class's images that is held out.
        seed: of the split; None: the run's.
        device: ``cpu`` or ``cuda``.

    Raises:
        DataError: the run or the images cannot be used.
    """
    size = description.about["size"]
    encoder_of(run, description)
    with open_zoo(description.files["index"]) as zoo:
        needed = zoo.layout.classes
    seed = description.seed if seed is None else seed
    by_name = isinstance(given, list | tuple) and all(isinstance(name, str) for name in given)
    images = None if by_name else images_of(given)
    names = _checked_names(given, needed) if images is None else own_classes(images, classes, needed)
    files = TemporaryFolder()
    packed, means = ([f"{kind}-{place}.h5" for place in range(needed)] for kind in ("images", "means"))
    images_at, means_at = ([files.path / name for name in one] for one in (packed, means))
    prompts = [[prompt.replace("{}", name) for prompt in description.prompts] for name in names]
    with files.kept_if_filled():
        if images is None:
            counts = [pack_nothing(name, file, size) for name, file in zip(names, images_at, strict=True)]
            _embed_names(names, prompts, means_at, description, device)
        else:
            counts = [
                pack_own(images, name, file, size, held_out, seed) for name, file in zip(names, images_at, strict=True)
            ]
            embed_images(run, description, images_at, means_at, prompts, device)
    return UserClasses(names, counts, packed, means, seed, files, files)


def encoder_of(run: str | Path, description: Description) -> type[Backbone | ClipModel]:
    """Return the settings of a run's dataset encoder.

    Raises:
        DataError: it works for the run's own images only.
    """
    encoder = description.about["encoder"]["encoder"]
    encoder = encoder["name"] if isinstance(encoder, dict) else encoder  # a name in earlier versions
    if encoder not in ("clip", Backbone.name):
        raise DataError(
            f"{run} embeds datasets by {encoder!r}, which works for its own images only; use a run with clip or "
            f"{Backbone.name}"
        )
    return Backbone if encoder == Backbone.name else ClipModel


def embed_images(
    run: str | Path,
    description: Description,
    packed: Sequence[Path],
    out: Sequence[Path],
    prompts: Sequence[Sequence[str]],
    device: str = "cpu",
) -> None:
    """Embed packed images as a run embeds its own.

    Args:
        run: folder of the run, for messages.
        description: of its sampler.
        packed: packed images, one file per class.
        out: one file per class, see ``wsl.datasets.clip.embed_classes``.
        prompts: of each class.
        device: ``cpu`` or ``cuda``.

    Raises:
        DataError: see ``encoder_of``.
    """
    encoder, job = encoder_of(run, description), Job(device, seed=description.clip["seed"])
    # Earlier versions had further settings, such as the size of batches.
    settings = encoder(**{key: value for key, value in description.clip.items() if key in encoder.model_fields})
    embed = embed_by_backbone if encoder is Backbone else embed_classes
    embed(packed, out, prompts, settings, job)


@contextmanager
def open_with(description: Description, user: UserClasses, device: str = "cpu") -> Iterator[OpenRun]:
    """Open the files of a run together with those of a user's classes."""
    packed, means = user.paths()
    files = {**description.files, "packed": [*listed(description.files["packed"]), *packed]}
    files["class_means"] = [*listed(description.files["class_means"]), *means]
    with OpenRun(MethodFiles(**files), description.choice, device) as run:
        yield run


def sample_weights(run: OpenRun, user: UserClasses, loss: float, seeds: Sequence[int]) -> list[np.ndarray]:
    """Return one model per seed, flat weights (n_weights,), of the sampler of an opened run.

    Args:
        run: see ``open_with``.
        user: the classes.
        loss: requested validation loss, nats.
        seeds: of the samples.

    Raises:
        DataError: two seeds give the same model.
    """
    sampler, models = run.load(), []
    for seed in seeds:
        # Classes may have different numbers of images; the largest number allows all.
        models.append(sampler.sample(user.task, loss, max(user.counts), seed))
        if len(models) > 1 and np.array_equal(models[-1], models[-2]):
            raise DataError(
                f"the sampler {run.choice.name!r} of this run gives the same model for every seed, so several samples "
                "would be equal; ask for one, for several losses, or use a run whose sampler draws at random "
                "(`flow`, `kde`, or `generator` with a temperature above 0)"
            )
    return models


def _checked_names(classes: Sequence[str], needed: int) -> list[str]:
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
