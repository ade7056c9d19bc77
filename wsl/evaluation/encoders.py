"""Evaluation of one weight encoder on the bench: reconstructions of held-out members, and probes of its latents."""

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from wsl.evaluation.bench import BenchSettings
from wsl.evaluation.comparison import Compared, compare_members
from wsl.evaluation.probes import probe
from wsl.files.hdf5 import part_of
from wsl.files.plain import Files, write_csv
from wsl.jobs.job import Job
from wsl.shared.training import train_shared
from wsl.weights.codec import WeightCodec, embed_part, load_codec
from wsl.weights.encoders.base import EncoderInputs
from wsl.weights.gate import narrow
from wsl.weights.settings import EncoderFit
from wsl.weights.training import train_weight_encoder
from wsl.zoo.index import open_zoo


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
    accuracies: str | Path  # see ``wsl.evaluation.accuracies.measure_accuracies``
    class_means: Files  # one file per class, or a list of them
    bins: str | Path  # outcome bins
    sensitivity: str | Path | None = None  # effects of components on outputs, for the gate ``function``
    other_zoos: Sequence[str | Path] = ()  # indices of other runs, see ``EncoderInputs``


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
            relative to that of the originals (near 0 if all decode to one model); ``diversity`` and
            ``original_diversity`` of the members with the same set of classes, see ``compare_members``;
            ``fit_seconds``, ``decode_seconds`` per model, and ``peak_mib`` of memory; ``fact_<name>`` and
            ``fact_train_<name>``, what ``FittedEncoder.facts`` returns of the part's and of the training members. For
            an encoder that does not decode, only the first four, ``fit_seconds`` and ``peak_mib``.
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
        if settings.encoder.decodes:
            compared = Compared(inputs.train_index, inputs.held_out, inputs.packed)
            table = compare_members(codec, compared, settings.search, seeds["search"], job.device)
        else:
            table = pd.concat(map(_members, inputs.held_out), ignore_index=True)
        losses = [pd.read_csv(folder / "history.csv").assign(training="encoder")]
        losses.append(_fit_shared(inputs, folder, settings, seeds, job).assign(training="shared"))
        write_csv(history, pd.concat(losses, ignore_index=True))
        files = inputs.train_index, inputs.held_out, inputs.accuracies
        write_csv(probes, probe(codec.features, *files))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    write_csv(out, table.assign(latent_size=codec.encoder.latent, fit_seconds=seconds, peak_mib=peak))


def _members(path: str | Path) -> pd.DataFrame:
    """Return ``part``, ``member`` and ``task`` of the fully trained members of an index."""
    with open_zoo(path) as zoo:
        return zoo.snapshots.loc[zoo.trained, ["member", "task"]].assign(part=part_of(path))


def _fit(
    inputs: BenchInputs, folder: Path, settings: BenchSettings, seeds: dict[str, int], job: Job
) -> tuple[WeightCodec, float]:
    """Fit the encoder in a folder, from the last state of the job; return its codec and the seconds of the fit."""
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
    train_weight_encoder(files, *outputs, fit, seeds["orders"], replace(job, seed=seeds["encoder"]))
    seconds = job.progress.earlier + time.perf_counter() - started
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
