"""A learned encoder of sets of images in place of the plain mean (Zaheer et al. 2017, "Deep Sets")."""

from collections.abc import Sequence
from pathlib import Path

import open_clip
import torch
from torch import nn
from torch.nn import functional

from wsl.datasets.clip import Clip
from wsl.errors import DataError
from wsl.files import new_hdf5, open_hdf5, write_csv
from wsl.fitting import fit, mlp
from wsl.progress import NOWHERE, Progress
from wsl.recipe import Recipe
from wsl.tensors import read_tensors, write_tensors

VALIDATION_DRAWS = 8  # pairs of subsets a class; with fewer the draw decides which epoch is kept


class SetEncoder(nn.Module):
    """A set's embedding: rho(mean of phi(x)) over its images x.

    phi is CLIP, frozen, and a residual MLP on its features; rho is linear, and since a linear map of a mean is the mean
    of the map, it is phi's last layer here. So the mean of the images' outputs *is* the set's embedding, for every
    subset: order plays no part, and any number of images will do. The MLP's last layer starts at zero, so that the
    encoder starts as the mean of CLIP's normalised features and learns what to add.

    Args:
        features: numbers in a CLIP feature, and in an embedding.
        hidden: sizes of the MLP's hidden layers.
        dropout: after each hidden layer.
    """

    def __init__(self, features: int, hidden: Sequence[int], dropout: float):
        super().__init__()
        self.shape = {"features": features, "hidden": list(hidden), "dropout": dropout}
        self.register_buffer("centre", torch.zeros(features))
        self.register_buffer("scale", torch.ones(()))
        self.correction = mlp([features, *hidden, features], dropout)
        nn.init.zeros_(self.correction[-1].weight)
        nn.init.zeros_(self.correction[-1].bias)

    def standardise_by(self, features: torch.Tensor) -> None:
        """Take the centre, and one scale for all numbers, of CLIP features (n, features) of training images."""
        unit = functional.normalize(features, dim=1)
        self.centre.copy_(unit.mean(0))
        self.scale.copy_((unit - self.centre).square().mean().sqrt())

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return each image's share (n, features) of an embedding; the mean over a set is the set's."""
        inputs = (functional.normalize(features, dim=1) - self.centre) / self.scale
        return inputs + self.correction(inputs)


def fit_set_encoder(
    packed: Sequence[str | Path],
    clip: Sequence[str | Path],
    out: str | Path,
    history: str | Path,
    hidden: Sequence[int],
    dropout: float,
    temperature: float,
    images: int,
    recipe: Recipe,
    model: str,
    weights: str | None,
    batch_size: int,
    seed: int,
    device: str = "cpu",
    threads: int = 1,
    progress: Progress = NOWHERE,
) -> None:
    """Train the encoder so that two subsets of one class's images embed alike and those of other classes apart.

    Contrastive cross-entropy in both directions between two disjoint random subsets of each class of a batch. Subsets
    of training images train it, subsets of validation images choose the epoch.

    Args:
        packed, clip: packed images and CLIP features, a file a class that training members or the backbone use.
        out: safetensors file; history: CSV, a row an epoch.
        hidden, dropout: see ``SetEncoder``.
        temperature: of the loss.
        images: most images in a subset; sizes are uniform from 1.
        recipe: see ``wsl.recipe.Recipe``; its batch size counts classes.
        model, weights: see ``wsl.datasets.clip.Clip``; batch_size: images a forward pass of it.
        seed: of weights, batches, subsets and, where CLIP is random, of CLIP.
        device: ``cpu`` or ``cuda``; threads: CPU threads.
        progress: keeps states of the fit, and gives the one to go on from.

    Raises:
        DataError: a class is too small to have two subsets.
    """
    torch.set_num_threads(threads)
    encoder = Clip(model, weights, seed, device)
    features = {
        "train": [_two_or_more(_features(path), path).to(device) for path in clip],
        "validation": [_two_or_more(_validation_features(encoder, path, batch_size), path) for path in packed],
    }
    torch.manual_seed(seed)
    module = SetEncoder(features["train"][0].shape[1], hidden, dropout).to(device)
    module.standardise_by(torch.cat(features["train"]))
    contrast = open_clip.ClipLoss()

    def loss_of(part: str, rows: torch.Tensor) -> torch.Tensor:
        fixed = part == "validation"
        generator = torch.Generator().manual_seed(int(rows[0])) if fixed else torch.default_generator
        classes = [features[part][row % len(clip)] for row in rows.tolist()]
        first, second = embed_subsets(module, classes, images, generator)
        return contrast(first, second, 1 / temperature)

    # A batch holds no class twice: it would be its own negative.
    recipe = recipe.model_copy(update={"batch_size": min(recipe.batch_size, len(clip))})
    counts = {"train": len(clip), "validation": len(clip) * VALIDATION_DRAWS}
    write_csv(history, fit(module, loss_of, counts, recipe, seed, progress=progress))
    write_tensors(out, module.state_dict(), module.shape)


def embed_subsets(
    module: nn.Module, classes: Sequence[torch.Tensor], most: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return embeddings of length 1, (classes, features) twice: of two disjoint random subsets of each class.

    Args:
        classes: CLIP features (n, features) of each class; n may differ.
        most: images in a subset; never more than half of a class.
    """
    rows, owners = [], []
    for place, features in enumerate(classes):
        sizes = torch.randint(1, min(most, len(features) // 2) + 1, (2,), generator=generator)
        chosen = torch.randperm(len(features), generator=generator)[: int(sizes.sum())]
        rows.append(features[chosen.to(features.device)])
        owners.append(torch.tensor([place, place + len(classes)]).repeat_interleave(sizes))
    outputs, owner = module(torch.cat(rows)), torch.cat(owners).to(rows[0].device)
    sums = outputs.new_zeros(2 * len(classes), outputs.shape[1]).index_add(0, owner, outputs)
    return functional.normalize(sums, dim=1).chunk(2)  # a mean's direction is its sum's


@torch.no_grad()
def embed_set(clip: str | Path, encoder: str | Path, out: str | Path, threads: int = 1) -> None:
    """Write a class file of the encoder's: ``mean`` is the embedding of all training images.

    Args:
        clip: the class's CLIP features, see ``wsl.datasets.class_means.embed_classes``.
        encoder: see ``fit_set_encoder``.
        out: HDF5 file with ``mean`` (features,) and ``features`` (images, features), such that the mean of the first n
            rows is the embedding of the first n images. It has no ``text``: the encoder reads images.
    """
    torch.set_num_threads(threads)
    outputs = load_set_encoder(encoder)(_features(clip))
    with open_hdf5(clip) as source, new_hdf5(out) as file:
        file.attrs.update(source.attrs)
        file.attrs["encoder"] = "set"
        file.create_dataset("mean", data=outputs.double().mean(0).float().numpy())
        file.create_dataset("features", data=outputs.numpy())


def load_set_encoder(path: str | Path) -> SetEncoder:
    """Return a trained encoder, for evaluation."""
    state, shape = read_tensors(path)
    module = SetEncoder(**shape)
    module.load_state_dict(state)
    return module.eval()


def _features(clip: str | Path) -> torch.Tensor:
    with open_hdf5(clip) as file:
        return torch.from_numpy(file["features"][...])


def _validation_features(encoder: Clip, packed: str | Path, batch_size: int) -> torch.Tensor:
    with open_hdf5(packed) as file:
        images = torch.from_numpy(file["validation"][...]).permute(0, 3, 1, 2)
    return torch.cat([encoder.features(batch) for batch in images.split(batch_size)])


def _two_or_more(features: torch.Tensor, path: str | Path) -> torch.Tensor:
    if len(features) < 2:
        raise DataError(
            f"{path}: one image cannot make two subsets; add images, change images.validation_share, "
            "or choose another datasets.encoder"
        )
    return features
