"""The public zoos as wsl-modelzoo 0.1.1 lays them out below one folder, with networks of plain torch and timm."""

import json
from pathlib import Path

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "gelu": nn.GELU, "sigmoid": nn.Sigmoid}
CORE = Path("core-modelzoo")


class Sequence(nn.Module):
    """Modules in a list, by whose positions parameters are named."""

    def __init__(self, *modules):
        super().__init__()
        self.module_list = nn.ModuleList(modules)

    def forward(self, images):
        for module in self.module_list:
            images = module(images)
        return images


def cnn_small(activation="tanh", dropout=0.0, channels=1):
    """Return the small network of the core zoo, for 28 pixels and 10 classes."""
    act, drop = ACTIVATIONS[activation], [nn.Dropout(dropout)] if dropout else []
    first = [
        nn.Conv2d(channels, 8, 5),
        nn.MaxPool2d(2),
        act(),
        *drop,
        nn.Conv2d(8, 6, 5),
        nn.MaxPool2d(2),
        act(),
        *drop,
    ]
    second = [nn.Conv2d(6, 4, 2), act(), nn.Flatten(), nn.Linear(36, 20), act(), *drop, nn.Linear(20, 10)]
    return Sequence(*first, *second)


class Sparse(nn.Linear):
    """A linear layer of variational dropout, with a log-variance per weight."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.log_sigma2 = nn.Parameter(torch.full((outputs, inputs), -10.0))


class Transformer(nn.Module):
    """A vision transformer for 8 pixels in a module ``vit``, as in the zoo of Falk et al.; six heads, as theirs."""

    def __init__(self, classes=5, head_hidden=None, **settings):
        super().__init__()
        settings = {"img_size": 8, "patch_size": 4, "embed_dim": 12, "depth": 2, "num_heads": 6, **settings}
        self.vit = VisionTransformer(num_classes=classes, **settings)
        if head_hidden:
            self.vit.head = nn.Sequential(nn.Linear(12, head_hidden), nn.ReLU(), nn.Linear(head_hidden, classes))

    def forward(self, images):
        return self.vit(images)


def loss_of(seed, epoch):
    return round(seed + 1 / (epoch + 1), 6)


def write_run(folder, network, params, epochs, checkpoints, described="params.json", **columns):
    """Write a run; the network of checkpoint k is the given one with k added to its last bias.

    Args:
        epochs: those with results.
        checkpoints: numbers of those that were downloaded.
        columns: of each line of results besides.
    """
    folder.mkdir(parents=True)
    lines = []
    for epoch in epochs:
        loss, accuracy = loss_of(params["seed"], epoch), epoch / 100
        kinds = ("train", "test") if described == "config.json" else ("train", "test", "val")
        results = {f"{kind}_loss": loss for kind in kinds} | {f"{kind}_acc": accuracy for kind in kinds}
        lines.append({**results, "training_iteration": epoch, **columns, "config": params})
    (folder / "result.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / described).write_text(json.dumps(params))
    if described == "params.json":
        (folder / "progress.csv").write_text("train_loss,training_iteration\n1.0,0\n")
    for number in checkpoints:
        state = {name: value.clone() for name, value in network.state_dict().items()}
        state[list(state)[-1]] += number
        (folder / f"checkpoint_{number:06d}").mkdir()
        torch.save(state, folder / f"checkpoint_{number:06d}" / "checkpoints")
    return folder


def core_zoo(root, place, runs, epochs=51, checkpoints=(0, 10, 20), kind="CNN"):
    """Write a zoo of Schürholt et al. below ``root / place``, made by Ray 1.8.

    Args:
        runs: a network and hyper-parameters of each.
    """
    zoo = root / place
    zoo.mkdir(parents=True)
    (zoo / "config.json").write_text(json.dumps({"model::type": kind, "seed": {"grid_search": [1, 2]}}))
    (zoo / "index_dict.json").write_text(json.dumps({"layer": [], "idx_start": []}))
    for place, (network, about) in enumerate(runs, 1):
        params = {"model::type": kind, "model::o_dim": 10, "model::dropout": 0.0, "seed": place}
        params |= {"optim::lr": 1e-4, "training::output_epoch": 1, "training::epochs_train": epochs - 1, **about}
        folder = zoo / f"NN_tune_trainable_ab12_{place:05d}_{place}_seed={place}_2022-05-05_10-00-00"
        write_run(folder, network, params, range(epochs), checkpoints, experiment_id="f00")
    return zoo


def mnist(root, count=2):
    """Write the uniform zoo of cnn-small on MNIST."""
    about = {"model::nlin": "tanh", "model::init_type": "uniform"}
    runs = []
    for seed in range(count):
        torch.manual_seed(seed)
        runs.append((cnn_small(), about))
    return core_zoo(root, CORE / "cnn-small_mnist" / "tune_zoo_mnist_uniform", runs)


def vit_params(seed, **about):
    params = {"model::type": "vit_s_16", "model::nlin": "gelu", "model::dropout": 0, "optim::scheduler": None}
    params |= {"dataset::name": "CIFAR100", "seed": seed, "optim::lr": 1e-3, "optim::optimizer": "adamw"}
    return params | {"training::output_epoch": 1, "training::epochs_train": 6, "cuda": True, **about}


def vit_fine_tuned(root, heads=(None,), checkpoints=(0, 2, 5), **settings):
    """Write the fine-tuned half of the zoo of vision transformers: two pre-trained networks, one run for each head.

    Results count from 1, checkpoints from 0. Returns the folder and the networks by names of runs.
    """
    zoo, networks = root / "vit-modelzoo" / "vit_cifar100_finetuned", {}
    for seed in (42, 6312):
        for head in heads:
            about = {"model::head::mlp": head is not None, "model::head::hidden_dim": head, "pretraining::mode": "sl"}
            about |= {"pretraining::seed": seed, "model::head::seed": 7}
            torch.manual_seed(seed + (head or 0))
            network = Transformer(head_hidden=head, **settings)
            name = f"sl_seed_{seed}_imagenet/sl_seed_{seed}_ft_cifar100_seed_7_FCMLP_{head is not None}"
            params = vit_params(seed, **about)
            write_run(zoo / name, network, params, range(1, 7), checkpoints, "config.json")
            networks[name] = network.eval()
    return zoo, networks


def vit_pretrained(root, seeds=(42,), **about):
    """Write the pre-trained half of the zoo of vision transformers."""
    zoo = root / "vit-modelzoo" / "vit_imagenet_pretrained"
    for seed in seeds:
        torch.manual_seed(seed)
        params = vit_params(seed, **{"dataset::name": "ImageNet1K", "training::mode": "cl", **about})
        folder = zoo / f"cl_seed_{seed}_imagenet"
        write_run(folder, Transformer(num_heads=3), params, range(1, 7), (0, 5), "config.json")
    return zoo
