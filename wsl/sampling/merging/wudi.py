"""WUDI: RegMean without data, with the rows of task vectors in place of inputs."""

from typing import TYPE_CHECKING

import numpy as np

from wsl.sampling.merging.base import MERGES, Merge

if TYPE_CHECKING:
    from wsl.sampling.merging._members import Members


@MERGES.register("wudi")
class Wudi(Merge):
    """The merged task vector that interferes least with each task vector, layer by layer (Cheng et al. 2025).

    It minimises the sum over members of |(t - t_i) t_iᵀ|² / |t_i|² for the task vector t of each matrix. The paper
    descends 300 steps from the sum of task vectors; here the minimum is computed. Other parameters are averaged.
    """

    label, marker = "WUDI", "P"
    needs_start = True

    def body(self, members: "Members", number: float | None) -> np.ndarray:
        from wsl.sampling.merging._linear import linear_layers
        from wsl.zoo.network import network_for

        merged = members.mean.copy()
        for name in linear_layers(network_for(members.layout), members.entries):
            entry = members.layout[name]
            changes = members.changes(entry).reshape(len(members), entry.shape[0], -1)
            merged[entry.columns] = members.start[entry.columns] + least_interference(changes).ravel()
        return merged


def least_interference(changes: np.ndarray) -> np.ndarray:
    """Return the merged matrix (outputs, inputs) of task vectors (members, outputs, inputs)."""
    import torch

    from wsl.sampling.merging._linear import solved

    products, gram = 0.0, 0.0
    for change in torch.from_numpy(changes).double():
        own = change.T @ change / change.square().sum().clamp(min=1e-30)
        products, gram = products + change @ own, gram + own
    return solved(products, gram, torch.zeros_like(products)).numpy()
