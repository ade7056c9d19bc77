"""Jobs on the GPU of a Mac, pretended: no tensor there has float64, which it lacks."""

import pytest
import torch
from mps import PretendedMps

from wsl.jobs.job import Job
from wsl.zoo.settings import MemberTraining
from wsl.zoo.training import train_member


@pytest.fixture
def mps():
    with PretendedMps() as mode:
        yield mode


def test_the_pretended_device_refuses_float64_and_numpy(mps):
    there = torch.ones(3).to("mps")
    assert there.device.type == "mps" and (there + 1).device.type == "mps" and (there + 1).cpu().device.type == "cpu"
    assert (there + 1).cpu().numpy().tolist() == [2, 2, 2]
    for wrong in (there.double, there.numpy, lambda: torch.zeros(3, dtype=torch.float64, device="mps")):
        with pytest.raises(TypeError):
            wrong()


def test_a_member(mps, packed, tmp_path):
    from tests.conftest import plan_row

    train_member(
        [packed[n] for n in "012"],
        tmp_path / "m.h5",
        plan_row(),
        MemberTraining(architecture={"width": 2}),
        job=Job("mps"),
    )
    print(sorted(mps.functions))
