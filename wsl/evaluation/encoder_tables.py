"""Tables of the bench of weight encoders."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from wsl.evaluation.intervals import over_sets
from wsl.files import write_csv

METRICS = ("agreement", "correlation", "cosine")
AVERAGED = ("spread", "fit_seconds", "decode_seconds", "peak_mib")


def encoder_tables(
    measured: Sequence[str | Path],
    probes: Sequence[str | Path],
    histories: Sequence[str | Path],
    baselines: str | Path,
    out: str | Path,
    probed: str | Path,
    losses: str | Path,
    names: Sequence[str],
    kinds: Sequence[str],
    gates: Sequence[str],
    shares: Sequence[float | None],
    regime: str,
) -> None:
    """Write one row per encoder and part, and one row per encoder and probe.

    Args:
        measured, probes, histories: see ``wsl.evaluation.encoders.measure_encoder``, in the order of ``names``.
        baselines: see ``wsl.evaluation.probes.measure_baselines``.
        out: CSV with ``encoder``, ``kind``, ``gate``, ``share``, ``regime``, ``part``, ``latent_size``; ``agreement``
            as decoded, ``agreement_bn`` after recalibration with ``low`` and ``high`` (95 % over sets of classes),
            ``agreement_searched`` where there was a search, with ``low_searched`` and ``high_searched``; correlation
            and cosine likewise; all of them of trained models (``max`` snapshots), means over sets; ``accuracy_kept``:
            the share of the originals' accuracy that recalibrated models keep, and ``accuracy_kept_searched``;
            ``members``, ``sets``: the n of the intervals; ``spread`` and costs, means over models;
            ``shared_validation_loss``, of the shared encoder on its latents in the epoch that is kept, beside
            ``shared_train_loss`` and ``shared_chance_loss``.
        probed: CSV with ``encoder`` and the columns of ``wsl.evaluation.probes.probe``.
        losses: CSV, all histories by ``encoder``.
        names, kinds: of the encoders; gates: by what their components were chosen, ``uniform`` without a budget.
        shares: of each one's compression that its first stage does; None where it has no two stages of that kind.
        regime: how members start.
    """
    tables = [pd.read_csv(path).assign(encoder=name) for path, name in zip(histories, names, strict=True)]
    curves = pd.concat(tables, ignore_index=True)
    write_csv(losses, curves)
    kept = curves[curves["kept"] & (curves["training"] == "shared")].set_index("encoder")
    rows = []
    for path, name, kind, gate, first in zip(measured, names, kinds, gates, shares, strict=True):
        for part, group in pd.read_csv(path).groupby("part", sort=False):
            ends = [end for end in ("", "_bn", "_searched") if f"agreement{end}" in group]
            found = {
                f"{metric}{end}": over_sets(group.assign(**{metric: group[f"{metric}{end}"]}), metric)
                for metric in METRICS
                for end in ends
            }
            means = {name: one["mean"] for name, one in found.items()}
            about = {"encoder": name, "kind": kind, "gate": gate, "share": first, "regime": regime, "part": part}
            averages = {name: group[name].mean() for name in AVERAGED}
            size = int(group["latent_size"].iloc[0])
            more: dict[str, float] = {"members": len(group), "sets": found["agreement"]["sets"]}
            for end, name_end in (("_bn", ""), ("_searched", "_searched")):
                if end in ends:
                    bounds = {key: found[f"agreement{end}"][key] for key in ("low", "high")}
                    share = group[f"accuracy{end}"].sum() / group["original_accuracy"].sum()
                    more |= {f"{key}{name_end}": value for key, value in {**bounds, "accuracy_kept": share}.items()}
            if name in kept.index:
                reached = {"train": "train_loss", "validation": "validation_loss", "chance": "validation_chance"}
                more |= {f"shared_{key}_loss": kept.loc[name, column] for key, column in reached.items()}
            rows.append({**about, "latent_size": size, **means, **more, **averages})
    write_csv(out, pd.DataFrame(rows).round(4))
    tables = [pd.read_csv(path).assign(encoder=name) for path, name in zip(probes, names, strict=True)]
    found = pd.concat([*tables, pd.read_csv(baselines)], ignore_index=True)
    columns = ["encoder", "target", "score", "low", "high", "chance", "snapshots", "members", "sets", "features"]
    write_csv(probed, found[columns].round(4))
