"""Tables of the bench of weight encoders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from wsl.evaluation.intervals import by_set, class_set, over_sets
from wsl.evaluation.probe_baselines import with_baselines
from wsl.evaluation.probes import COLUMNS
from wsl.files.plain import write_csv
from wsl.zoo.few_sets import SETS

METRICS = ("agreement", "correlation", "cosine")
ABOUT = dict.fromkeys(("encoder", "kind", "gate", "share", "regime"))  # the order of the columns
MIXED = ["encoder", "architecture", "part"]
AVERAGED = ("spread", "fit_seconds", "decode_seconds", "peak_mib")
DIVERSITIES = ("diversity", "original_diversity")


def encoder_tables(
    measured: Sequence[str | Path],
    probes: Sequence[str | Path],
    histories: Sequence[str | Path],
    baselines: str | Path,
    out: str | Path,
    probed: str | Path,
    losses: str | Path,
    encoders: Sequence[dict[str, Any]],
) -> None:
    """Write one row per encoder and part, and one row per encoder and probe.

    Args:
        measured: see ``wsl.evaluation.encoders.measure_encoder``, in the order of ``encoders``.
        probes: see ``measure_encoder``.
        histories: see ``measure_encoder``.
        baselines: see ``wsl.evaluation.probe_baselines.measure_baselines``.
        out: CSV with the keys of ``encoders``, ``part``, ``latent_size``; ``agreement`` as decoded, recalibrated
            (``_bn``, with ``low`` and ``high``) and after a search (``_searched``, with ``low_searched`` and
            ``high_searched``), means over sets of classes with 95 % intervals; ``correlation`` and ``cosine`` likewise;
            ``accuracy_kept`` and ``accuracy_kept_searched``, the accuracy of recalibrated models relative to the
            originals'; ``members`` and ``sets``; ``diversity`` of recalibrated models and ``original_diversity``, means
            over sets of classes with two or more members; means of ``spread`` and costs over models; and the shared
            encoder's ``shared_train_loss``, ``shared_validation_loss`` and ``shared_chance_loss`` in the kept epoch;
            and facts of encoders, such as the use of a codebook. What needs decoded models is empty for encoders that
            do not decode.
        probed: CSV with ``encoder`` and the columns of ``wsl.evaluation.probes.probe``; the rows of baselines that are
            not on the bench themselves are last.
        losses: CSV, all histories by ``encoder``.
        encoders: for each, ``encoder`` (its name on the bench), ``kind``, ``gate`` (of its budget, or ``uniform``),
            ``share`` (fraction of the compression by a first stage, or None), ``regime`` (start of members) and
            ``unit`` (of intervals, see ``wsl.zoo.few_sets``).
    """
    names = [encoder["encoder"] for encoder in encoders]
    curves = _by_encoder(histories, names)
    write_csv(losses, curves)
    kept = curves[curves["kept"] & (curves["training"] == "shared")].set_index("encoder")
    rows = []
    for path, about in zip(measured, encoders, strict=True):
        name = about["encoder"]
        for part, group in pd.read_csv(path).groupby("part", sort=False):
            row = {**ABOUT, **about, "part": part, **agreement_of(group, about.get("unit", SETS))}
            if name in kept.index:
                columns = {"train": "train_loss", "validation": "validation_loss", "chance": "validation_chance"}
                row |= {f"shared_{key}_loss": kept.loc[name, column] for key, column in columns.items()}
            facts = {key.removeprefix("fact_"): group[key].iloc[0] for key in group if key.startswith("fact_")}
            rows.append({**row, **_means(group, AVERAGED), **facts})
    write_csv(out, pd.DataFrame(rows).round(4))
    write_csv(probed, with_baselines(_by_encoder(probes, names), pd.read_csv(baselines)).round(4))


def agreement_of(group: pd.DataFrame, unit: str) -> dict[str, float | str]:
    """Return the size of the latent, and means of metrics over the members of a part."""
    suffixes = [suffix for suffix in ("", "_bn", "_searched") if f"agreement{suffix}" in group]
    statistics = {
        f"{metric}{suffix}": over_sets(group.assign(**{metric: group[f"{metric}{suffix}"]}), metric, unit=unit)
        for metric in METRICS
        for suffix in suffixes
    }
    row = {"latent_size": int(group["latent_size"].iloc[0])}
    row |= {key: values["mean"] for key, values in statistics.items()}
    row |= {"members": len(group), "sets": group["task"].map(class_set).nunique(), "unit": unit}
    row |= _means(group, DIVERSITIES)
    for suffix, short in (("_bn", ""), ("_searched", "_searched")):
        if suffix in suffixes:
            row |= {f"{end}{short}": statistics[f"agreement{suffix}"][end] for end in ("low", "high")}
            row[f"accuracy_kept{short}"] = group[f"accuracy{suffix}"].sum() / group["original_accuracy"].sum()
    return row


def _means(group: pd.DataFrame, columns: Sequence[str]) -> dict[str, float]:
    """Return means of those columns that are there: of diversities over sets of classes, otherwise over rows."""
    there = [column for column in columns if column in group]
    rows = by_set(group, *there) if columns is DIVERSITIES else group
    return {column: rows[column].mean() for column in there}


def mixed_tables(
    measured: Sequence[str | Path], probes: Sequence[str | Path], out: str | Path, probed: str | Path, unit: str = SETS
) -> None:
    """Write one row per encoder, architecture and part, and one row per encoder, architecture and probe.

    Args:
        measured: see ``wsl.evaluation.mixed.measure_mixed``.
        probes: see ``wsl.evaluation.mixed_probes``.
        out: CSV with the columns of ``encoder_tables`` that a mixed zoo has, and ``architecture``; ``error``, the mean
            squared error of weights in deviations of their named parameter; ``original_accuracy``.
        probed: CSV with ``encoder``, ``architecture`` (of the held-out members, or ``all``) and the columns of
            ``wsl.evaluation.probes.probe``, but ``summary``: an embedding has one size for all architectures.
        unit: of intervals, see ``wsl.zoo.few_sets``.
    """
    rows = []
    for path in measured:
        for (encoder, architecture, part), group in pd.read_csv(path).groupby(MIXED, sort=False):
            row = {"encoder": encoder, "architecture": architecture, "part": part, "error": group["error"].mean()}
            row |= {**agreement_of(group, unit), "original_accuracy": group["original_accuracy"].mean()}
            rows.append({**row, **_means(group, ("spread", "decode_seconds"))})
    write_csv(out, pd.DataFrame(rows).sort_values(["architecture", "part"], kind="stable").round(4))
    write_csv(probed, pd.concat(map(pd.read_csv, probes))[["encoder", "architecture", *COLUMNS[2:]]].round(4))


def _by_encoder(paths: Sequence[str | Path], names: Sequence[str]) -> pd.DataFrame:
    tables = [pd.read_csv(path).assign(encoder=name) for path, name in zip(paths, names, strict=True)]
    return pd.concat(tables, ignore_index=True)
