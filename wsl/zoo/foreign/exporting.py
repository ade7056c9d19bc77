"""Export members as a zoo with Ray Tune's layout, see ``wsl.zoo.foreign.raytune``."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from wsl.errors import DataError
from wsl.files.atomic import new_folder
from wsl.files.hdf5 import open_hdf5
from wsl.files.plain import write_json
from wsl.zoo.foreign.raytune import OWN, PARAMETERS, WEIGHTS
from wsl.zoo.foreign.run import METRICS, PARTS
from wsl.zoo.index import open_zoo
from wsl.zoo.member import Member, read_member
from wsl.zoo.network import state_dict


def export_zoo(files: Sequence[str | Path], out: str | Path) -> int:
    """Write members as a zoo with Ray Tune's layout and return their number.

    State dicts keep the names of the members' parameters. Values without a key in Ray Tune's layout get the prefix
    ``wsl::`` in ``params.json``, so that an import restores the members.

    Args:
        files: members, or indices, which stand for their members (without diverged ones) and give them their part.
        out: folder to make; it must not exist. It appears only when it is complete.

    Raises:
        DataError: a file is neither, or a member is given twice or has diverged.
    """
    count = 0
    with new_folder(out) as folder:
        for path, part in _members(files):
            member = read_member(path)
            if member.layout.frozen is not None:
                raise DataError(
                    f"{path} holds adapters, and a zoo of Ray Tune cannot name their frozen network; export models of "
                    "`wsl sample`, which are complete"
                )
            if member.diverged:
                raise DataError(f"{path}: this member diverged, and has no last weights; leave it out")
            place = folder / f"NN_tune_trainable_{member.plan['member']:05d}"
            if place.exists():
                raise DataError(f"{path}: member {member.plan['member']} comes twice; name its file or index once")
            _write(member, part, place)
            count += 1
    return count


def _members(files: Sequence[str | Path]) -> Iterator[tuple[Path, str | None]]:
    """Yield the file of each member, and its part if an index gives it."""
    for path in map(Path, files):
        with open_hdf5(path) as file:
            indexed = "members" in file
        if not indexed:
            yield path, None
            continue
        with open_zoo(path) as zoo:
            if not zoo.weights.is_virtual:
                raise DataError(f"{path} holds weights of its own; name the index that it was made from")
            names = [source.file_name for source in zoo.weights.virtual_sources()]
        for name in names:
            yield path.parent / name, path.stem if path.stem in PARTS else None


def _write(member: Member, part: str | None, place: Path) -> None:
    params = _params(member, part)
    place.mkdir()
    write_json(place / "params.json", params)
    folders = {int(epoch): f"checkpoint_{epoch:06d}" for epoch in member.snapshots["epoch"]}
    metrics = {ours: key for key, ours in METRICS.items()}
    with open(place / "result.json", "w", encoding="utf-8") as file:
        for row in member.history.to_dict("records"):
            epoch = int(row.pop("epoch"))
            line = {"training_iteration": epoch, "checkpoint_dir_name": folders.get(epoch)}
            line |= {metrics[key]: value for key, value in row.items()}
            file.write(json.dumps({**line, "config": params}) + "\n")
    for row, epoch in enumerate(member.snapshots["epoch"]):
        checkpoint = place / folders[int(epoch)]
        checkpoint.mkdir()
        torch.save(state_dict(member.weights[row], member.layout, member.counters[row]), checkpoint / WEIGHTS)


def _params(member: Member, part: str | None) -> dict[str, Any]:
    keys = {ours: key for key, ours in PARAMETERS.items()}
    plan = {**member.plan, **({"part": part} if part else {})}
    plan = {keys.get(key, OWN + key): value for key, value in plan.items()}
    # An early snapshot is called `early` or by its epoch, which cannot be derived from the epoch.
    names = {str(row["epoch"]): row["snapshot"] for row in member.snapshots.to_dict("records")}
    about = {"model::type": member.plan.get("architecture", "resnet18"), "model::o_dim": member.layout.classes}
    return {**about, **plan, OWN + "snapshots": names}
