"""Send models, members, zoos and runs to the Hugging Face Hub."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsl.errors import DataError
from wsl.files.huggingface import LOG_IN, hub, reaching
from wsl.files.plain import write_json
from wsl.hub.contents import MEMBER, MODEL, Contents, contents_of
from wsl.paths import split_member
from wsl.sampling.description import PUSHED

CARD = "README.md"
BATCH = 1000  # files per commit: the Hub recommends not to have more
REPO = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Target:
    """Where files are sent.

    Attributes:
        repo: owner and name of the repository, which is created if it does not exist.
        private: of a new repository: only its owner sees it.
        revision: the branch, which is created from the main branch if it does not exist; None: the main branch.
        license: identifier of the licence on the Hub, for the card.
    """

    repo: str
    private: bool = False
    revision: str | None = None
    license: str | None = None

    def check(self) -> None:
        """Refuse a malformed name.

        Raises:
            DataError: it is not of the form owner/name.
        """
        if not REPO.fullmatch(self.repo):
            raise DataError(f"{self.repo} is not the name of a repository; give it as owner/name")


@contextmanager
def prepared(contents: Contents, target: Target) -> Iterator[Contents]:
    """Yield contents with the files that are written for the repository: the card, and what loads a model."""
    from wsl.hub.folder_cards import run_card, zoo_card

    target.check()
    hub()  # refuse early if it is not installed
    with tempfile.TemporaryDirectory(prefix="wsl-") as work:
        folder, files = Path(work), dict(contents.files)
        if contents.kind in ("model", "member"):
            _write_model(folder, contents, target)
        else:
            card = zoo_card if contents.kind == "zoo" else run_card
            (folder / CARD).write_text(card(contents, target.repo, target.license), encoding="utf-8")
        if contents.kind == "run":
            write_json(folder / PUSHED, {"left_out": contents.left_out})
        files |= {path.name: path for path in sorted(folder.iterdir())}
        yield Contents(contents.kind, contents.path, files, contents.left_out)


def _write_model(folder: Path, contents: Contents, target: Target) -> None:
    from wsl.hub.cards import member_about, model_card
    from wsl.hub.model import HubModel
    from wsl.settings.sections import plain
    from wsl.zoo.member import read_member, write_members
    from wsl.zoo.network import whole_state
    from wsl.zoo.recognition import architecture_of, running_fault

    if contents.kind == "model":
        model = HubModel.from_file(contents.path)
    else:
        member = read_member(contents.path)
        if not len(member.weights):
            raise DataError(f"{contents.path} has no snapshot, since its training diverged; push another member")
        if fault := running_fault(member.layout):
            raise DataError(f"{contents.path} cannot be sent as a network, but as a part of its zoo: {fault}")
        if split_member(contents.path)[1] is not None:  # of a file of several members, only this one
            write_members(folder / MEMBER, [member])
        state = whole_state(member.weights[-1], member.layout, member.counters[-1])
        about = member_about(member, plain(architecture_of(member.layout).whole))
        model = HubModel(state, about, str(contents.path))
    (folder / CARD).write_text(model_card(model.about, target.repo, target.license), encoding="utf-8")
    model.save_pretrained(folder)  # keeps an existing card


def send(contents: Contents, target: Target) -> str:
    """Create a repository if it does not exist, and commit prepared files to it; no other file of it is changed.

    Returns:
        The address of the repository.

    Raises:
        DataError: the Hub cannot be reached or refuses, or an existing repository is public and ``target`` private.
    """
    from huggingface_hub import CommitOperationAdd

    api, options = hub().HfApi(library_name="wsl"), {"repo_type": contents.repo_type}
    with reaching(target.repo):
        if hub().get_token() is None:
            raise DataError(f"sending to {target.repo} needs a token of the Hub: {LOG_IN}")
        _check_card(contents, target)  # before a repository is created
        url = api.create_repo(target.repo, private=target.private or None, exist_ok=True, **options)
        if target.private and not api.repo_info(target.repo, **options).private:
            raise DataError(
                f"{target.repo} exists and is public, so nothing was sent; make it private in its settings on the Hub, "
                "or name another repository"
            )
        if target.revision:
            api.create_branch(target.repo, branch=target.revision, exist_ok=True, **options)
        # The card comes last, so that a repository with a card is complete.
        names = sorted(contents.files, key=lambda name: (name == CARD, name))
        for start in range(0, len(names), BATCH):
            batch = [CommitOperationAdd(name, str(contents.files[name])) for name in names[start : start + BATCH]]
            place = f" ({start + 1} to {start + len(batch)} of {len(names)} files)" if len(names) > BATCH else ""
            message = f"Add a {contents.kind} of wsl{place}"
            api.create_commit(target.repo, batch, commit_message=message, revision=target.revision, **options)
    return str(url)


def _check_card(contents: Contents, target: Target) -> None:
    text = contents.files[CARD].read_text(encoding="utf-8")
    try:
        hub().RepoCard(text).validate(repo_type=contents.repo_type)
    except ValueError as error:
        raise DataError(f"the Hub does not accept the card of {target.repo} ({error}); correct --license") from error


def push(path: str | Path, target: Target, members: bool = True, images: bool = False) -> str:
    """Send what a path holds, see ``wsl.hub.contents.contents_of``, and return the address of the repository."""
    with prepared(contents_of(path, members, images), target) as contents:
        return send(contents, target)


def push_model(model: str | Path | tuple[Mapping[str, Any], dict[str, Any]], target: Target) -> str:
    """Send a model and return the address of the repository.

    Args:
        model: file of a model, or its state dict and its metadata, see ``wsl.sampling.model_files``.
        target: where to.
    """
    if isinstance(model, str | Path):
        return push(model, target)
    from wsl.sampling.model_files import write_model

    with tempfile.TemporaryDirectory(prefix="wsl-") as work:
        path = Path(work, MODEL)
        write_model(path, dict(model[0]), model[1])
        return push(path, target)
