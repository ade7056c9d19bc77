"""Evaluation of one weight encoder on the bench: reconstructions of held-out members, and probes of its latents."""

import logging
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch

from wsl.evaluation.bench import BenchSettings
from wsl.evaluation.distances import Spread, learned
from wsl.evaluation.outputs import Runner, accuracy, compare
from wsl.evaluation.probes import probe
from wsl.files.hdf5 import part_of
from wsl.files.plain import Files, write_csv
from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.jobs.job import Job
from wsl.randomness import integer_seed
from wsl.sampling.recalibration import Recalibration
from wsl.shared.training import train_shared
from wsl.weights.answers import search_latent
from wsl.weights.codec import WeightCodec, embed_part, load_codec
from wsl.weights.encoders.base import EncoderInputs
from wsl.weights.gate import narrow
from wsl.weights.settings import EncoderFit, Search
from wsl.weights.training import train_weight_encoder
from wsl.zoo.index import open_zoo, read_snapshot

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BenchInputs:
    """Files that an encoder on the bench is fitted on and measured with."""

    train_index: str | Path  # of the training members
    validation_index: str | Path  # of the validation members, for early stopping
    held_out: Sequence[str | Path]  # indices of the members to measure on, named after their parts
    fitted: Sequence[str | Path]  # PCA files with enough components for every encoder on the bench
    train: str | Path  # coefficients of the training snapshots by these PCA files
    validation: str | Path  # coefficients of the validation snapshots
    packed: Files  # packed images, one file per class, or a list of them
    accuracies: str | Path  # see ``wsl.evaluation.probes.measure_accuracies``
    class_means: Files  # one file per class, or a list of them
    bins: str | Path  # outcome bins
    sensitivity: str | Path | None = None  # effects of components on outputs, for the gate ``function``
    other_zoos: Sequence[str | Path] = ()  # indices of other runs, see ``EncoderInputs``


@dataclass(frozen=True)
class Compared:
    """Files that reconstructions of members are compared with; see ``BenchInputs``."""

    train_index: str | Path
    held_out: Sequence[str | Path]
    packed: Files


def measure_encoder(
    inputs: BenchInputs,
    out: str | Path,
    probes: str | Path,
    history: str | Path,
    settings: BenchSettings,
    seeds: dict[str, int],
    job: Job = Job(),  # noqa: B008
) -> None:
    """Fit one encoder and compare reconstructions of held-out members with the originals on their validation images.

    Args:
        inputs: files.
        out: CSV, one row per fully trained member: ``part``, ``member``, ``task``, ``latent_size``; ``accuracy`` and
            metrics of ``compare``, as decoded, recalibrated on the original's training images (``_bn``) and after a
            search and recalibration (``_searched``); ``original_accuracy``; ``spread`` of the part's decoded members
            relative to that of the originals (near 0 if all decode to one model); ``fit_seconds``, ``decode_seconds``
            per model, and ``peak_mib`` of memory; ``fact_<name>`` and ``fact_train_<name>``, what
            ``FittedEncoder.facts`` returns of the part's members and of the training members.
        probes: CSV, see ``wsl.evaluation.probes.probe``.
        history: CSV, one row per epoch: ``training`` (``encoder``, or ``shared`` for the shared encoder on its
            latents), ``epoch``, ``train_loss``, ``validation_loss``, ``kept``; for ``shared`` also losses at chance.
        settings: of the encoder, the search and the shared encoder.
        seeds: of the ``encoder``, its class ``orders``, the ``shared`` encoder and the ``search``.
        job: its device.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        codec, seconds = _fit(inputs, folder, settings, seeds, job)
        compared = Compared(inputs.train_index, inputs.held_out, inputs.packed)
        table = compare_members(codec, compared, settings.search, seeds["search"], job.device)
        losses = [pd.read_csv(folder / "history.csv").assign(training="encoder")]
        losses.append(_fit_shared(inputs, folder, settings, seeds, job).assign(training="shared"))
        write_csv(history, pd.concat(losses, ignore_index=True))
        write_csv(probes, probe(codec.encode, inputs.train_index, inputs.held_out, inputs.accuracies))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    write_csv(out, table.assign(latent_size=codec.encoder.latent, fit_seconds=seconds, peak_mib=peak))


def _fit(
    inputs: BenchInputs, folder: Path, settings: BenchSettings, seeds: dict[str, int], job: Job
) -> tuple[WeightCodec, float]:
    """Fit the encoder in a folder; return its codec and the seconds of the fit."""
    sensitivity = inputs.sensitivity if settings.gate == "function" else None
    coefficients = inputs.train, inputs.validation
    limits = settings.components, settings.budget, sensitivity
    fitted, (train, validation) = narrow(inputs.fitted, coefficients, inputs.train_index, *limits, folder)
    files = EncoderInputs(
        inputs.train_index, inputs.validation_index, train, validation, fitted, inputs.packed, inputs.other_zoos
    )
    outputs = [folder / name for name in ("encoder.safetensors", "history.csv", "states.safetensors")]
    fit = EncoderFit(encoder=settings.encoder, orders=settings.orders)
    started = time.perf_counter()
    train_weight_encoder(files, *outputs, fit, seeds["orders"], Job(job.device, job.threads, seeds["encoder"]))
    seconds = time.perf_counter() - started
    return load_codec(inputs.train_index, fitted, outputs[0]), seconds


def _fit_shared(
    inputs: BenchInputs, folder: Path, settings: BenchSettings, seeds: dict[str, int], job: Job
) -> pd.DataFrame:
    """Fit the shared encoder on the latents of the encoder in a folder; return its history."""
    with open_zoo(inputs.train_index) as zoo:
        fitted = [folder / f"{entry.name}.h5" for entry in zoo.layout.entries]
    latents = []
    for part, index, orders in (
        ("train", inputs.train_index, settings.orders),
        ("validation", inputs.validation_index, 1),
    ):
        latents.append(folder / f"{part}_latents.h5")
        files = index, folder / f"{part}.h5", fitted, folder / "encoder.safetensors", latents[-1]
        embed_part(*files, orders, seeds["orders"])
    state, history = folder / "shared.safetensors", folder / "shared.csv"
    shared_job = Job(job.device, job.threads, seeds["shared"])
    train_shared(*latents, inputs.class_means, inputs.bins, state, history, settings.shared, shared_job)
    return pd.read_csv(history)


def compare_members(
    codec: WeightCodec, inputs: Compared, search: Search, seed: int, device: str, scale: np.ndarray | None = None
) -> pd.DataFrame:
    """Compare held-out members with what an encoder decodes: the rows of ``measure_encoder``.

    With deviations ``scale`` (n_weights,), also return ``error``, the mean squared error of weights in these units.
    """
    images, layout, tables = TaskImages(inputs.packed), codec.linear.layout, []
    with open_zoo(inputs.train_index) as zoo:  # deviation of each number of z_W over fully trained training members
        known = np.concatenate([codec.encode(read_snapshot(zoo, row)[None]) for row in zoo.trained])
    units, facts = known.std(axis=0), {f"fact_train_{name}": value for name, value in codec.facts(known).items()}
    mask, runner = learned(layout), Runner(layout, device)
    recalibrate = Recalibration(layout, torch.empty(0), 0.0, device)
    for path in inputs.held_out:
        rows, latents, spread, original_spread = [], [], Spread(), Spread()
        with open_zoo(path) as zoo:
            for row in zoo.trained:
                weights, task = read_snapshot(zoo, row), zoo.snapshots["task"][row]
                member = int(zoo.snapshots["member"][row])
                started = time.perf_counter()
                latents.append(codec.encode(weights[None]))
                decoded = codec.decode(latents[-1])[0]
                seconds = time.perf_counter() - started
                spread.add(decoded[mask])
                original_spread.add(weights[mask])
                training_images, _ = images.of_task(task)
                variants = {"": decoded, "_bn": recalibrate(decoded, training_images)}
                if search.steps:
                    search_seed = integer_seed(seed, "search", member)
                    latent = search_latent(codec.encoder, layout, weights, units, training_images, search, search_seed)
                    variants["_searched"] = recalibrate(codec.decode(latent[None])[0], training_images)
                validation_images, labels = images.of_task(task, part="validation")
                validation_images = normalised(validation_images, layout.normalisation)
                original = runner.logits(weights, validation_images)
                scores = {"original_accuracy": accuracy(original, labels), "decode_seconds": seconds}
                if scale is not None:
                    scores["error"] = float(np.square((decoded - weights) / scale).mean())
                for suffix, vector in variants.items():
                    outputs = runner.logits(vector, validation_images)
                    metrics = {**compare(original, outputs), "accuracy": accuracy(outputs, labels)}
                    scores |= {f"{name}{suffix}": value for name, value in metrics.items()}
                rows.append({"part": part_of(path), "member": member, "task": task, **scores})
        log.info("%s: %d members measured", part_of(path), len(rows))
        own = codec.facts(np.concatenate(latents)) if latents else {}
        own = {f"fact_{name}": value for name, value in own.items()}
        spreads = float(spread) / max(float(original_spread), 1e-300)
        tables.append(pd.DataFrame(rows).assign(spread=spreads, **own, **facts))
    return pd.concat(tables, ignore_index=True)
