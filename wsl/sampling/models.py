"""Write sampled models as files that torchvision can load."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wsl.images.reading import MEAN, STD, task_classes
from wsl.outcomes.bins import OutcomeBins, read_bins
from wsl.sampling.makers import Makers
from wsl.tensors import write_tensors
from wsl.zoo.network import state_dict

log = logging.getLogger(__name__)


def sample_models(
    members: Sequence[int],
    tasks: Sequence[str],
    models: Sequence[str | Path],
    sampler: str,
    outcome: str | float,
    seed: int,
    about: dict[str, Any],
    device: str = "cpu",
    **files: Any,
) -> None:
    """Sample a model for each task and write it as a state dict with torchvision's names.

    Args:
        members: the held-out member whose task it is.
        tasks: see ``join_task``.
        models: a safetensors file a task.
        sampler: by name.
        outcome: requested validation loss (nats) or ``best``.
        seed: of what is random in the sampler.
        about: written into every file's metadata, beside classes, request, preprocessing.
        device: ``cpu`` or ``cuda``.
        files: see ``wsl.sampling.makers.Makers``.
    """
    with Makers(device=device, **files) as makers:
        outcomes = read_bins(makers.bins)
        outcome_bin, loss = outcomes.requested(outcome), outcomes.requested_loss(outcome)
        low, high = _range(outcomes, outcome_bin)
        log.info("requested outcome %s: bin %d, validation loss %.4g to %.4g", outcome, outcome_bin, low, high)
        maker, counters = makers.load(sampler), makers.zoo.typical_counters
        for member, task, path in zip(members, tasks, models, strict=True):
            state = state_dict(maker.make(task, loss, seed=seed), makers.layout, counters)
            request = {"outcome_bin": outcome_bin, "validation_loss": [low, high]}
            preprocessing = {"mean": MEAN, "std": STD, "scale": "pixels / 255"}
            own = {"member": member, "classes": task_classes(task), "request": request, "preprocessing": preprocessing}
            write_tensors(path, state, {**about, "sampler": sampler, **own})


def _range(outcomes: OutcomeBins, outcome_bin: int) -> tuple[float, float]:
    return float(outcomes.edges[outcome_bin]), float(outcomes.edges[outcome_bin + 1])
