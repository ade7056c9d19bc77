"""The behaviour loss of every encoder that is fitted by gradient steps."""

import pytest
import torch

from wsl.files.tensors import read_tensors
from wsl.weights.encoders.base import WEIGHT_ENCODERS, TrainedEncoder

SMALL = {"sane": {"latent": 1000}, "ae-pca": {"hidden": [8], "components": 4}}
TRAINED = [name for name in WEIGHT_ENCODERS if issubclass(WEIGHT_ENCODERS[name], TrainedEncoder)]


@pytest.mark.parametrize("name", TRAINED)
def test_a_behaviour_loss_changes_the_encoder(train_encoder, pca_files, packed, name):
    """Images are drawn with the random numbers of torch, so both fits are compared with a weight above 0."""
    tensors = []
    for weight in (1e-6, 5.0):
        settings = {"name": name, "epochs": 1, "keep": "last", **SMALL.get(name, {}), "behaviour": weight}
        settings |= {"behaviour_queries": 2, "behaviour_measure": "probabilities"}
        (path, *_) = train_encoder(settings, packed=list(packed.values()), **pca_files)
        tensors.append(read_tensors(path)[0])
    assert all(values.isfinite().all() for values in tensors[1].values())
    assert any(not torch.equal(*(state[key] for state in tensors)) for key in tensors[0])
