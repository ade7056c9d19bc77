"""Jobs on the GPU of a Mac, pretended: no tensor there is of float64, which it lacks."""

import platform

import numpy as np
import pytest
import torch
from mps import PretendedMps

from tests.conftest import ADAMW, plan_row
from wsl.jobs import devices
from wsl.jobs.devices import describe_devices, lease
from wsl.jobs.job import Job
from wsl.shared.settings import Shared
from wsl.shared.training import train_shared
from wsl.weights.encoders.base import EncoderInputs
from wsl.weights.settings import EncoderFit
from wsl.weights.training import train_weight_encoder
from wsl.zoo.cohort import train_cohort
from wsl.zoo.member import read_member
from wsl.zoo.settings import MemberTraining

ONE_EPOCH = {"early_epoch": 1, "max_epoch": 1}


@pytest.fixture
def mps():
    with PretendedMps() as mode:
        yield mode


def test_the_pretended_device_refuses_what_mps_refuses(mps):
    there = torch.ones(3).to("mps")
    assert there.device.type == "mps" and (there + 1).device.type == "mps" and (there + 1).cpu().device.type == "cpu"
    assert (there + 1).cpu().numpy().tolist() == [2, 2, 2]
    for wrong in (there.double, there.numpy, lambda: torch.zeros(3, dtype=torch.float64, device="mps")):
        with pytest.raises(TypeError):
            wrong()


def test_members_are_those_of_the_cpu(packed, tmp_path):
    images, settings = [packed[name] for name in "012"], MemberTraining(architecture={"width": 2})
    train_cohort(images, tmp_path / "cpu.h5", [plan_row(**ONE_EPOCH)], settings)
    with PretendedMps() as mps:
        train_cohort(images, tmp_path / "mps.h5", [plan_row(**ONE_EPOCH)], settings, job=Job("mps"))
    assert {"conv2d", "cross_entropy"} <= mps.functions
    here, there = (read_member(tmp_path / f"{name}.h5").weights for name in ("cpu", "mps"))
    np.testing.assert_array_equal(here, there)


def test_a_weight_encoder(mps, zoo, coefficients, fitted, tmp_path):
    inputs = EncoderInputs(zoo.train, zoo.validation, coefficients["train"], coefficients["validation"], fitted)
    out = (tmp_path / "state.safetensors", tmp_path / "history.csv", tmp_path / "states.safetensors")
    settings = {"name": "pca-ae", "latent": 4, **ADAMW, "epochs": 2}
    train_weight_encoder(inputs, *out, EncoderFit(encoder=settings), job=Job("mps"))
    assert "linear" in mps.functions


def test_the_shared_encoder(mps, autoencoder, class_means, bins, tmp_path):
    out = (tmp_path / "state.safetensors", tmp_path / "history.csv")
    files = (autoencoder.latents["train"], autoencoder.latents["validation"], list(class_means.values()), bins, *out)
    train_shared(*files, Shared(outcome_embedding=4, hidden=[16], **{**ADAMW, "epochs": 2}), job=Job("mps"))
    assert "linear" in mps.functions


@pytest.mark.parametrize(("works", "device"), [(True, "mps"), (False, "cpu")])
def test_a_mac_leases_its_gpu(works, device, monkeypatch, tmp_path):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: works)
    monkeypatch.delenv(devices.VISIBLE, raising=False)
    monkeypatch.delenv("PYTORCH_ENABLE_MPS_FALLBACK", raising=False)
    assert describe_devices() == "GPU mps, one per job"
    with lease() as leased:
        assert leased == device and devices.VISIBLE not in devices.os.environ
    monkeypatch.setenv(devices.VISIBLE, "")  # as on other machines, this means the CPU
    with lease() as leased:
        assert leased == "cpu"
