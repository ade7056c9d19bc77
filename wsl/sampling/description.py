"""The file that describes a run's sampler, from which ``wsl sample`` loads it."""

import os
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from wsl.errors import DataError
from wsl.files.opening import remedy
from wsl.files.plain import file_digest, read_json, within, write_json
from wsl.jobs.job import Job
from wsl.sampling.loading import Choice, MethodFiles
from wsl.sampling.methods.base import METHODS
from wsl.sampling.recalibration import STRENGTH
from wsl.settings.registry import PLUGINS, module_file
from wsl.settings.sections import plain
from wsl.zoo.borrowed import zoo_folder
from wsl.zoo.index import open_zoo
from wsl.zoo.recognition import architecture_of

FORMAT = 3
READABLE = (1, 2, FORMAT)  # see `_upgraded`
NAME = Path("sampling", "sampler.json")  # in a run's folder
PUSHED = "pushed.json"  # in the folder of a run that was fetched from the Hub: what was not sent, see ``wsl.hub``
CLIP_FOLDER = NAME.parent / "clip"  # of such a run: CLIP's files that lay outside of the run's folder
# Names of files in formats 1 and 2 that have changed, with their new names.
OLD_FILES = {
    "train_index": "index",
    "fitted": "pca",
    "autoencoder": "encoder",
    "train_latents": "latents",
    "train_coefficients": "codes",
}
# The file that each sampler's fit wrote, by its name in formats 1 and 2.
OLD_FITTED = {"regression": "regression", "flow": "flow", "generator": "generator"}
# Settings that have been constants since format 3, with the constants' values.
OLD_SETTINGS = {
    "memory-bank": {"space": "coefficients", "outcome": "log-loss", "width": 0.5},
    "retrieval": {"space": "coefficients"},
    "flow": {"method": "heun"},
}


def describe_sampler(
    inputs: MethodFiles,
    out: str | Path,
    choice: Choice,
    outcome: str | float,
    embedding: dict[str, Any],
    about: dict[str, Any],
    finetuning: dict[str, Any],
    job: Job = Job(),  # noqa: B008
) -> None:
    """Write the description that ``load_description`` reads, with all paths relative to its folder.

    It has a digest of each file, so that the description's own digest identifies the fit.

    Args:
        inputs: the files of the sampler, of the weight encoder, and of the baselines of ``wsl sample``.
        out: JSON.
        choice: the sampler.
        outcome: requested validation loss (nats) or ``best``.
        embedding: ``clip``, the arguments of ``wsl.datasets.clip.embed_classes``, and ``prompts``, sentences
            with ``{}`` for the class name.
        about: metadata of every model of this sampler.
        finetuning: recipe of further training, see ``wsl.evaluation.settings.FineTuning``.
        job: seed of the sampler.
    """
    folder = Path(out).parent

    def relative(value: Any) -> Any:
        return os.path.relpath(value, folder) if isinstance(value, str | Path) else [*map(relative, value)]

    files = inputs.all()
    clip_files = {
        key: value for key, value in embedding["clip"].items() if isinstance(value, str) and Path(value).is_file()
    }
    paths = chain(*([value] if isinstance(value, str | Path) else value for value in files.values()))
    source = module_file(METHODS[choice.name]) if METHODS[choice.name].__module__.startswith(PLUGINS) else None
    write_json(
        out,
        {
            "format": FORMAT,
            "choice": choice.model_dump(mode="json"),
            "outcome": outcome,
            "seed": job.seed,
            **embedding,
            "about": about,
            "finetuning": finetuning,
            "plugin": source and source.name,
            "clip_files": {key: relative(value) for key, value in clip_files.items()},
            "files": {key: relative(value) for key, value in files.items()},
            "sha256": {relative(path): file_digest(path) for path in [*clip_files.values(), *paths]},
        },
    )


@dataclass(frozen=True)
class Description:
    """A run's sampler, see ``describe_sampler``."""

    choice: Choice
    outcome: str | float
    seed: int
    clip: dict[str, Any]
    prompts: list[str]
    about: dict[str, Any]
    finetuning: dict[str, Any]
    plugin: str | None  # name of the plug-in file that defines the sampler; None: it is part of ``wsl``
    files: dict[str, Any]  # paths by name
    digest: str  # of the description
    without_images: bool = False  # the run was pushed without its packed images

    def check_sampler(self, run: str | Path) -> None:
        """Check that the sampler is registered. Plug-ins run code, so only the user can pass one.

        Raises:
            DataError: no registered sampler has its name.
        """
        if self.choice.name in METHODS:
            return
        remedy = "use the version of wsl that made the run"
        if self.plugin:
            remedy = f"it is defined in the plug-in {self.plugin}, which may run any code; pass it by --plugin FILE"
        raise DataError(f"wsl has no sampler {self.choice.name!r}, which {run} uses; {remedy}")


def load_description(run: str | Path) -> Description:
    """Read the description of a run's sampler, of this or an earlier format.

    Args:
        run: the folder of a finished run.

    Raises:
        DataError: the folder has no description, one of another version, or one whose files are missing or lie outside
            of the folder.
    """
    path = Path(run, NAME)
    if not path.is_file():
        if (summary := Path(run, "summary.json")).is_file():
            mixed = "architectures" in read_json(summary)
            reason = "its zoo is mixed" if mixed else "its images.source is none"
            kind = "whose members have one architecture" if mixed else "with images"
            raise DataError(f"{run} has no sampler, since {reason}; give a run {kind}")
        raise DataError(f"{run} has no {NAME}; give the folder of a finished run, results/<run>")
    content = read_json(path)
    version = content.pop("format", None)
    if version not in READABLE:
        todo = remedy(path, "use that version, or a run of this one")
        raise DataError(f"{path} was written by another version of wsl; {todo}")
    if version < FORMAT:
        content = _upgraded(path, content)

    def absolute(value: Any) -> Any:
        return [*map(absolute, value)] if isinstance(value, list) else existing(inside(path.parent / value))

    def inside(file: Path) -> Path:
        path = Path(os.path.abspath(file))
        return within(next((folder for folder in places if path.is_relative_to(os.path.abspath(folder))), run), file)

    def existing(file: Path) -> Path:
        if not file.is_file():
            raise DataError(f"{file} is missing, which {path} names; {remedy(file, 'put it back')}")
        return file

    zoo = zoo_folder(run)  # of the run whose start and images it uses
    places = [] if zoo == Path(run) else [zoo / "zoo", zoo / "images"]
    # CLIP's weights may lie anywhere; all other files lie in the run's folder.
    for key, value in content.pop("clip_files").items():
        file, sent = Path(os.path.normpath(path.parent / value)), Path(run, CLIP_FOLDER, Path(value).name)
        content["clip"][key] = str(existing(sent if sent.is_file() else file))
    without_images = (pushed := Path(run, PUSHED)).is_file() and "images" in read_json(pushed)["left_out"]
    if without_images:  # see `wsl.sampling.loading.OpenRun`
        content["files"]["packed"] = content["choice"]["known"] = []
    content["files"] = {key: absolute(value) for key, value in content["files"].items()}
    if isinstance(content["about"].get("architecture"), str):
        content["about"] = _about_with_architecture(content["about"], content["files"]["index"])
    del content["sha256"]
    content["choice"] = Choice(**content["choice"])
    return Description(**content, digest=file_digest(path), without_images=without_images)


def _about_with_architecture(about: dict[str, Any], index: Path) -> dict[str, Any]:
    """Return metadata with all settings of the architecture. Formats 1 and 2 have its name and width only."""
    with open_zoo(index) as zoo:
        architecture = architecture_of(zoo.layout)
    return {key: value for key, value in about.items() if key != "width"} | {"architecture": plain(architecture)}


def _upgraded(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """Return content of format 1 or 2 in format 3. Format 1 has no files of baselines."""
    content = dict(content)
    name, making, old = content.pop("sampler"), content.pop("making"), content.pop("files")
    settings, constants = dict(making["settings"]), {**OLD_SETTINGS.get(name, {})}
    if making["recalibrate"]:
        settings["recalibration.strength"], constants["recalibration.strength"] = making["strength"], STRENGTH
    for key, value in constants.items():
        if (old_value := settings.pop(key, value)) != value:
            raise DataError(
                f"{path} was made with sampling.{name}.{key}: {old_value}, which is no longer a setting; use the "
                "version of wsl that made it"
            )
    fitted = OLD_FITTED.get(name)
    files = {"fitted" if key == fitted else OLD_FILES.get(key, key): value for key, value in old.items()}
    choice = {"name": name, "settings": settings, "known": making["known"], "recalibrate": making["recalibrate"]}
    files |= content.pop("baselines", {"body": old["generator"]} if "generator" in old else {})
    return {**content, "choice": choice, "outcome": making["outcome"], "plugin": None, "files": files}
