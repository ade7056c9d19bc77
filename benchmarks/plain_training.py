"""The strongest plain way to train a zoo: one member after the other on tensors in memory, with all of torch's speed.

Images are decoded and normalised once. On a CPU, images and networks are in channels_last order. Updates are fused.

plain_training.py FOLDER JSON    (arguments of ``train``; prints accuracy and seconds of processor time per member)
"""

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from wsl.images.reading import MEAN, STD
from wsl.zoo.settings import MemberTraining

TO_TENSOR = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]


def in_memory(folder: Path, size: int, batch_size: int, augment: bool) -> tuple[Iterable, Iterable]:
    """Return batches of tensors that are decoded and normalised once, and augmented per batch."""
    sets = []
    for part in ("train", "val"):
        images = ImageFolder(folder / part, v2.Compose(TO_TENSOR))
        inputs, labels = map(torch.stack, zip(*((x, torch.tensor(y)) for x, y in images), strict=True))
        sets.append(TensorDataset(inputs.contiguous(memory_format=torch.channels_last), labels))
    moves = v2.Compose([v2.RandomHorizontalFlip(), v2.RandomCrop(size, padding=size // 8, padding_mode="edge")])
    moved = moves if augment else lambda batch: batch

    class Moved:
        def __iter__(self):
            images, labels = sets[0].tensors
            for batch in torch.randperm(len(images))[: len(images) // batch_size * batch_size].split(batch_size):
                yield moved(images[batch]), labels[batch]

    return Moved(), DataLoader(sets[1], 512)


def train(batches: tuple[Iterable, Iterable], recipe: dict[str, Any], seed: int, out: Path) -> float:
    """Train one member, evaluate it each epoch, save its weights twice, and return its validation accuracy."""
    torch.manual_seed(seed)
    device, epochs = recipe.get("device", "cpu"), recipe["epochs"]
    torch.backends.cudnn.benchmark = True
    architecture, classes = MemberTraining(architecture=recipe["architecture"]).architecture, recipe["classes"]
    network = architecture.network(classes, recipe["size"])
    if architecture.name == "resnet18":
        network.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)  # torchvision's, fast in channels_last order
    if device == "cpu":
        network = network.to(memory_format=torch.channels_last)
    network = network.to(device)
    kind, momentum = {"adam": (torch.optim.Adam, {}), "sgd": (torch.optim.SGD, {"momentum": 0.9})}[recipe["optimizer"]]
    rates = {"lr": recipe["learning_rate"], "weight_decay": recipe["weight_decay"]}
    optimizer = kind(network.parameters(), **rates, **momentum, fused=True)
    loss_of = nn.CrossEntropyLoss()
    for epoch in range(1, epochs + 1):
        network.train()
        total = torch.zeros((), device=device)
        for images, labels in batches[0]:
            optimizer.zero_grad()
            loss = loss_of(network(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            total += loss.detach()
        network.eval()
        with torch.no_grad():
            answers = [network(images.to(device)).argmax(1).cpu() == labels for images, labels in batches[1]]
        accuracy = torch.cat(answers).float().mean().item()
        if epoch in (1, epochs):
            torch.save({"state": network.state_dict(), "loss": total.item(), "accuracy": accuracy}, out)
    return accuracy


if __name__ == "__main__":
    folder, recipe = Path(sys.argv[1]), json.loads(sys.argv[2])
    torch.set_num_threads(1)
    made = in_memory(folder, recipe["size"], recipe["batch_size"], recipe.get("augment", False))
    recipe["classes"], reached = len(list((folder / "train").iterdir())), []
    for seed in recipe["seeds"]:
        begun = time.process_time()
        accuracy = train(made, recipe, seed, folder / f"plain-{seed}.pt")
        reached.append((accuracy, time.process_time() - begun))
    print(json.dumps(reached))
