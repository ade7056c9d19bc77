"""Tables of the bench of weight encoders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from wsl.evaluation.intervals import over_sets
from wsl.files.plain import write_csv

METRICS = ("agreement", "correlation", "cosine")
ABOUT = dict.fromkeys(("encoder", "kind", "gate", "share", "regime"))  # the order of the columns
AVERAGED = ("spread", "fit_seconds", "decode_seconds", "peak_mib")


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
        baselines: see ``wsl.evaluation.probes.measure_baselines``.
        out: CSV with the keys of ``encoders``, ``part``, ``latent_size``; ``agreement`` as decoded, ``agreement_bn``
            after recalibration with ``low`` and ``high`` (95 % intervals over sets of classes), ``agreement_searched``
            if there was a search, with ``low_searched`` and ``high_searched``; correlation and cosine likewise; all of
            fully trained models, means over sets; ``accuracy_kept``, the fraction of the originals' accuracy that
            recalibrated models keep, and ``accuracy_kept_searched``; ``members`` and ``sets``, the n of the intervals;
            ``spread`` and costs, means over models; ``shared_validation_loss`` of the shared encoder on its latents in
            the epoch that is kept, with ``shared_train_loss`` and ``shared_chance_loss``.
        probed: CSV with ``encoder`` and the columns of ``wsl.evaluation.probes.probe``.
        losses: CSV, all histories by ``encoder``.
        encoders: of each, ``encoder`` (its name on the bench), ``kind``, ``gate`` (of its budget; ``uniform`` without
            one), ``share`` (fraction of its compression by a first stage, or None) and ``regime`` (start of members).
    """
    names = [encoder["encoder"] for encoder in encoders]
    tables = [pd.read_csv(path).assign(encoder=name) for path, name in zip(histories, names, strict=True)]
    curves = pd.concat(tables, ignore_index=True)
    write_csv(losses, curves)
    kept = curves[curves["kept"] & (curves["training"] == "shared")].set_index("encoder")
    rows = []
    for path, about in zip(measured, encoders, strict=True):
        name = about["encoder"]
        for part, group in pd.read_csv(path).groupby("part", sort=False):
            suffixes = [suffix for suffix in ("", "_bn", "_searched") if f"agreement{suffix}" in group]
            found = {
                f"{metric}{suffix}": over_sets(group.assign(**{metric: group[f"{metric}{suffix}"]}), metric)
                for metric in METRICS
                for suffix in suffixes
            }
            means = {key: statistics["mean"] for key, statistics in found.items()}
            averages = {key: group[key].mean() for key in AVERAGED}
            size = int(group["latent_size"].iloc[0])
            more: dict[str, float] = {"members": len(group), "sets": found["agreement"]["sets"]}
            for suffix, short in (("_bn", ""), ("_searched", "_searched")):
                if suffix in suffixes:
                    bounds = {key: found[f"agreement{suffix}"][key] for key in ("low", "high")}
                    share = group[f"accuracy{suffix}"].sum() / group["original_accuracy"].sum()
                    more |= {f"{key}{short}": value for key, value in {**bounds, "accuracy_kept": share}.items()}
            if name in kept.index:
                reached = {"train": "train_loss", "validation": "validation_loss", "chance": "validation_chance"}
                more |= {f"shared_{key}_loss": kept.loc[name, column] for key, column in reached.items()}
            rows.append({**ABOUT, **about, "part": part, "latent_size": size, **means, **more, **averages})
    write_csv(out, pd.DataFrame(rows).round(4))
    tables = [pd.read_csv(path).assign(encoder=name) for path, name in zip(probes, names, strict=True)]
    found = pd.concat([*tables, pd.read_csv(baselines)], ignore_index=True)
    columns = ["encoder", "target", "score", "low", "high", "chance", "snapshots", "members", "sets", "features"]
    write_csv(probed, found[columns].round(4))
