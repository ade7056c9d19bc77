"""Reconstructions by weight encoders, separately for members with different hyper-parameters."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from wsl.evaluation.encoder_tables import DIVERSITIES, agreement_of
from wsl.files.plain import write_csv
from wsl.zoo.few_sets import SETS
from wsl.zoo.index import open_zoo

GROUP = ["hyper-parameter", "value", "part"]


def encoder_groups(
    measured: Sequence[str | Path],
    held_out: Sequence[str | Path],
    out: str | Path,
    encoders: Sequence[str],
    by: Sequence[str],
    unit: str = SETS,
) -> None:
    """Write one row per encoder, hyper-parameter, value and part.

    The diversities are not divided, since they are of all members of a part.

    Args:
        measured: see ``wsl.evaluation.encoders.measure_encoder``, in the order of ``encoders``.
        held_out: indices of the members.
        out: CSV with ``encoder``, ``hyper-parameter``, ``value``, ``part``, ``original_accuracy`` on validation images,
            and the columns of ``wsl.evaluation.encoder_tables.encoder_tables`` about agreement and accuracy. Encoders
            that do not decode are left out.
        encoders: their names.
        by: hyper-parameters, see ``wsl.zoo.plan.hyper_parameters``.
        unit: of intervals, see ``wsl.zoo.few_sets``.
    """
    plans = pd.concat([_plan(path) for path in held_out], ignore_index=True).set_index("member")
    rows = []
    for path, encoder in zip(measured, encoders, strict=True):
        table = pd.read_csv(path)
        if "agreement" not in table:
            continue
        for name in by:
            values = table["member"].map(plans[name])
            for (value, part), group in table.groupby([values, "part"], sort=True):
                about = {"encoder": encoder, **dict(zip(GROUP, (name, value, part), strict=True))}
                original = {"original_accuracy": group["original_accuracy"].mean()}
                rows.append({**about, **original, **agreement_of(group, unit)})
    table = pd.DataFrame(rows).drop(columns=[*DIVERSITIES], errors="ignore")
    write_csv(out, table.sort_values(GROUP, kind="stable").round(4))


def _plan(path: str | Path) -> pd.DataFrame:
    with open_zoo(path) as zoo:
        return zoo.members
