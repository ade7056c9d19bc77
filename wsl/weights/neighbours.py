"""Which training snapshots lie near some weights in the space of latents."""

from pathlib import Path

import numpy as np
import pandas as pd

from wsl.weights.codec import WeightCodec, read_latents


def neighbours(codec: WeightCodec, train_latents: str | Path, weights: np.ndarray, count: int) -> pd.DataFrame:
    """Return the nearest training members, the nearest first.

    Args:
        codec: of weights.
        train_latents: z_W of the training snapshots, in every class order that they have.
        weights: flat (n_weights,).
        count: how many members.

    Returns:
        A row a member, at its nearest snapshot and class order: ``cosine``, of latents as seen from the training
        snapshots' mean and in their deviations, ``member``, ``snapshot``, ``task``, ``validation_loss``,
        ``validation_accuracy``.
    """
    latents, snapshots = read_latents(train_latents)
    mean, deviation = latents.mean(axis=0), latents.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1)
    known, own = ((values - mean) / scale for values in (latents, codec.encode(weights[None])))
    lengths = np.linalg.norm(known, axis=1) * np.linalg.norm(own)
    cosines = known @ own[0] / np.maximum(lengths, 1e-12)
    columns = ["member", "snapshot", "task", "validation_loss", "validation_accuracy"]
    table = snapshots[columns].assign(cosine=cosines).sort_values("cosine", ascending=False)
    return table.drop_duplicates("member").head(count).reset_index(drop=True)
