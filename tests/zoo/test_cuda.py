"""Members on a GPU."""

import pytest
import torch

from tests.conftest import plan_row
from wsl.jobs.job import Job
from wsl.zoo.cohort import train_cohort
from wsl.zoo.member import read_members
from wsl.zoo.settings import MemberTraining
from wsl.zoo.training import Training

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here"),
]
SETTINGS = MemberTraining(architecture={"width": 8}, augment=True)
PLANS = [plan_row(number, "012", optimizer="sgd", learning_rate=1e-3) for number in range(3)]


@pytest.mark.parametrize(("precision", "within"), [("float32", 0.02), ("bfloat16", 0.1)])
def test_a_cohort_ends_where_its_members_do_on_the_cpu(packed, tmp_path, precision, within):
    losses, settings = {}, SETTINGS.model_copy(update={"precision": precision})
    for device in ("cpu", "cuda"):
        out = tmp_path / f"{device}.h5"
        train_cohort([packed[name] for name in "012"], out, PLANS, settings, job=Job(device))
        losses[device] = [member.history["train_loss"].tolist() for member in read_members(out)]
    # Rounding differs between devices, and training amplifies it: by the third epoch losses differ by 5 % and more.
    for cpu, cuda in zip(losses["cpu"], losses["cuda"], strict=True):
        assert cpu[:2] == pytest.approx(cuda[:2], rel=within)


def test_only_convolutions_in_training_compute_in_bfloat16(packed):
    dtypes = {True: set(), False: set()}
    files = [packed[name] for name in "012"]
    training = Training(files, PLANS[0], SETTINGS.model_copy(update={"precision": "bfloat16"}), device="cuda")
    conv = training.network.layer1[0].conv1
    conv.register_forward_hook(lambda module, _, out: dtypes[module.training].add(out.dtype))
    training.run()
    assert dtypes == {True: {torch.bfloat16}, False: {torch.float32}}
    assert {value.dtype for value in training.network.parameters()} == {torch.float32}
