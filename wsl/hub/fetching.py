"""Get repositories of the Hugging Face Hub as local folders."""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from wsl.errors import DataError
from wsl.files.huggingface import hub, reaching
from wsl.files.opening import check_writable

PREFIX = re.compile(r"hf:/{1,2}")  # a path keeps only one of the slashes
KINDS = ("models", "datasets")
FORM = "hf://[datasets/]owner/name[@revision][/folder]"
LIBRARY = ".cache"  # what the library keeps beside the files of a download
SOURCE = ".wsl-source.json"  # in the folder of an unfinished pull
NOT_FETCHED = [".gitattributes"]  # the Hub adds it to each repository


@dataclass(frozen=True)
class HubSource:
    """What ``hf://...`` names.

    Attributes:
        repo: owner and name.
        kinds: ``model`` or ``dataset``, or both in the order in which they are tried.
        revision: branch, tag or commit; None: the main branch.
        folder: in the repository; empty: the whole repository.
    """

    repo: str
    kinds: tuple[str, ...]
    revision: str | None = None
    folder: str = ""


def is_hub(source: str | Path) -> bool:
    """Return whether a source is a repository of the Hub and not a path."""
    return PREFIX.match(str(source)) is not None


def parse_source(source: str | Path) -> HubSource:
    """Return the parts of ``hf://[datasets/|models/]owner/name[@revision][/folder]``.

    Raises:
        DataError: it has another form.
    """
    parts = PREFIX.sub("", str(source), count=1).strip("/").split("/")
    kinds = (parts.pop(0)[:-1],) if parts[0] in KINDS else ("model", "dataset")
    if len(parts) < 2 or not all(parts) or ".." in parts:
        raise DataError(f"{source} does not name a repository of the Hub; give {FORM}")
    name, _, revision = parts[1].partition("@")
    return HubSource(f"{parts[0]}/{name}", kinds, unquote(revision) or None, "/".join(parts[2:]))


def local_copy(source: str | Path, only: Sequence[str] | None = None) -> Path:
    """Return a path unchanged, or the folder of a repository of the Hub, which is fetched into the library's cache.

    Nothing in the folder may be changed: its files are links into the cache. Without a network, an earlier copy is
    returned.

    Args:
        source: a path, or see ``parse_source``.
        only: patterns of the files to fetch, relative to the folder that is named; None: all.

    Raises:
        DataError: the repository cannot be fetched.
    """
    if not is_hub(source):
        return Path(source)
    parsed = parse_source(source)
    folder = Path(_snapshot(parsed, only), parsed.folder)
    if not folder.exists():
        raise DataError(f"{parsed.repo} has no folder {parsed.folder}; correct {source}")
    return folder


def pull(source: str | Path, out: str | Path) -> list[Path]:
    """Fetch a repository, or a folder of one, into a new folder, which appears when it is complete.

    An interrupted call leaves a hidden folder beside it, with which the next call continues.

    Returns:
        The fetched files, relative to ``out``.

    Raises:
        DataError: ``out`` exists, or the repository cannot be fetched.
    """
    if not is_hub(source):
        raise DataError(f"{source} does not name a repository of the Hub; give {FORM}")
    out, wanted = Path(out), parse_source(source)
    if out.exists():
        raise DataError(f"{out} exists already; name another folder by --out")
    check_writable(out)
    parsed = _resolved(wanted)
    begun, described = out.with_name(f".{out.name}.pulling"), json.dumps(vars(parsed))
    mark = begun / SOURCE
    if mark.is_file() and mark.read_text(encoding="utf-8") != described:
        shutil.rmtree(begun)  # another source, or an earlier commit of it: their files must not mix
    begun.mkdir(parents=True, exist_ok=True)
    mark.write_text(described, encoding="utf-8")
    _snapshot(parsed, None, local_dir=begun)
    shutil.rmtree(begun / LIBRARY, ignore_errors=True)
    mark.unlink()
    folder = begun / parsed.folder
    if not folder.is_dir():
        raise DataError(f"{parsed.repo} has no folder {parsed.folder}; correct {source}")
    folder.rename(out)
    if parsed.folder:
        shutil.rmtree(begun)
    return sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())


def _resolved(source: HubSource) -> HubSource:
    """Return a source with the commit that its revision names, and the kind of repository that exists."""
    with reaching(source.repo):
        about = _of_any_kind(source, hub().HfApi().repo_info)
    kind = "dataset" if type(about).__name__ == "DatasetInfo" else "model"
    return replace(source, kinds=(kind,), revision=about.sha)


def _snapshot(source: HubSource, only: Sequence[str] | None, **options: Any) -> str:
    """Return the folder into which the library has fetched a repository, of the first kind that exists."""
    patterns = only if only is not None else (["*"] if source.folder else None)
    if patterns and source.folder:
        patterns = [f"{source.folder}/{pattern}" for pattern in patterns]
    options |= {"allow_patterns": patterns, "ignore_patterns": NOT_FETCHED}
    with reaching(source.repo):
        return _of_any_kind(source, partial(hub().snapshot_download, **options))


def _of_any_kind(source: HubSource, call: Callable[..., Any]) -> Any:
    """Return the result of a call for the first kind of repository that exists."""
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    *others, last = source.kinds
    for kind in others:
        try:
            return call(source.repo, repo_type=kind, revision=source.revision)
        except GatedRepoError:
            raise
        except (RepositoryNotFoundError, LocalEntryNotFoundError):  # the latter: offline, and not in the cache
            continue
    return call(source.repo, repo_type=last, revision=source.revision)
