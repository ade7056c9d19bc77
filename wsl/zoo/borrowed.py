"""The description of a run's zoo, `zoo/zoo.json`, from which other runs use it: settings, classes, plan and places."""

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from wsl.errors import DataError
from wsl.files.plain import read_json
from wsl.paths import Paths


class Description(BaseModel):
    """What other runs need to know about a run's zoo; paths are absolute, or relative to the run's folder.

    Attributes:
        run: name of the run.
        zoo: the keys of ``zoo`` that describe its members.
        images: ``size``, ``mean``, ``std`` and ``classes_per_job`` of its packed images; empty: there are no images.
        plugins: files that may register its architecture.
        classes: of the packed images, in order.
        labels: of several image sources, which names of classes begin with; empty: one source.
        groups: classes by use, see ``wsl.zoo.groups``.
        plan: one dict per member, see ``wsl.zoo.plan``.
        seed: of the run that trained the members; None: unknown.
        zoo_of: folder of the run that has the members and packed images, if it is another one.
    """

    run: str
    zoo: dict[str, Any]
    images: dict[str, Any]
    plugins: list[str]
    classes: list[str]
    labels: list[str] = []
    groups: dict[str, list[str]]
    plan: list[dict[str, Any]]
    seed: int | None = None
    zoo_of: str | None = None


def zoo_is_described(folder: str | Path) -> bool:
    """Return whether a run in a folder has written the description of its zoo."""
    return Path(Paths(str(folder)).zoo_description).is_file()


def read_description(folder: str | Path) -> Description:
    """Read the description of the zoo of a run in a folder.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path = Path(Paths(str(folder)).zoo_description)
    if not Path(folder).is_dir():
        raise DataError(f"there is no folder {folder}; name the folder of a run, results/<run>")
    if not path.is_file():
        raise DataError(
            f"{folder} has no {path.relative_to(folder)}, which describes its zoo: it is not a run, has not made its "
            "zoo yet, or an earlier version made it. Start that run with its config: finished files are kept"
        )
    try:
        return Description.model_validate(read_json(path))
    except ValidationError as error:
        fault = error.errors()[0]
        raise DataError(
            f"{path} does not describe a zoo ({'.'.join(map(str, fault['loc']))}: {fault['msg']}); start its run again"
        ) from error


def seen_from(folder: str | Path, path: str | Path) -> str:
    """Return a path, relative to the working directory, relative to a folder; absolute paths stay absolute."""
    return str(path) if Path(path).is_absolute() else os.path.relpath(path, folder)


def placed(folder: str | Path, path: str | Path) -> Path:
    """Return the path that ``seen_from`` made relative to a folder."""
    return Path(os.path.normpath(Path(folder, path)))


def zoo_folder(run: str | Path) -> Path:
    """Return the folder of the run that has the members and packed images of a run: mostly its own."""
    other = read_description(run).zoo_of if zoo_is_described(run) else None
    return Path(run) if other is None else placed(run, other)
