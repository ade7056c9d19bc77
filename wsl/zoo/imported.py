"""The folder of an imported zoo, as the plan of a run needs it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsl.errors import ConfigError, DataError
from wsl.images.reading import task_classes
from wsl.zoo.layout import Layout, first_difference

PARTS = ("train", "validation", "test")
KEY = "zoo.import"


@dataclass(frozen=True)
class ImportedZoo:
    """The members of a folder that ``wsl import`` wrote.

    Attributes:
        folder: as the config names it.
        layout: of all members.
        plan: one dict per member: ``member``, ``part``, ``classes`` (names, ordered), and its hyper-parameters.
        snapshots: names of each member's snapshots, in the order of training, by the member's number.
        files: paths of the members' files, by the member's number.
    """

    folder: Path
    layout: Layout
    plan: list[dict[str, Any]]
    snapshots: dict[int, list[str]]
    files: dict[int, str]

    @property
    def classes(self) -> list[str]:
        """The classes of all tasks, in the order in which tasks name them."""
        return list(dict.fromkeys(name for row in self.plan for name in row["classes"]))


def read_imported(folder: Path) -> ImportedZoo:
    """Read the indices in the folder of an imported zoo.

    Raises:
        ConfigError: the folder is missing or incomplete, or a part has no members.
    """
    if not folder.is_dir():
        raise ConfigError(f"{KEY}: there is no folder {folder}; correct the path, or make it by `wsl import`")
    missing = [part for part in PARTS if not (folder / f"{part}.h5").is_file()]
    if len(missing) == len(PARTS):
        raise ConfigError(f"{KEY}: {folder} holds no train.h5; name the folder that `wsl import --out` wrote")
    if missing:
        raise ConfigError(
            f"{KEY}: {folder} has no {' and no '.join(missing)} members; import the zoo again into another folder with "
            "a share for each part, as in --parts 70,15,15"
        )
    try:
        return _read(folder)
    except DataError as error:
        raise ConfigError(f"{KEY}: {error}") from error


def _read(folder: Path) -> ImportedZoo:
    from wsl.zoo.index import open_zoo  # h5py takes time that other runs need not spend

    layouts, plan, snapshots, files = {}, [], {}, {}
    for part in PARTS:
        with open_zoo(folder / f"{part}.h5") as zoo:
            layouts[part] = zoo.layout
            for row in zoo.members.to_dict("records"):
                if not row.pop("diverged"):
                    del row["digest"]
                    plan.append({"part": part, "classes": task_classes(row.pop("task")), **row})
            for member, names in zoo.snapshots.groupby("member", sort=False)["snapshot"]:
                snapshots[int(member)] = list(names)
            files |= {member: str(path) for member, path in zoo.files.items()}
    layout = layouts["train"]
    for part in PARTS:
        if layouts[part] != layout:
            difference = first_difference(layouts[part], layout)
            raise DataError(f"{folder}: the networks of {part}.h5 differ from those of train.h5: {difference}")
    for path in dict.fromkeys(files.values()):
        if not Path(path).is_file():
            raise DataError(f"{path} is missing, which an index in {folder} lists; put it back")
    return ImportedZoo(folder, layout, plan, snapshots, files)


def chosen_epochs(names: Sequence[str]) -> list[str | int]:
    """Return snapshots as ``zoo.snapshots`` would list them: ``early``, ``max`` and numbers of epochs."""
    return [int(name.removeprefix("epoch")) if name.startswith("epoch") else name for name in names]
