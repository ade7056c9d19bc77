"""The scale of a head sets its loss: what the generator reaches requested outcomes by."""

import numpy as np
import torch
from torch.nn import functional

SCALES = torch.logspace(-2.5, 1.5, 81)


def loss_curve(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy (nats) of logits (n, C) at each of ``SCALES``."""
    scaled = SCALES[:, None, None] * logits
    return (
        functional.cross_entropy(scaled.flatten(0, 1), labels.repeat(len(SCALES)), reduction="none")
        .view(len(SCALES), -1)
        .mean(1)
    )


def scale_for(loss: float, curve: torch.Tensor) -> float:
    """Return the scale of a head at which its loss is the one asked for, or its lowest where that is out of reach.

    Scaling a head up from 0 takes its loss from log C down to a minimum, as training does.
    """
    best = int(curve.argmin())
    falling = curve[: best + 1].numpy()
    if loss <= falling[-1]:
        return float(SCALES[best])
    # Ascending losses for interpolation; what lies above the first is a head of nearly zeros.
    return float(np.exp(np.interp(loss, falling[::-1], np.log(SCALES[: best + 1].numpy())[::-1])))
