"""Zoos in the layouts of their authors: Ray Tune (Schürholt et al. 2022) and WeightCLIP."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn


class Block(nn.Module):
    """A residual block with a module `shortcut`."""

    def __init__(self, into: int, out: int, stride: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(into, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        short = nn.Sequential(nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.shortcut = short if into != out else nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = self.bn1(self.conv1(images)).relu()
        return (self.bn2(self.conv2(hidden)) + self.shortcut(images)).relu()


class SlimResNet(nn.Module):
    """A narrow ResNet-18 for images of 32 pixels; its head has the given name."""

    def __init__(self, width: int = 2, classes: int = 3, head: str = "fc"):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        into = width
        for stage in range(4):
            out = width * 2**stage
            blocks = nn.Sequential(Block(into, out, 2 if stage else 1), Block(out, out, 1))
            self.add_module(f"layer{stage + 1}", blocks)
            into = out
        self.add_module(head, nn.Linear(into, classes))
        self.head = head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = self.bn1(self.conv1(images)).relu()
        for stage in range(4):
            hidden = getattr(self, f"layer{stage + 1}")(hidden)
        return getattr(self, self.head)(hidden.mean((2, 3)))


def small_cnn(classes: int = 3) -> nn.Module:
    """Return the zoos' small CNN, a list of modules without batch normalisation."""
    layers = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.Flatten(), nn.Linear(12, 5), nn.Linear(5, classes)]
    network = nn.Module()
    network.module_list = nn.ModuleList(layers)
    return network


def states(make, seed: int, count: int) -> list[dict[str, torch.Tensor]]:
    """Return state dicts of a network that takes random steps from a random start."""
    torch.manual_seed(seed)
    network, states = make(), []
    for _ in range(count):
        with torch.no_grad():
            for value in network.state_dict().values():
                value += torch.rand_like(value) * 0.1 if value.is_floating_point() else 10
        states.append({name: value.clone() for name, value in network.state_dict().items()})
    return states


def results(seed: int, epoch: int, unit: float = 1.0) -> dict[str, float]:
    """Return the results of an epoch of a run; no two are equal."""
    loss = {part: seed + i / 10 + 1 / (epoch + 1) for i, part in enumerate(("train", "val", "test"))}
    accuracy = {part: unit * (epoch + 1 + seed / 100 + i / 1000) / 100 for i, part in enumerate(loss)}
    return {f"{part}_loss": loss[part] for part in loss} | {f"{part}_acc": accuracy[part] for part in loss}


def write_run(folder: Path, weights: dict[str, dict[str, torch.Tensor]], lines: list[dict], params: dict) -> Path:
    """Write a run's folder, with ``weights`` by the names of its checkpoints' folders."""
    folder.mkdir(parents=True)
    (folder / "params.json").write_text(json.dumps(params))
    (folder / "result.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name, state in weights.items():
        (folder / name).mkdir()
        torch.save(state, folder / name / "checkpoints")
        torch.save({"param_groups": []}, folder / name / "optimizer")
    return folder


def ray_run(zoo: Path, seed: int, make=SlimResNet, epochs=(5, 10), last: int = 10, **changes) -> Path:
    """Write a run as Ray Tune does: the first line is the start, and numbers of checkpoints have six digits."""
    params = {"seed": seed, "optim::lr": 1e-3 * seed, "optim::optimizer": "adam", "training::batchsize": 8}
    params |= {"training::epochs_train": last, "model::o_dim": 10, "model::type": "Resnet18", **changes}
    lines = [{**results(seed, e), "training_iteration": e, "config": params} for e in range(last + 1)]
    path = states(make, seed, len(epochs))
    weights = {f"checkpoint_{epoch:06d}": state for epoch, state in zip(epochs, path, strict=True)}
    return write_run(zoo / f"NN_tune_trainable_ab12c_{seed:05d}_{seed}_seed={seed}_2022-08-23", weights, lines, params)


def weightclip_run(zoo: Path, seed: int, make=SlimResNet, epochs=(3, 4), last: int = 4) -> Path:
    """Write a run as WeightCLIP does: percent, epochs from 0 under `epoch`, other keys."""
    params = {"seed": seed, "num_epochs": last + 1, "batch_size": 256, "lr": 0.05, "weight_decay": 5e-4}
    params |= {"momentum": 0.9, "width_mult": 0.5, "model::type": "ResNet18Slim", "model::o_dim": 10}
    lines = [{"epoch": e, **results(seed, e, 100.0), "learning_rate": 0.05} for e in range(last + 1)]
    path = states(make, seed, len(epochs))
    weights = {f"checkpoint_{epoch:06d}": state for epoch, state in zip(epochs, path, strict=True)}
    return write_run(zoo / f"NN_tune_trainable_seed={seed}", weights, lines, params)


class Evil:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def zoos():
    """Functions that create zoos: ``zoos.ray_run``, ``zoos.weightclip_run``, ``zoos.SlimResNet``, ..."""
    from types import SimpleNamespace

    names = (ray_run, weightclip_run, write_run, results, states, small_cnn, SlimResNet, Evil)
    return SimpleNamespace(**{entry.__name__: entry for entry in names})


@pytest.fixture
def ray(zoos, tmp_path):
    """A zoo in Ray Tune's layout: four runs of two snapshots."""
    for seed in range(4):
        zoos.ray_run(tmp_path / "ray", seed)
    return tmp_path / "ray"


def folder_of(zoo: Path, seed: int) -> Path:
    """Return the folder of a run."""
    return next(path for path in zoo.iterdir() if path.name.endswith(f"seed={seed}") or f"seed={seed}_" in path.name)
