"""The encoder `nearest` decodes to the training snapshot that NumPy finds nearest."""

import numpy as np
import pytest
import torch

from tests.weights.conftest import LAYOUT
from wsl.errors import DataError
from wsl.weights.encoders import nearest
from wsl.weights.fitted import load_encoder


@pytest.fixture(scope="module")
def encoder(train_encoder, linear):
    return load_encoder(train_encoder("nearest")[0], linear)


def test_training_snapshots_are_exact_and_others_become_the_nearest(encoder, weights, held_out):
    assert encoder.latent == 1
    known = torch.from_numpy(weights)
    assert torch.equal(encoder.decode(encoder.encode(known)), known)

    def apart(a, b):
        """Squared distance in which each named parameter is in units of its deviation."""
        total = 0.0
        for entry in LAYOUT.entries:
            centred = weights[:, entry.columns] - weights[:, entry.columns].mean(0)
            unit = np.square(centred).mean() or 1.0
            total += np.square(a[entry.columns] - b[entry.columns]).sum() / unit
        return total

    expected = [np.argmin([apart(one, other) for other in weights]) for one in held_out]
    latents = encoder.encode(torch.from_numpy(held_out))
    assert latents[:, 0].tolist() == expected
    assert encoder.decode(latents).numpy().tolist() == weights[expected].tolist()


def test_a_zoo_that_is_too_large_is_refused_with_the_remedy(train_encoder, monkeypatch):
    monkeypatch.setattr(nearest, "MOST", 100)
    with pytest.raises(DataError, match=r"at most 100; leave it out, lower zoo\.training"):
        train_encoder("nearest")
