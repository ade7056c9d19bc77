"""What a path holds, and which of its files `wsl push` sends."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from wsl.errors import DataError
from wsl.files.hdf5 import open_hdf5
from wsl.files.outputs import MODELS
from wsl.files.plain import read_json
from wsl.paths import split_member
from wsl.sampling.description import CLIP_FOLDER, NAME, PUSHED
from wsl.zoo.imported import PARTS
from wsl.zoo.member import get_layout

Kind = Literal["model", "member", "zoo", "run"]
KNOWN = (
    "a model of `wsl sample` (.safetensors, .pt), a member (.h5, or FILE.h5:NUMBER), a folder of members and indices "
    "(results/RUN/zoo, or one of `wsl import`), or the folder of a finished run"
)
MODEL, MEMBER = "model.safetensors", "member.h5"  # in a repository of one model
PARTS_OF_ZOO = (*PARTS, "unseen")
# Files of a run that are never sent, and why.
LOCAL = {"logs": "messages, with paths of the machine", "benchmarks": "run times and memory of jobs"}
IMAGES = "packed images, and the page that shows some of them; only sent with --with-images"
MEMBERS = "weights of the members"
OUTSIDE = "weights of the members, which are not in the folder of the run"


@dataclass
class Contents:
    """What is sent.

    Attributes:
        kind: what the path holds.
        path: the path.
        files: local files by their names in the repository, without those that are written for it, such as the card.
        left_out: why files are not sent, in words, by ``images``, ``members`` and names of folders.
    """

    kind: Kind
    path: Path
    files: dict[str, Path] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def repo_type(self) -> str:
        """The type of the repository: zoos are data sets of networks, all others models."""
        return "dataset" if self.kind == "zoo" else "model"

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Number of files and bytes by folder; files that are in no folder by their names."""
        sizes: dict[str, tuple[int, int]] = {}
        for name, path in self.files.items():
            head, slash, _ = name.partition("/")
            count, size = sizes.get(head + slash, (0, 0))
            sizes[head + slash] = (count + 1, size + path.stat().st_size)
        return sizes


def contents_of(path: str | Path, members: bool = True, images: bool = False) -> Contents:
    """Return what a path holds and which files are sent.

    Args:
        path: see ``KNOWN``.
        members: of a run: send its members.
        images: of a run: send its packed images.

    Raises:
        DataError: the path holds nothing that can be sent, or a run refers to files elsewhere.
    """
    path = Path(path)
    if path.is_dir():
        if (path / "summary.json").is_file():
            return _run(path, members, images)
        if not (members and not images):
            raise DataError(f"{path} is not a finished run; --with-images and --without-members are for runs")
        if any((path / f"{part}.h5").is_file() for part in PARTS_OF_ZOO):
            return _zoo(path)
        if alone := [path / name for name in (MEMBER, MODEL) if (path / name).is_file()]:
            return contents_of(alone[0])
        if (path / "logs" / "jobs.json").is_file():
            raise DataError(f"{path} is an unfinished run; finish it, and push it then")
        raise DataError(f"{path} holds nothing that wsl can push; give {KNOWN}")
    if not (members and not images):
        raise DataError(f"{path} is a file; --with-images and --without-members are for runs")
    file, _ = split_member(path)
    if not file.is_file():
        raise DataError(f"{path} is missing; give {KNOWN}")
    if path.suffix.lower() in MODELS:
        return Contents("model", path)
    if file.suffix == ".h5":
        with open_hdf5(file) as opened:
            if "format" in opened.attrs:
                return Contents("member", path, {MEMBER: file})
        raise DataError(f"{path} is not a member; to push a zoo, give its folder, {path.parent}")
    raise DataError(f"{path} is not a file that wsl can push; give {KNOWN}")


def _zoo(folder: Path) -> Contents:
    indices = [folder / f"{part}.h5" for part in PARTS_OF_ZOO]
    tables = [*folder.glob("*.csv"), *folder.glob("*.json"), *folder.glob("*.safetensors")]
    files = [*(path for path in indices if path.is_file()), *sorted(tables)]
    members = sorted((folder / "members").glob("*.h5"))
    if not members:
        raise DataError(f"{folder} has no members/, which its indices refer to; push the folder that holds them")
    _check_frozen(folder, next(path for path in indices if path.is_file()), "push the whole run")
    return Contents("zoo", folder, {path.relative_to(folder).as_posix(): path for path in [*files, *members]})


def _run(run: Path, members: bool, images: bool) -> Contents:
    contents = Contents("run", run, left_out=dict(LOCAL))
    reasons = {} if images and (run / "images").is_dir() else {"images": IMAGES}
    if not members:
        reasons["members"] = MEMBERS
    elif not any(run.glob("zoo/**/members/*.h5")):
        reasons["members"] = OUTSIDE
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            top = name.parts[0]
            picture = top in ("images", "explore.html") and "images" in reasons
            member = top == "zoo" and "members" in name.parts and "members" in reasons
            if top not in LOCAL and name != Path(PUSHED) and not picture and not member:
                contents.files[name.as_posix()] = path
    contents.left_out |= reasons
    if (run / NAME).is_file():
        contents.files |= _clip_files(run)
    for index in sorted(run.glob("zoo/**/train.h5")):
        _check_frozen(run, index, "copy them into its folder downloads, and make the run with this path")
    return contents


def _check_frozen(folder: Path, index: Path, remedy: str) -> None:
    """Refuse members that consist of adapters if the frozen network lies outside of a folder."""
    with open_hdf5(index) as file:
        frozen = get_layout(file).frozen
    if frozen is not None and not Path(frozen[0]).resolve().is_relative_to(folder.resolve()):
        raise DataError(f"the members of {folder} need the frozen weights {frozen[0]}, which lie outside; {remedy}")


def _clip_files(run: Path) -> dict[str, Path]:
    """Return CLIP's files outside of a run's folder, after checking that all other files of its sampler lie inside."""
    about = read_json(run / NAME)
    for name in _names(about["files"].values()):
        file = (run / NAME.parent / name).resolve()
        if not file.is_relative_to(run.resolve()):
            raise DataError(
                f"{file} lies outside {run}, whose sampler reads it, so a copy of the run would not work; push a run "
                "with a zoo of its own"
            )
    paths = [run / NAME.parent / name for name in about["clip_files"].values()]
    outside = [path for path in paths if not path.resolve().is_relative_to(run.resolve())]
    return {(CLIP_FOLDER / path.name).as_posix(): path.resolve() for path in outside}


def _names(values: object) -> list[str]:
    """Return the texts in nested lists."""
    return [values] if isinstance(values, str) else [name for value in values for name in _names(value)]
