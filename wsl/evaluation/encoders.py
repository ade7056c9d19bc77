"""Weight encoders on one bench: how held-out members survive each, and what its latents tell."""

import logging
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch

from wsl.evaluation.distances import Spread, learned
from wsl.evaluation.outputs import Runner, accuracy, compare
from wsl.evaluation.probes import probe
from wsl.files import Files, part_of, write_csv
from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.job import Job
from wsl.randomness import integer_seed
from wsl.recipe import Recipe
from wsl.sampling.recalibration import Recalibration
from wsl.shared.settings import Shared
from wsl.shared.training import train_shared
from wsl.weights.codec import WeightCodec, embed_part, load_codec
from wsl.weights.encoders.ae_pca_training import train_ae_pca
from wsl.weights.encoders.answers import Search, search_latent
from wsl.weights.encoders.pca import train_pca
from wsl.weights.encoders.token_training import train_tokens
from wsl.weights.narrowing import narrow
from wsl.zoo.index import open_zoo, read_snapshot

log = logging.getLogger(__name__)
TRAININGS = {function.__name__: function for function in (train_pca, train_ae_pca, train_tokens)}


def measure_encoder(
    train_index: str | Path,
    validation_index: str | Path,
    held_out: Sequence[str | Path],
    fitted: Sequence[str | Path],
    train: str | Path,
    validation: str | Path,
    packed: Files,
    out: str | Path,
    probes: str | Path,
    history: str | Path,
    training: str,
    own: dict[str, Any],
    common: dict[str, Any],
    components: int,
    budget: int | None,
    accuracies: str | Path,
    class_means: Files,
    bins: str | Path,
    gate: str,
    shared: dict[str, Any] | None,
    search: dict[str, Any],
    seed: int,
    sensitivity: str | Path | None = None,
    also: Sequence[str | Path] = (),
    device: str = "cpu",
) -> None:
    """Train one encoder and write how held-out members come back from it, on their own validation images.

    Args:
        train_index, validation_index: of the members that it is trained on and that stop its training.
        held_out: indices of those that it is judged by, named after their parts; fully trained ones alone.
        fitted: PCA files with as many components as any encoder on the bench wants; train, validation: coefficients.
        packed: packed images, a file a class, or a list of them.
        out: CSV, one row per member: ``part``, ``member``, ``task``, ``latent_size``, the metrics of ``compare`` as
            decoded, with ``_bn`` after recalibration on the original's training images and, where there is a search,
            with ``_searched`` after it too; ``accuracy`` of each, ``original_accuracy``; ``spread``, how far decoded
            members of the part lie from their mean, in units of the originals: near 0 where one model is made of all;
            ``fit_seconds``, ``decode_seconds`` a model, and ``peak_mib`` of memory in all.
        probes: CSV, see ``wsl.evaluation.probes.probe``.
        history: CSV, a row an epoch: ``training`` (of the ``encoder``, or of the ``shared`` encoder on its latents),
            ``epoch``, ``train_loss``, ``validation_loss``, ``kept``; of the latter also its losses at chance.
        training: name of the function that trains it; own, common: its settings.
        components: the first of each parameter's that may be kept; budget, sensitivity: see ``wsl.weights.gate``.
        gate: ``function``, which takes effects on outputs for what components are worth, or ``variance``.
        accuracies: see ``wsl.evaluation.probes.measure_accuracies``.
        class_means: a file a class, or a list of them; bins: outcome bins.
        shared: settings of ``wsl.shared.training.train_shared``; None: it is not trained.
        search: see ``Search``; no steps: none.
        seed: of the search.
        also: see ``train_tokens``.
        device: ``cpu`` or ``cuda``.
    """
    worths = sensitivity if gate == "function" else None
    with TemporaryDirectory() as folder:
        files, values = narrow(fitted, (train, validation), train_index, components, budget, worths, Path(folder))
        made = [Path(folder, name) for name in ("encoder.safetensors", "history.csv", "states.safetensors")]
        inputs = {"train_index": train_index, "validation_index": validation_index}
        if training == "train_pca":
            inputs |= {"train": values[0], "validation": values[1], "fitted": files}
        elif also:
            inputs |= {"also": also}
        begun = time.perf_counter()
        common = {**common, "recipe": Recipe(**common["recipe"])}
        named = dict(zip(("out", "history", "checkpoints"), made, strict=True))
        TRAININGS[training](**inputs, **named, **own, **common, packed=packed, device=device)
        seconds = time.perf_counter() - begun
        codec = load_codec(train_index, files, made[0])
        table = _members(codec, train_index, held_out, TaskImages(packed), Search(**search), seed, device)
        losses = [pd.read_csv(made[1]).assign(training="encoder")]
        if shared is not None:
            indices, orders = (train_index, validation_index), (common["orders"], 1)
            latents = [Path(folder, f"{part}_latents.h5") for part in ("train", "validation")]
            for index, own_values, path, count in zip(indices, values, latents, orders, strict=True):
                embed_part(index, own_values, files, made[0], path, count, common["orders_seed"])
            state, curve = Path(folder, "shared.safetensors"), Path(folder, "shared.csv")
            predictor = Shared.model_validate(shared["settings"])
            train_shared(*latents, class_means, bins, state, curve, predictor, Job(device=device, seed=shared["seed"]))
            losses.append(pd.read_csv(curve).assign(training="shared"))
        write_csv(history, pd.concat(losses, ignore_index=True))
        write_csv(probes, probe(codec.encode, train_index, held_out, accuracies))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    write_csv(out, table.assign(latent_size=codec.encoder.latent, fit_seconds=seconds, peak_mib=peak))


def _members(
    codec: WeightCodec,
    train_index: str | Path,
    held_out: Sequence[str | Path],
    images: TaskImages,
    search: Search,
    seed: int,
    device: str,
) -> pd.DataFrame:
    units = _units(codec, train_index)
    layout, tables = codec.linear.layout, []
    mask, runner = learned(layout), Runner(layout, device)
    recalibrate = Recalibration(layout, torch.empty(0), 0.0, device)
    for path in held_out:
        rows, spread, original_spread = [], Spread(), Spread()
        with open_zoo(path) as zoo:
            for row in zoo.trained:
                weights, task = read_snapshot(zoo, row), zoo.snapshots["task"][row]
                begun = time.perf_counter()
                decoded = codec.decode(codec.encode(weights[None]))[0]
                seconds = time.perf_counter() - begun
                spread.add(decoded[mask])
                original_spread.add(weights[mask])
                seen, _ = images.of_task(task)
                judged = {"": decoded, "_bn": recalibrate(decoded, seen)}
                if search.steps:
                    own = integer_seed(seed, "search", int(zoo.snapshots["member"][row]))
                    found = search_latent(codec.encoder, layout, weights, units, seen, search, own)
                    judged["_searched"] = recalibrate(codec.decode(found[None])[0], seen)
                inputs, labels = images.of_task(task, part="validation")
                inputs = normalised(inputs)
                original = runner.logits(weights, inputs)
                measured = {"original_accuracy": accuracy(original, labels), "decode_seconds": seconds}
                for end, vector in judged.items():
                    outputs = runner.logits(vector, inputs)
                    found = {**compare(original, outputs), "accuracy": accuracy(outputs, labels)}
                    measured |= {f"{name}{end}": value for name, value in found.items()}
                about = {"part": part_of(path), "member": int(zoo.snapshots["member"][row]), "task": task}
                rows.append({**about, **measured})
        log.info("%s: %d members judged", part_of(path), len(rows))
        tables.append(pd.DataFrame(rows).assign(spread=float(spread) / max(float(original_spread), 1e-300)))
    return pd.concat(tables, ignore_index=True)


def _units(codec: WeightCodec, train_index: str | Path) -> np.ndarray:
    with open_zoo(train_index) as zoo:
        return np.concatenate([codec.encode(read_snapshot(zoo, row)[None]) for row in zoo.trained]).std(axis=0)
