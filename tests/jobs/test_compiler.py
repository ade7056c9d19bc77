"""Optimisers and layouts of networks without torch's compiler."""

import subprocess
import sys

STEPS = """
import sys, torch
from wsl.jobs.compiler import avoid_compiler
from wsl.zoo.settings import MemberTraining
compiled = len(sys.argv) > 1
layout = MemberTraining(architecture="resnet18").architecture.layout(3, 32)
assert compiled or layout.size > 100_000 and "torch.fx.experimental.symbolic_shapes" not in sys.modules
compiled or avoid_compiler()
for kind, settings in (("Adam", {}), ("AdamW", {"weight_decay": 0.1}), ("SGD", {"momentum": 0.9})):
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 2)
    optimizer = getattr(torch.optim, kind)(network.parameters(), lr=0.1, **settings)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 3)
    for _ in range(3):
        optimizer.zero_grad()
        network(torch.ones(4, 3)).square().sum().backward()
        optimizer.step()
        schedule.step()
    optimizer.load_state_dict(optimizer.state_dict())
    print(kind, *network.weight.flatten().tolist(), network.weight.requires_grad)
assert compiled or "torch._dynamo" not in sys.modules
"""


def test_optimisers_take_the_same_steps_without_the_compiler():
    spared, usual = (
        subprocess.run([sys.executable, "-c", STEPS, *more], capture_output=True, text=True) for more in ([], ["usual"])
    )
    assert spared.returncode == usual.returncode == 0, spared.stderr + usual.stderr
    assert spared.stdout == usual.stdout and spared.stdout.count("True") == 3
