"""Tables of the report: means over independent sets of classes, or members, with 95 % intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from wsl.evaluation.intervals import over_sets
from wsl.evaluation.specialisation import write_specialisation
from wsl.files.plain import read_json, write_csv, write_json
from wsl.zoo.few_sets import MEMBERS, SETS

TRAINED = "max"  # the snapshot of the fully trained model
THESIS = ("early", "max")  # the snapshots that Table 4.1 of the thesis averages
OUTPUTS = ("agreement", "cosine", "correlation")
# Means over imported members in a summary, by the columns of their check.
CHECKED = {"reported": "reported_accuracy", "recomputed": "recomputed_accuracy"}
RECONSTRUCTION = (*OUTPUTS, "accuracy", "original_accuracy")


def reconstruction_table(measured: str | Path, out: str | Path, unit: str = SETS) -> None:
    """Write Table 4.1: one row per stage, kind of snapshot and metric.

    Args:
        measured: see ``wsl.evaluation.reconstruction.on_training_data``.
        out: CSV with ``stage``, ``snapshot``, ``metric`` and the results of ``over_sets``. ``snapshot`` is ``max`` (the
            trained model), ``early+max`` (both averaged per member, as in the thesis) or another kept epoch.
        unit: of intervals, see ``wsl.zoo.few_sets``.
    """
    table = pd.read_csv(measured)
    kept = list(dict.fromkeys(table["snapshot"]))
    kinds = {TRAINED: (TRAINED,)}
    if set(THESIS) <= set(kept):
        kinds["+".join(THESIS)] = THESIS
    kinds |= {name: (name,) for name in reversed(kept) if name != TRAINED}
    rows = [
        {
            **{"stage": stage, "snapshot": kind, "metric": metric},
            **over_sets(group[group["snapshot"].isin(names)], metric, unit=unit),
        }
        for stage, group in table.groupby("stage")
        for kind, names in kinds.items()
        for metric in RECONSTRUCTION
    ]
    write_csv(out, pd.DataFrame(rows).round(4))


def accuracy_table(
    measured: Sequence[str | Path],
    out: str | Path,
    recalibration: str | Path,
    specialisation: str | Path,
    about: dict[str, str | int | None],
    kinds: dict[str, str],
    beside: Sequence[str | Path] = (),
    selecting: Sequence[str] = (),
    one_body: Sequence[str] = (),
) -> None:
    """Write the accuracy of every method, one row per kind of classes, method, number of images and epochs.

    Args:
        measured: see ``wsl.evaluation.protocol.judge``.
        out: CSV with ``run``, ``regime``, ``members``, ``snapshots``, ``zoo_seed``, ``classes`` (``seen`` by other
            members, ``unseen``, or ``validation``: seen, evaluated on validation images), ``sampler`` (the method's
            name), ``images``, ``epochs``, the results of ``over_sets``, ``seeds`` (number of draws), ``kind``
            (``sampler``, ``baseline``, ``reference``), ``selection`` (``validation images`` if models are the best of
            several by their loss on validation images of their tasks, else ``none``), and ``chosen``, see
            ``chosen_sampler``.
        recalibration: CSV of accuracies as decoded and with re-estimated batch-normalisation statistics.
        specialisation: CSV, see ``write_specialisation``.
        about: ``run`` (its name), ``regime`` (start of its members), ``members`` (number of training members),
            ``snapshots`` (of a member, at most), ``zoo_seed`` (seed of the run that trained them; None: unknown) and
            ``unit`` (of intervals, see ``wsl.zoo.few_sets``).
        kinds: of methods by name.
        beside: tables like ``out`` of other runs, appended.
        selecting: names of methods with ``Method.selects``.
        one_body: names of methods with ``Method.one_body``.
    """
    table = pd.concat([pd.read_csv(path, dtype={"images": str}) for path in measured], ignore_index=True)
    table = table.assign(classes=table["part"].replace({"test": "seen"})).rename(columns={"method": "sampler"})
    unit = about.get("unit", SETS)
    rows = _accuracies(table[table["recalibrated"]], ["classes", "sampler", "images", "epochs"], unit)
    for column, key in enumerate(("run", "regime", "members", "snapshots", "zoo_seed")):
        rows.insert(column, key, about.get(key))
    rows["kind"] = rows["sampler"].map(kinds)
    rows["selection"] = np.where(rows["sampler"].isin(selecting), "validation images", "none")
    rows["chosen"] = rows["sampler"] == chosen_sampler(rows)
    others = [pd.read_csv(path) for path in beside]
    # The table of another run may itself contain rows of further runs.
    others = [other[other["run"] == other["run"].iloc[0]] for other in others]
    write_csv(out, pd.concat([rows.round(4), *others], ignore_index=True))
    sampled = table[(table["images"] == "all") & (table["epochs"] == 0) & (table["draw"] == 0)]
    both = sampled[sampled["sampler"].isin(sampled.loc[~sampled["recalibrated"], "sampler"])]
    write_csv(recalibration, _accuracies(both, ["classes", "sampler", "recalibrated"], unit).round(4))
    write_specialisation(table, specialisation, one_body, unit)


def chosen_sampler(table: pd.DataFrame) -> str:
    """Return the sampler of the highest accuracy on validation tasks, with all images, without fine-tuning.

    Samplers that select models on these images are left out if there are others.
    """
    candidates = table[(table["classes"] == "validation") & (table["images"] == "all") & (table["epochs"] == 0)]
    candidates = candidates[candidates["kind"] == "sampler"]
    unselected = candidates[candidates["selection"] == "none"]
    candidates = unselected if len(unselected) else candidates
    return candidates.loc[candidates["accuracy"].idxmax(), "sampler"]


def _accuracies(table: pd.DataFrame, keys: list[str], unit: str) -> pd.DataFrame:
    rows = [
        [*key, *over_sets(group, "accuracy", unit=unit).values(), group["draw"].nunique()]
        for key, group in table.groupby(keys, sort=False)
    ]
    return pd.DataFrame(rows, columns=[*keys, "accuracy", "low", "high", "tasks", "sets", "unit", "seeds"])


@dataclass(frozen=True)
class SummaryInputs:
    """Input files of ``write_summary``."""

    classes: str | Path  # table of classes and their images
    members: str | Path  # table of members
    reconstruction: str | Path  # see ``reconstruction_table``
    accuracy: str | Path  # see ``accuracy_table``
    shared_history: str | Path  # losses of the shared encoder
    bins: str | Path  # outcome bins
    imported: str | Path | None = None  # see ``wsl.evaluation.imported.compare_accuracies``; None: trained members


def write_summary(inputs: SummaryInputs, out: str | Path, classes_per_task: int) -> None:
    """Write the main numbers of a run as JSON, for the report and the end of a run.

    Args:
        inputs: files.
        out: JSON. Metrics of reconstructions are of fully trained models. ``accuracy``, ``accuracy_intervals`` and
            ``sets`` (the number of the ``unit`` of intervals) are by kind of classes, with all images and without
            fine-tuning. Bounds are null for fewer than two.
        classes_per_task: classes per task.
    """
    images = pd.read_csv(inputs.classes)
    metrics = pd.read_csv(inputs.reconstruction)
    metrics = metrics[metrics["snapshot"] == TRAINED].set_index(["stage", "metric"])
    latent = metrics.loc["latent"]
    unit = latent.loc["agreement", "unit"]
    counted = "tasks" if unit == MEMBERS else "sets"
    accuracies = pd.read_csv(inputs.accuracy)
    accuracies = accuracies[accuracies["run"] == accuracies["run"].iloc[0]]
    held_out = accuracies[(accuracies["images"] == "all") & (accuracies["epochs"] == 0)]
    by_kind = {kind: group.set_index("sampler") for kind, group in held_out.groupby("classes", sort=False)}
    history = pd.read_csv(inputs.shared_history)
    checked = {} if inputs.imported is None else pd.read_csv(inputs.imported)[[*CHECKED]].mean().to_dict()
    write_json(
        out,
        {
            "classes": len(images),
            "images_skipped": int(images["skipped"].sum()),
            "images_shared": int(images["shared"].sum()),
            **_of_members(inputs.members),
            **{CHECKED[key]: value for key, value in checked.items()},
            **{metric: float(latent.loc[metric, "mean"]) for metric in OUTPUTS},
            "agreement_pca": float(metrics.loc["pca"].loc["agreement", "mean"]),
            "reconstruction_intervals": {metric: _bounds(latent.loc[metric]) for metric in OUTPUTS},
            "reconstruction_sets": int(latent.loc["agreement", counted]),
            "shared_validation_loss": float(history.loc[history["kept"], "validation_loss"].iloc[0]),
            "shared_chance_loss": float(history["validation_chance"].iloc[0]),
            "outcome_bins_filled": int(np.count_nonzero(read_json(inputs.bins)["counts"])),
            "chance": 1 / classes_per_task,
            "chosen_sampler": str(accuracies.loc[accuracies["chosen"], "sampler"].iloc[0]),
            "kinds": dict(zip(held_out["sampler"], held_out["kind"], strict=True)),
            "accuracy": {kind: group["accuracy"].to_dict() for kind, group in by_kind.items()},
            "accuracy_intervals": {
                kind: {name: _bounds(row) for name, row in group.iterrows()} for kind, group in by_kind.items()
            },
            "sets": {kind: int(group[counted].max()) for kind, group in by_kind.items()},
            "unit": unit,
        },
    )


def write_weights_summary(members: str | Path, probes: str | Path, out: str | Path, classes_per_task: int) -> None:
    """Write the main numbers of a run without images as JSON.

    Args:
        members: table of members.
        probes: see ``wsl.evaluation.probe_baselines.probe_encoder``.
        out: JSON; ``probes`` has the scores by target and encoder.
        classes_per_task: classes per task.
    """
    table = pd.read_csv(probes).query("not with_statistics and summary == 'all'")
    by_target = table.set_index("encoder").groupby("target", sort=False)["score"]
    scores = {target: values.to_dict() for target, values in by_target}
    write_json(out, {**_of_members(members), "chance": 1 / classes_per_task, "accuracy": {}, "probes": scores})


def _of_members(members: str | Path) -> dict[str, float]:
    zoo = pd.read_csv(members)
    return {
        "members": len(zoo),
        "members_diverged": int(zoo["diverged"].sum()),
        "validation_accuracy_max": float(zoo["max_validation_accuracy"].mean()),
    }


def _bounds(row: pd.Series) -> list[float | None]:
    return [None if pd.isna(row[end]) else float(row[end]) for end in ("low", "high")]
