"""Write a member as a run in Ray Tune's layout, in the form of another program.

Other programs find the results of an epoch by the position of the line in ``result.json``, so epochs without results
get a line of NaN. They read hyper-parameters from ``params.json``, and from ``config`` in each line.
"""

import json
from math import nan
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from wsl.errors import DataError
from wsl.files.plain import write_csv, write_json
from wsl.zoo.foreign.account import OTHER
from wsl.zoo.foreign.exported import PLACEHOLDER, own_keys
from wsl.zoo.foreign.peers import PEERS, Peer, PeerNetwork, as_they_came, check_optimizer, network_for_peer
from wsl.zoo.foreign.raytune import PARAMETERS, WEIGHTS
from wsl.zoo.foreign.run import METRICS
from wsl.zoo.member import Member
from wsl.zoo.network import state_dict

SHARED = PEERS["sine"]  # reads the form that most programs share, of more networks than the others


def write_run(zoo: Path, position: int, member: Member, peer: Peer | None) -> None:
    """Write a member into the folder of a zoo.

    Args:
        zoo: the folder.
        position: of the member among those of the zoo.
        member: with results on test images in its history, if there are any.
        peer: the program; None: if possible the form that most programs share, otherwise with the member's own names.

    Raises:
        DataError: the program's code cannot build the network.
    """
    network = _network(member, peer)
    params = _params(member, network)
    # WeightCLIP looks for names with `seed=`, SINE for one with `_00000_0`.
    seed = member.plan.get("seed", member.plan["member"])
    place = zoo / f"NN_tune_trainable_seed={seed}_{position:05d}_{position}"
    place.mkdir()
    write_json(place / "params.json", params | own_keys(member))
    folders = {int(epoch): f"checkpoint_{epoch:06d}" for epoch in member.snapshots["epoch"]}
    lines = [
        {"training_iteration": epoch, "trial_id": f"wsl_{position:05d}", "checkpoint_dir_name": folders.get(epoch)}
        | row
        for epoch, row in enumerate(_results(member.history, bool(peer and peer.percent)))
    ]
    write_csv(place / "progress.csv", pd.DataFrame(lines))
    with open(place / "result.json", "w", encoding="utf-8") as file:
        file.writelines(json.dumps({**line, "config": params}) + "\n" for line in lines)
    for row, folder in enumerate(folders.values()):
        (place / folder).mkdir()
        state = state_dict(member.weights[row], member.layout, member.counters[row])
        renamed = {network.names.get(name, name): value for name, value in state.items()}
        torch.save(renamed, place / folder / WEIGHTS)


def _network(member: Member, peer: Peer | None) -> PeerNetwork:
    try:
        network = network_for_peer(member.layout, member.plan, peer or SHARED)
        if peer and peer.builds_optimizer:
            check_optimizer(_params(member, network))
        return network
    except DataError as error:
        if peer:
            raise DataError(f"{peer.title} cannot read this member: {error}") from error
    kind = {"model::type": member.plan.get("architecture", OTHER), "model::o_dim": member.layout.classes}
    return PeerNetwork({**kind, **as_they_came(member.plan, "model::")}, {})


def _params(member: Member, network: PeerNetwork) -> dict[str, Any]:
    """Return hyper-parameters by the names of other programs, and by those that they had before an import."""
    usual = {key: member.plan.get(ours) for key, ours in PARAMETERS.items()}
    return {**as_they_came(member.plan), **network.params, **usual}


def _results(history: pd.DataFrame, percent: bool) -> list[dict[str, Any]]:
    """Return the results of every epoch from 0, by the names of other programs."""
    measured = history.set_index("epoch").to_dict("index")
    rows = []
    for epoch in range(max(measured) + 1):
        known = measured.get(epoch, {})
        row = {key: known.get(ours, nan) for key, ours in METRICS.items() if key != "test_loss" or ours in history}
        if percent:  # an import reads the fractions, since percent are rounded
            row = {key: value * 100 if key.endswith("_acc") else value for key, value in row.items()} | known
        rows.append(row if known else {PLACEHOLDER: True} | row)
    return rows
