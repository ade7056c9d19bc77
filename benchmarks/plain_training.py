"""Training as in public zoo scripts: one process per member, with a DataLoader or tensors in memory."""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from wsl.images.reading import MEAN, STD
from wsl.zoo.architectures.resnet18 import ResNet18

WORKERS = 2
TO_TENSOR = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]


def loaders(folder: Path, size: int, batch_size: int) -> tuple[Iterable, Iterable]:
    """Return training and validation batches that are decoded from JPEG in each epoch."""
    moves = [v2.RandomHorizontalFlip(), v2.RandomCrop(size, padding=size // 8, padding_mode="edge")]
    training = ImageFolder(folder / "train", v2.Compose([*moves, *TO_TENSOR]))
    validation = ImageFolder(folder / "val", v2.Compose(TO_TENSOR))
    shared = {"num_workers": WORKERS, "persistent_workers": True}
    return (
        DataLoader(training, batch_size, shuffle=True, drop_last=True, **shared),
        DataLoader(validation, 512, **shared),
    )


def in_memory(folder: Path, size: int, batch_size: int, augment: bool = True) -> tuple[Iterable, Iterable]:
    """Return batches of tensors that are decoded and normalised once, and augmented per batch."""
    sets = []
    for part in ("train", "val"):
        images = ImageFolder(folder / part, v2.Compose(TO_TENSOR))
        sets.append(TensorDataset(*map(torch.stack, zip(*((x, torch.tensor(y)) for x, y in images), strict=True))))
    moves = v2.Compose([v2.RandomHorizontalFlip(), v2.RandomCrop(size, padding=size // 8, padding_mode="edge")])
    moved = moves if augment else lambda batch: batch

    class Moved:
        def __iter__(self):
            images, labels = sets[0].tensors
            for batch in torch.randperm(len(images))[: len(images) // batch_size * batch_size].split(batch_size):
                yield moved(images[batch]), labels[batch]

    return Moved(), DataLoader(sets[1], 512)


def unmoved(folder: Path, size: int, batch_size: int) -> tuple[Iterable, Iterable]:
    """Return batches of tensors in memory without augmentation."""
    return in_memory(folder, size, batch_size, augment=False)


def train(
    batches: tuple[Iterable, Iterable], width: int, classes: int, epochs: int, seed: int, out: Path, device: str
) -> float:
    """Train one member (SGD), evaluate it each epoch, save its weights twice, and return its validation accuracy."""
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = True
    network = ResNet18(width=width).build(classes, None).to(device)
    network.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)  # torchvision's; ours is faster
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    loss_of = nn.CrossEntropyLoss()
    for epoch in range(1, epochs + 1):
        network.train()
        total = 0.0
        for images, labels in batches[0]:
            optimizer.zero_grad()
            loss = loss_of(network(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            total += loss.item()
        network.eval()
        with torch.no_grad():
            answers = [network(images.to(device)).argmax(1).cpu() == labels for images, labels in batches[1]]
        accuracy = torch.cat(answers).float().mean().item()
        if epoch in (1, epochs):
            torch.save({"state": network.state_dict(), "loss": total, "accuracy": accuracy}, out)
    return accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["loaders", "in_memory", "unmoved"])
    parser.add_argument("folder", type=Path)
    for name in ("size", "width", "batch_size", "epochs", "threads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--seed", type=int, nargs="+", required=True, help="of each member")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    kinds = {"loaders": loaders, "in_memory": in_memory, "unmoved": unmoved}
    made = kinds[given.kind](given.folder, given.size, given.batch_size)
    classes = len(list((given.folder / "train").iterdir()))
    reached = []
    for seed in given.seed:
        out = given.folder / f"{given.kind}-{seed}.pt"
        reached.append(train(made, given.width, classes, given.epochs, seed, out, given.device))
    print(json.dumps(reached))
