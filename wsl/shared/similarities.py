"""Compare projections of the shared encoder with weight latents (figure 4.3)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from wsl.files.hdf5 import part_of
from wsl.files.plain import Files, write_csv
from wsl.shared.pairs import first_members, load_pairs
from wsl.shared.predictor import load_predictor


@torch.no_grad()
def write_similarities(
    latents: Sequence[str | Path],
    class_means: Files,
    bins: str | Path,
    shared: str | Path,
    out: str | Path,
    members: int,
) -> None:
    """Write cosine similarities of z_W (max snapshots) and z_proj (all snapshots) for the first members of each part.

    The inputs are latents, one file per part, and those of the shared encoder. The CSV has the columns ``part``,
    ``weights_member``, ``pair_member``, ``pair_snapshot`` and ``cosine``.
    """
    module, rows = load_predictor(shared), []
    for path in latents:
        pairs = load_pairs(path, class_means, bins)
        first = first_members(pairs.snapshots, members)
        chosen = np.flatnonzero(first & (pairs.snapshots["order"] == 0))
        datasets, positions, codes = pairs.batch(torch.from_numpy(chosen), random=False)
        snapshots = pairs.snapshots.iloc[chosen].reset_index(drop=True)
        projections = functional.normalize(module(datasets, positions), dim=1)
        cosine = (functional.normalize(codes, dim=1) @ projections.T).numpy()
        for i in np.flatnonzero(snapshots["snapshot"] == "max"):
            for j, pair in snapshots.iterrows():
                about = {"part": part_of(path), "weights_member": snapshots["member"][i]}
                about |= {"pair_member": pair["member"], "pair_snapshot": pair["snapshot"]}
                rows.append({**about, "cosine": cosine[i, j]})
    write_csv(out, pd.DataFrame(rows))
