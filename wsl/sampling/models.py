"""Write sampled models as files that torchvision can load."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wsl.files.tensors import write_tensors
from wsl.images.reading import task_classes
from wsl.jobs.job import Job
from wsl.outcomes.bins import read_bins
from wsl.sampling.loading import Choice, MethodFiles, OpenRun
from wsl.zoo.network import whole_state

log = logging.getLogger(__name__)


def sample_models(
    inputs: MethodFiles,
    models: Sequence[str | Path],
    choice: Choice,
    outcome: str | float,
    requests: list[dict[str, Any]],
    about: dict[str, Any],
    job: Job = Job(),  # noqa: B008
) -> None:
    """Sample a model for each task and write it as a state dict with torchvision's names.

    Args:
        inputs: the sampler's files.
        models: one safetensors file per request.
        choice: the sampler.
        outcome: requested validation loss (nats) or ``best``.
        requests: ``task``, see ``join_task``, and ``member``, the held-out member with this task.
        about: metadata of every file, in addition to classes, request and preprocessing.
        job: seed of the sampler.
    """
    with OpenRun(inputs, choice, job.device) as run:
        outcomes = read_bins(inputs.bins)
        outcome_bin, loss = outcomes.requested(outcome), outcomes.requested_loss(outcome)
        low, high = map(float, outcomes.edges[outcome_bin : outcome_bin + 2])
        log.info("requested outcome %s: bin %d, validation loss %.4g to %.4g", outcome, outcome_bin, low, high)
        method, counters = run.load(), run.counters
        for request, path in zip(requests, models, strict=True):
            state = whole_state(method.sample(request["task"], loss, seed=job.seed), run.layout, counters)
            metadata = {
                "sampler": choice.name,
                "member": request["member"],
                "classes": task_classes(request["task"]),
                "request": {"outcome_bin": outcome_bin, "validation_loss": [low, high]},
                "preprocessing": {**run.layout.normalisation._asdict(), "scale": "pixels / 255"},
            }
            write_tensors(path, state, {**about, **metadata})
