"""Export members as a zoo with Ray Tune's layout, see ``wsl.zoo.foreign.raytune``, for other programs and imports."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from math import nan
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from wsl.errors import DataError
from wsl.files.atomic import new_folder
from wsl.paths import split_member
from wsl.zoo.foreign.peers import PEERS
from wsl.zoo.foreign.peers_run import write_run
from wsl.zoo.foreign.run import PARTS
from wsl.zoo.index import is_index, open_zoo
from wsl.zoo.member import Member, open_members, read_member, read_members

TEST = "test_accuracy"


class Exported(NamedTuple):
    """The result of an export."""

    members: int
    epochs: list[int]  # that all members have weights of
    tested: bool  # whether all have results on test images

    def in_words(self, peer: str | None) -> str:
        """Return a description for the terminal."""
        epochs = ", ".join(map(str, self.epochs)) or "none"
        text = f"{self.members} members{f' for {PEERS[peer].title}' if peer else ''}; epochs that all have: {epochs}"
        if peer and PEERS[peer].reads_test and not self.tested:
            text += "; test_acc is NaN where there are no results on test images, which --test-accuracies can add"
        return text


def export_zoo(
    files: Sequence[str | Path], out: str | Path, peer: str | None = None, accuracies: str | Path | None = None
) -> Exported:
    """Write members as a zoo with Ray Tune's layout, from which an import restores them.

    Args:
        files: files of members, of which ``FILE:NUMBER`` names one; or indices, which stand for their members (without
            diverged ones) and give them their part.
        out: folder to make; it must not exist. It appears only when it is complete.
        peer: key of ``PEERS``: the program whose code shall build the networks and read the results. None: if
            possible the form that most programs share, otherwise with the members' own names.
        accuracies: CSV with ``member``, ``snapshot`` and ``test_accuracy``, as a run writes it; None: only results on
            test images that the members have.

    Raises:
        DataError: a file is neither, or a member is given twice or has diverged; the program's code cannot build a
            network; or an accuracy is missing.
    """
    measured = None if accuracies is None else _measured(Path(accuracies))
    epochs: dict[int, set[int]] = {}  # with weights, by member
    tested = True
    with new_folder(out) as folder:
        for path, member, part in _members(files):
            if member.layout.frozen is not None:
                raise DataError(
                    f"{path} holds adapters, and a zoo of Ray Tune cannot name their frozen network; export models of "
                    "`wsl sample`, which are complete"
                )
            number = member.plan["member"]
            if member.diverged:
                raise DataError(f"{path}: this member diverged, and has no last weights; leave it out")
            if number in epochs:
                raise DataError(f"{path}: member {number} comes twice; name its file or index once")
            if part:
                member.plan["part"] = part
            if measured is not None:
                member.history[TEST] = _test_accuracies(path, member, measured)
            try:
                write_run(folder, len(epochs), member, peer and PEERS[peer])
            except DataError as error:
                raise DataError(f"{path}: {error}") from error
            epochs[number] = set(member.snapshots["epoch"].astype(int))
            tested &= TEST in member.history
    return Exported(len(epochs), sorted(set.intersection(*epochs.values())), tested)


def _members(files: Sequence[str | Path]) -> Iterator[tuple[Path, Member, str | None]]:
    """Yield the file of each member, itself, and its part if an index gives it."""
    for given in files:
        path, number = split_member(given)
        if number is not None:
            yield path, read_member(path, number), None
        elif not is_index(path):
            for member in read_members(path):
                yield path, member, None
        else:
            with open_zoo(path) as zoo:
                if zoo.sources.places is None:
                    raise DataError(f"{path} holds weights of its own; name the index that it was made from")
                members = zoo.files.items()
            part = path.stem if path.stem in PARTS else None
            for file, group in groupby(members, key=itemgetter(1)):
                with open_members(file) as opened:
                    for number, _ in group:
                        yield file, opened.read(number), part


def _measured(path: Path) -> dict[tuple[int, str], float]:
    """Return test accuracies by member and snapshot."""
    try:
        table = pd.read_csv(path, dtype=str)  # Python's numbers, since those of pandas may be rounded
        keys = zip(table["member"].astype(int), table["snapshot"], strict=True)
        return dict(zip(keys, map(float, table[TEST]), strict=True))
    except (ValueError, KeyError) as error:  # pandas raises derived classes
        raise DataError(
            f"{path} is not a table of member, snapshot and {TEST} ({error}); give evaluation/test_accuracies.csv of "
            "the members' run"
        ) from error


def _test_accuracies(path: Path, member: Member, measured: Mapping[tuple[int, str], float]) -> list[float]:
    """Return the test accuracy of each row of the history; NaN for epochs without weights."""
    if TEST in member.history:
        raise DataError(f"{path} has results on test images already; leave out --test-accuracies")
    known = {}
    for epoch, name in zip(member.snapshots["epoch"], member.snapshots["snapshot"], strict=True):
        key = (member.plan["member"], name)
        if key not in measured:
            raise DataError(
                f"--test-accuracies lacks member {key[0]}, snapshot {name} ({path}); give the table of the members' "
                "run, or leave the option out"
            )
        known[epoch] = measured[key]
    return [known.get(epoch, nan) for epoch in member.history["epoch"]]
