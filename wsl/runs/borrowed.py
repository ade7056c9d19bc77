"""A run on the zoo of another run: its members, start, classes and packed images are used as they are."""

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from wsl.config.schema import Config
from wsl.errors import ConfigError, DataError
from wsl.images.settings import Images
from wsl.images.sources.base import ImageSource
from wsl.images.sources.none import NoImages
from wsl.images.sources.several import BETWEEN
from wsl.paths import RESULTS
from wsl.settings.registry import offer_plugins
from wsl.settings.sections import plain
from wsl.zoo.borrowed import Description, placed, read_description, seen_from, zoo_folder, zoo_is_described
from wsl.zoo.left_out import chosen_classes, without_classes
from wsl.zoo.plan import first_training
from wsl.zoo.settings import BESIDE, Zoo

if TYPE_CHECKING:
    from wsl.runs.run import Run

KEY = "zoo.from"
IMAGES = {"size", "mean", "std", "classes_per_job"}
OWN = {"imported", "borrowed", *BESIDE}  # fields of ``Zoo`` that do not describe members


class PackedImages(ImageSource):
    """Images that another run has packed."""

    title = "the other run's packed images"
    classes: list[str]
    labels: list[str]  # of several sources, see ``wsl.images.sources.several``

    def names(self):
        return self.classes

    def images(self, name, packing, seed):
        raise AssertionError("they are packed already")

    def owner(self, name):
        label = self.group(name)
        return self, name.removeprefix(f"{label}{BETWEEN}" if label else "")

    def group(self, name):
        label, dot, _ = name.partition(BETWEEN)
        return label if dot and label in self.labels else ""


PackedImages.name = "packed"


@dataclass(frozen=True)
class BorrowedZoo:
    """The zoo of another run.

    Attributes:
        folder: of the run that the config names.
        owner: folder of the run that made the members, or that imported them, and packed the images.
        about: its description.
        plugins: files that may register its architecture.
    """

    folder: Path
    owner: Path
    about: Description
    plugins: list[Path]

    def check(self, files: Iterable[str]) -> None:
        """Refuse files that do not exist.

        Raises:
            ConfigError: some are missing; the message has their number and the remedy.
        """
        files = list(files)
        missing = [path for path in files if not Path(path).is_file()]
        if missing:
            through = f", whose zoo is that of {self.owner}" if self.owner != self.folder else ""
            raise ConfigError(
                f"{KEY}: {len(missing)} of {len(files)} files of the zoo of {self.folder}{through} are missing, such "
                f"as {missing[0]}; put them back, or finish that run with its config. A smaller zoo.training uses only "
                "the first training members"
            )


def described(run: "Run") -> dict[str, Any]:
    """Return the content of ``wsl.zoo.borrowed.Description`` but the plan."""
    config, folder = run.config, run.paths.folder
    zoo: dict[str, Any] = {"import": seen_from(folder, config.zoo.imported)} if run.imported else {}
    zoo = zoo or config.zoo.model_dump(mode="json", exclude=OWN)
    images = config.images.model_dump(mode="json", include=IMAGES) if run.has_images else {}
    plugins = [*config.plugins, *(run.borrowed.plugins if run.borrowed else ())]
    return plain(
        {
            "run": config.run,
            "zoo": zoo,
            "images": images,
            "plugins": [seen_from(folder, path) for path in plugins],
            "classes": run.classes,
            "labels": [label for label in dict.fromkeys(map(config.images.source.group, run.classes)) if label],
            "groups": run.groups,
            "seed": zoo_seed(run),
            "zoo_of": seen_from(folder, run.borrowed.owner) if run.borrowed else None,
        }
    )


def zoo_seed(run: "Run") -> int | None:
    """Return the seed of the run that trained the members of a run; None: unknown."""
    if run.borrowed is not None:
        return run.borrowed.about.seed
    return None if run.imported else run.config.seed


def read_borrowed(config: Config) -> BorrowedZoo:
    """Read the description of the zoo that a config names in ``zoo.from``.

    Raises:
        ConfigError: it is the run itself, or the description is missing or damaged.
    """
    folder, own = config.zoo.borrowed, Path(RESULTS, config.run)
    try:
        about = read_description(folder)
    except DataError as error:
        raise ConfigError(f"{KEY}: {error}") from error
    owner = folder if about.zoo_of is None else placed(folder, about.zoo_of)
    for path in (folder, owner):
        if os.path.realpath(path) == os.path.realpath(own):
            raise ConfigError(f"{KEY}: {folder} uses the zoo of this run, {own}; change `run`, or name another run")
    plugins = [placed(folder, path) for path in about.plugins]
    offer_plugins(plugins)
    return BorrowedZoo(folder, owner, about, plugins)


def with_borrowed(config: Config, borrowed: BorrowedZoo) -> Config:
    """Return a config with the members and images of the other run.

    Raises:
        ConfigError: this version, with its plug-ins, does not know them.
    """
    about = borrowed.about
    values = dict(about.zoo)
    if "import" in values:
        values["import"] = placed(borrowed.folder, values["import"])
    source = PackedImages(classes=about.classes, labels=about.labels) if about.images else NoImages()
    try:
        zoo = Zoo.model_validate(values)
        images = Images.model_validate(about.images)
    except ValidationError as error:
        fault = error.errors()[0]
        raise ConfigError(
            f"{KEY}: the zoo of {borrowed.folder} cannot be used here ({'.'.join(map(str, fault['loc']))}: "
            f"{fault['msg']}); name the plug-ins of that run in `plugins`, or use the version of wsl that made it"
        ) from error
    own = {key: getattr(config.zoo, key) for key in ("borrowed", *BESIDE)}
    if "snapshots" in config.zoo.model_fields_set:
        own["snapshots"] = _chosen_snapshots(config.zoo.snapshots, zoo, borrowed.folder)
    if zoo.imported is None:
        own["backbone"] = zoo.backbone.model_copy(update={"checkpoint": None, "sha256": None})  # the start is there
    given = {"source": source, "classes": about.classes or None}
    if "classes_per_job" in config.images.model_fields_set:
        given["classes_per_job"] = config.images.classes_per_job
    sections = {"zoo": zoo.model_copy(update=own), "images": images.model_copy(update=given)}
    return config.model_copy(update=sections)


def _chosen_snapshots(chosen: list[str | int] | str, zoo: Zoo, folder: Path) -> list[str | int] | str:
    """Return the snapshots that a run uses, if the members of the other run have them.

    Raises:
        ConfigError: they have not.
    """
    if zoo.imported is not None:
        raise ConfigError(f"zoo.snapshots: the members of {folder} are imported, and all of theirs are used; remove it")
    if chosen == zoo.snapshots:
        return chosen
    powers = [0, *(2**power for power in range(int(zoo.max_epoch.bounds()[1]).bit_length())), "max"]
    known = powers if zoo.snapshots == "geometric" else zoo.snapshots
    if unknown := [name for name in ([chosen] if isinstance(chosen, str) else chosen) if name not in known]:
        raise ConfigError(
            f"zoo.snapshots: the members of {folder} have no snapshot {unknown[0]}; choose from "
            f"{', '.join(map(str, known))}"
        )
    return chosen


def plan_of_borrowed(config: Config, borrowed: BorrowedZoo) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """Return the plan and the groups of classes of a run on the zoo of another run.

    Raises:
        ConfigError: classes cannot be left out, or there are fewer training members than ``zoo.training``.
    """
    plan, groups = borrowed.about.plan, borrowed.about.groups
    if wanted := config.zoo.leave_out:
        left = chosen_classes(wanted, borrowed.about.classes, config.images.source.group)
        plan, groups = without_classes(plan, groups, left)
        _check_other_runs(config, borrowed.owner, left)
    return first_training(plan, config.zoo.training), groups


def _check_other_runs(config: Config, owner: Path, left: Collection[str]) -> None:
    """Refuse weight encoders that are also fitted to members of the same zoo, in another run, on classes left out."""
    for name, weights in config.encoders().items():
        for run in weights.encoder.other_runs:
            folder = Path(RESULTS, run)
            if not zoo_is_described(folder) or os.path.realpath(zoo_folder(folder)) != os.path.realpath(owner):
                continue
            trained = (row for row in read_description(folder).plan if row["part"] == "train")
            if any(not set(row["classes"]).isdisjoint(left) for row in trained):
                raise ConfigError(
                    f"zoo.leave_out: the weight encoder {name} is also fitted to the run {run}, whose members were "
                    "trained on classes left out here; remove it from the encoder's `runs`"
                )


def needed_files(run: "Run") -> list[str]:
    """Return the files of the other run's zoo that a run reads: members, packed images, the common start."""
    members = run.member_files(f"{row['member']:05d}" for row in run.plan)
    images = [*map(run.paths.packed, run.classes), run.paths.all_packed] if run.has_images else []
    start = [run.paths.start] if run.start() and not run.mixed else []
    return [*members, *images, *start]


def shown(run: "Run") -> dict[str, Any]:
    """Return a run's config, of the zoo of another run or program only the keys that can be given beside it."""
    if run.borrowed is None and run.imported is None:
        return run.config.model_dump(mode="json")
    zoo, images = {"imported", "training"}, {"exclude": {"classes"}}
    if run.borrowed is not None:
        zoo, images = {"borrowed", *BESIDE}, {"include": {"classes_per_job"}}
        if run.fewer_snapshots:
            zoo.add("snapshots")
    dump = run.config.model_dump(mode="json", exclude={"zoo", "images"})
    dump |= {"images": run.config.images.model_dump(mode="json", **images)}
    return dump | {"zoo": run.config.zoo.model_dump(mode="json", include=zoo)}


def count_images(run: "Run", side: int) -> int:
    """Return the number of packed images, an upper bound from the sizes of their files."""
    paths: Sequence[Path] = [Path(run.paths.packed(name)) for name in run.classes]
    return sum(path.stat().st_size for path in paths if path.is_file()) // (3 * side**2)
