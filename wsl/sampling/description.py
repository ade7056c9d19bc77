"""What a run's sampler consists of, in one file, so that it can serve for other images than the run's own."""

import os
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from wsl.errors import DataError
from wsl.files import file_digest, read_json, within, write_json
from wsl.remaking import remedy

FORMAT = 2
READABLE = (1, FORMAT)  # 1 names no files of baselines
NAME = Path("sampling", "sampler.json")  # in a run's folder


def describe_sampler(
    out: str | Path,
    sampler: str,
    seed: int,
    clip: dict[str, Any],
    prompts: list[str],
    about: dict[str, Any],
    making: dict[str, Any],
    finetuning: dict[str, Any],
    start: str | Path | None = None,
    body: str | Path | None = None,
    **files: Any,
) -> None:
    """Write what ``load_description`` reads back: settings as they are, files by their paths from ``out``.

    A digest of each file stands beside, so that the description's own digest tells one fit from another.

    Args:
        out: JSON.
        sampler: by name.
        seed: of what is random in the sampler.
        clip: ``model``, ``weights`` and ``seed``, see ``wsl.datasets.clip.Clip``.
        prompts: sentences that name a class, with ``{}`` in its place.
        about: what any model of this sampler says of itself.
        making: settings of ``wsl.sampling.makers.Makers``, and ``outcome``, what is asked for.
        finetuning: recipe of those who train a model further, see ``wsl.evaluation.protocol.fine_tuned``.
        start: what members start from, for baselines; None where each has its own.
        body: the generator's body, for baselines; None where the run fits no generator.
        files: of ``Makers``: a path or a list of paths each.
    """
    folder = Path(out).parent

    def seen_from_here(value: Any) -> Any:
        return os.path.relpath(value, folder) if isinstance(value, str | Path) else [*map(seen_from_here, value)]

    baselines = {key: value for key, value in (("start", start), ("body", body)) if value is not None}
    clip_files = {key: value for key, value in clip.items() if isinstance(value, str) and Path(value).is_file()}
    named = [*clip_files.values(), *chain(*([one] if isinstance(one, str | Path) else one for one in files.values()))]
    named += baselines.values()
    write_json(
        out,
        {
            "format": FORMAT,
            **{"sampler": sampler, "seed": seed, "clip": clip, "prompts": prompts},
            **{"about": about, "making": making, "finetuning": finetuning},
            "clip_files": {key: seen_from_here(value) for key, value in clip_files.items()},
            "files": {key: seen_from_here(value) for key, value in files.items()},
            "baselines": {key: seen_from_here(value) for key, value in baselines.items()},
            "sha256": {seen_from_here(path): file_digest(path) for path in named},
        },
    )


@dataclass(frozen=True)
class Description:
    """See ``describe_sampler``; paths are ready to open, and ``digest`` is its own file's.

    Attributes:
        baselines: files ``start`` and ``body``, those that the run has. A description of format 1 names neither; its
            body is the one in the generator's file.
    """

    sampler: str
    seed: int
    clip: dict[str, Any]
    prompts: list[str]
    about: dict[str, Any]
    making: dict[str, Any]
    finetuning: dict[str, Any]
    files: dict[str, Any]
    baselines: dict[str, Path]
    digest: str


def load_description(run: str | Path) -> Description:
    """Read the description of a run's sampler.

    Args:
        run: the folder of a finished run.

    Raises:
        DataError: the folder holds none, another version's, or one whose files are not all there and in the folder.
    """
    path = Path(run, NAME)
    if not path.is_file():
        raise DataError(f"{run} holds no {NAME}; name the folder of a finished run, results/<run>")
    content = read_json(path)
    if content.pop("format", None) not in READABLE:
        fault = f"{path} is of another version of wsl"
        raise DataError(f"{fault}; {remedy(path, 'use that version, or a run that this one made')}")

    def from_here(value: Any) -> Any:
        return [*map(from_here, value)] if isinstance(value, list) else there(within(run, path.parent / value))

    def there(found: Path) -> Path:
        if not found.is_file():
            raise DataError(f"{found} is missing, which {path} names; {remedy(found, 'put it back')}")
        return found

    # CLIP's weights may lie anywhere; what the run made lies in its folder.
    named = {
        key: there(Path(os.path.normpath(path.parent / value))) for key, value in content.pop("clip_files").items()
    }
    clip = {**content["clip"], **{key: str(found) for key, found in named.items()}}
    files = {key: from_here(value) for key, value in content["files"].items()}
    if "baselines" in content:
        baselines = {key: from_here(value) for key, value in content["baselines"].items()}
    else:
        baselines = {"body": files["generator"]} if "generator" in files else {}
    del content["sha256"]
    return Description(**{**content, "clip": clip, "files": files, "baselines": baselines}, digest=file_digest(path))
