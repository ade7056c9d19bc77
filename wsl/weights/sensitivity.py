"""First-order effects of principal components on outputs: the ranking of components under a budget."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from wsl.files.plain import Files, write_csv
from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.jobs.job import Job
from wsl.randomness import stream
from wsl.weights.coefficients import LinearCodec, load_linear
from wsl.zoo.index import open_zoo, read_snapshot
from wsl.zoo.layout import Layout
from wsl.zoo.network import network_for, state_dict

log = logging.getLogger(__name__)
MEMBERS = 12  # maximum number of fully trained members that outputs are measured on
IMAGES = 64  # maximum number of training images of each member's task
PROBES = 24  # random combinations of a member's outputs; each costs one backward pass


def measure_sensitivity(
    index: str | Path,
    fitted: Sequence[str | Path],
    packed: Files,
    out: str | Path,
    recalibrated: bool,
    job: Job = Job(),  # noqa: B008
) -> None:
    """Write the effect of every principal component on outputs.

    A step of one training deviation along component v changes an output f by sqrt(variance) * v' df/dw. Its square is
    summed over classes and averaged over images and members; random combinations of outputs estimate the sum over
    outputs without bias (Hutchinson 1989).

    Args:
        index: of the training members.
        fitted: PCA files.
        packed: packed images, one file per class, or a list of them.
        out: CSV, one row per component: ``parameter``, ``component``, ``variance``, ``effect``.
        recalibrated: whether running statistics are re-estimated after decoding and therefore have no effect.
        job: its seed is that of members, images and probes.
    """
    task_images = TaskImages(packed)
    with open_zoo(index) as zoo:
        linear = load_linear(fitted, zoo.layout)
        rng = stream(job.seed, "sensitivity")
        rows = np.sort(rng.permutation(zoo.trained)[:MEMBERS])
        effects = np.zeros(linear.n_coefficients)
        for row in rows:
            weights = read_snapshot(zoo, row)
            images, _ = task_images.of_task(zoo.snapshots["task"][row])
            images = images[torch.from_numpy(rng.permutation(len(images))[:IMAGES])]
            generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
            gradients = output_gradients(weights, zoo.layout, images, PROBES, recalibrated, generator, job.device)
            effects += effects_of(linear, gradients) / len(rows)
            log.info("member %s: gradients of outputs computed", zoo.snapshots["member"][row])
    tables = []
    for place, pca in enumerate(linear.parameters):
        if pca.mode == "pca":
            columns = {"component": np.arange(pca.n_coefficients), "variance": pca.variance}
            tables.append(pd.DataFrame({"parameter": pca.name, **columns, "effect": effects[linear.owners == place]}))
    write_csv(out, pd.concat(tables, ignore_index=True))


def output_gradients(
    weights: np.ndarray,
    layout: Layout,
    images: torch.Tensor,
    probes: int,
    recalibrated: bool,
    generator: torch.Generator,
    device: str = "cpu",
) -> np.ndarray:
    """Return gradients (probes, n_weights) of random combinations of a network's outputs.

    Their outer products average to J'J / images, where J is the Jacobian of all outputs. Logits are centred over
    classes, since a common shift changes no decision, and divided by their deviation, so that members are comparable.
    """
    network = network_for(layout).to(device).eval()
    network.load_state_dict(state_dict(weights, layout))
    learned = dict(network.named_parameters())
    logits = network(normalised(images.to(device)))
    logits = logits - logits.mean(1, keepdim=True)
    logits = logits / logits.detach().std().clamp(min=torch.finfo(logits.dtype).tiny)
    combinations = np.zeros((probes, layout.size), dtype=np.float32)
    for probe in combinations:
        signs = torch.randint(0, 2, logits.shape, generator=generator).to(logits) * 2 - 1
        total = (signs * logits).sum() / len(images) ** 0.5
        slopes = torch.autograd.grad(total, list(learned.values()), retain_graph=True)
        gradients = dict(zip(learned, slopes, strict=True))
        if not recalibrated:
            gradients |= _running_gradients(network, gradients)
        for name, gradient in gradients.items():
            probe[layout[name].columns] = gradient.detach().reshape(-1).cpu().numpy()
    return combinations


def _running_gradients(network: nn.Module, gradients: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return gradients with respect to running statistics, derived from those of the layer's weight and bias.

    Of y = weight * (x - mean) / sqrt(var + eps) + bias: dy/dmean = -dy/dbias * weight / sqrt(var + eps), and
    dy/dvar = -dy/dweight * weight / (2 * (var + eps)).
    """
    results = {}
    for name, layer in network.named_modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and f"{name}.bias" in gradients:
            spread = layer.running_var + layer.eps
            results[f"{name}.running_mean"] = -gradients[f"{name}.bias"] * layer.weight / spread.sqrt()
            results[f"{name}.running_var"] = -gradients[f"{name}.weight"] * layer.weight / (2 * spread)
    return results


def effects_of(linear: LinearCodec, gradients: np.ndarray) -> np.ndarray:
    """Return the mean squared change of outputs per deviation along each coefficient (n_coefficients,).

    It is NaN for parameters that are only centred: their coefficients are always kept.
    """
    effects = []
    for parameter, entry in zip(linear.parameters, linear.layout.entries, strict=True):
        if parameter.mode == "pca":
            slopes = gradients[:, entry.columns] @ parameter.components.T
            effects.append(parameter.variance * (slopes.astype(np.float64) ** 2).mean(axis=0))
        else:
            effects.append(np.full(parameter.n_coefficients, np.nan))
    return np.concatenate(effects)
