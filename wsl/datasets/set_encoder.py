"""A learned encoder of sets of images (Zaheer et al. 2017, "Deep Sets"): the dataset encoder `set`."""

from collections.abc import Sequence
from pathlib import Path

import open_clip
import torch
from torch import nn
from torch.nn import functional

from wsl.datasets.clip import Clip
from wsl.datasets.encoders.base import ClassFiles
from wsl.datasets.settings import ClipModel
from wsl.errors import DataError
from wsl.files.hdf5 import new_hdf5, open_hdf5
from wsl.files.plain import write_csv
from wsl.files.tensors import read_tensors, write_tensors
from wsl.images.inputs import load_task
from wsl.jobs.job import Job
from wsl.training.fitting import fit, mlp
from wsl.training.recipe import Recipe

RECIPE = Recipe(learning_rate=3e-4, batch_size=32, epochs=100)  # classes per batch
HIDDEN = [256]  # sizes of the hidden layers
DROPOUT = 0.5
TEMPERATURE = 0.1  # of the contrastive loss
IMAGES = 32  # maximum number of images in a random subset; sizes are uniform from 1
VALIDATION_DRAWS = 8  # pairs of subsets per class; with fewer, the choice of the epoch is noise


class SetEncoder(nn.Module):
    """The embedding of a set: rho(mean of phi(x)) over its images x.

    phi is CLIP, frozen, followed by a residual MLP. rho is linear, and since a linear map commutes with the mean, it is
    the last layer of phi here: the mean of the outputs of images is the embedding of their set. The last layer of the
    MLP starts at zero, so that training starts from the mean of CLIP's normalised features. An embedding has the size
    of a CLIP feature, ``features``.
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
        """Set the centre, and one scale for all numbers, from CLIP features (n, features) of training images."""
        unit = functional.normalize(features, dim=1)
        self.centre.copy_(unit.mean(0))
        self.scale.copy_((unit - self.centre).square().mean().sqrt())

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return outputs (n, features) of images, whose mean is the embedding of the set."""
        inputs = (functional.normalize(features, dim=1) - self.centre) / self.scale
        return inputs + self.correction(inputs)


def fit_set_encoder(
    inputs: ClassFiles,
    out: str | Path,
    history: str | Path,
    model: ClipModel,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Train the encoder so that subsets of one class have similar embeddings, and those of different classes do not.

    The loss is the contrastive cross-entropy of CLIP, in both directions, between two disjoint random subsets of each
    class of a batch. It is not NT-Xent, whose denominator also contains the pairs within each side. Subsets of training
    images train the encoder, subsets of validation images choose the epoch. ``history`` has one row per epoch.

    Raises:
        DataError: a class is too small for two subsets.
    """
    torch.set_num_threads(job.threads)
    clip = Clip(model.model, model.weights, job.seed, job.device)
    features = {
        "train": [_features(path).to(job.device) for path in inputs.clip],
        "validation": [clip.features(load_task([path], "validation")[0]) for path in inputs.packed],
    }
    for path, rows in zip([*inputs.clip, *inputs.packed], [*features["train"], *features["validation"]], strict=True):
        if len(rows) < 2:
            raise DataError(
                f"{path}: one image is too few for two subsets; add images, change images.validation_share, "
                "or choose another datasets.encoder"
            )
    torch.manual_seed(job.seed)
    module = SetEncoder(features["train"][0].shape[1], HIDDEN, DROPOUT).to(job.device)
    module.standardise_by(torch.cat(features["train"]))
    contrast, count = open_clip.ClipLoss(), len(inputs.clip)

    def loss_of(part: str, rows: torch.Tensor) -> torch.Tensor:
        fixed = part == "validation"
        generator = torch.Generator().manual_seed(int(rows[0])) if fixed else torch.default_generator
        classes = [features[part][row % count] for row in rows.tolist()]
        return contrast(*embed_subsets(module, classes, IMAGES, generator), 1 / TEMPERATURE)

    # A batch must not contain a class twice: it would be its own negative.
    recipe = RECIPE.model_copy(update={"batch_size": min(RECIPE.batch_size, count)})
    counts = {"train": count, "validation": count * VALIDATION_DRAWS}
    write_csv(history, fit(module, loss_of, counts, recipe, job.seed, progress=job.progress))
    write_tensors(out, module.state_dict(), module.shape)


def embed_subsets(
    module: nn.Module, classes: Sequence[torch.Tensor], most: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return embeddings of two disjoint random subsets of each class, (classes, features) each, of length 1.

    ``classes`` are CLIP features (n, features); subsets have at most ``most`` images and half of n.
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
def embed_set(inputs: ClassFiles, out: str | Path, model: ClipModel, job: Job = Job()) -> None:  # noqa: B008
    """Write a class file with the outputs of the encoder, ``features``, and their ``mean``.

    The mean of the first n rows of ``features`` is the embedding of the first n images. There is no ``text``, since the
    encoder only reads images. ``model`` is not used.
    """
    torch.set_num_threads(job.threads)
    outputs = load_set_encoder(inputs.encoder)(_features(inputs.clip))
    with open_hdf5(inputs.clip) as source, new_hdf5(out) as file:
        file.attrs.update(source.attrs)
        file.attrs["encoder"] = "set"
        file.create_dataset("mean", data=outputs.double().mean(0).float().numpy())
        file.create_dataset("features", data=outputs.numpy())


def load_set_encoder(path: str | Path) -> SetEncoder:
    """Load a trained encoder, in evaluation mode."""
    state, shape = read_tensors(path)
    module = SetEncoder(**shape)
    module.load_state_dict(state)
    return module.eval()


def _features(clip: str | Path) -> torch.Tensor:
    with open_hdf5(clip) as file:
        return torch.from_numpy(file["features"][...])
