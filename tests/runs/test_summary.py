"""The summary of a run: a table sorted by accuracy, which marks samplers below a baseline."""

import io
import sys
from pathlib import Path

import pytest

from wsl.files.plain import write_json
from wsl.runs.summary import print_summary, summary_lines

KINDS = {
    "trained": "reference", "reconstructed": "reference", "start": "baseline", "probe": "baseline",
    "body-prototypes": "baseline", "body-probe": "baseline", "projection": "sampler", "generator": "sampler",
}  # fmt: skip
SEEN = dict(zip(KINDS, (0.991, 0.985, 1 / 3, 0.9, 0.988, 0.995, 0.75, 0.985), strict=True))
UNSEEN = {**dict.fromkeys(KINDS, 0.5), "generator": 0.97, "body-probe": 0.96}
NUMBERS = {
    "members": 192, "members_diverged": 1, "validation_accuracy_max": 0.98, "agreement": 0.815, "chance": 1 / 3,
    "reconstruction_intervals": {"agreement": [0.7, 0.9]}, "chosen_sampler": "generator", "kinds": KINDS,
    "accuracy": {"validation": {"generator": 0.9}, "seen": SEEN, "unseen": UNSEEN},
    "sets": {"validation": 8, "seen": 24, "unseen": 12},
}  # fmt: skip
NUMBERS["accuracy_intervals"] = {
    kind: {name: [value - 0.01, min(value + 0.01, 1.0)] for name, value in values.items()}
    for kind, values in NUMBERS["accuracy"].items()
}


def lines(**changes):
    return summary_lines(Path("results/glyphs/report.html"), {**NUMBERS, **changes})


def methods(shown):
    """The rows of the table by method, in order."""
    return {line[2:].split()[0]: line for line in shown if line[2:18].strip() in KINDS}


def test_imported_members_are_checked_and_weights_alone_are_probed():
    line = lines(reported_accuracy=0.96, recomputed_accuracy=0.97)[3]
    assert "test members: 96.0% in their zoo, 97.0% on images of this run" in line
    loss, epoch = {"pca-ae": 0.5, "layer statistics": 0.75}, {"pca-ae": -1, "layer statistics": 1}
    about = {key: NUMBERS[key] for key in ("members", "members_diverged", "validation_accuracy_max")}
    probes = {"validation_loss": loss, "epoch": epoch}
    shown = summary_lines(Path("report.html"), {**about, "accuracy": {}, "probes": probes})
    assert shown[-4:-1] == [
        "                      pca-ae              layer statistics",
        "  validation_loss     0.500               0.750",
        "  epoch               -1.000              1.000",
    ]


def test_methods_are_sorted_by_accuracy_and_samplers_below_a_baseline_marked():
    rows = methods(lines())
    # The generator and the reconstructed members tie on seen classes; unseen ones decide.
    order = ["body-probe", "trained", "body-prototypes", "generator", "reconstructed", "probe", "projection", "start"]
    assert list(rows) == order
    generator = rows["generator"]
    assert generator.startswith("* ") and "sampler" in generator
    # Below body-probe on seen classes, above it on unseen ones.
    assert "98.5 [97.5, 99.5] <" in generator and generator.endswith("97.0 [96.0, 98.0]")
    assert rows["projection"].count("<") == 2
    assert not any("<" in rows[name] for name in KINDS if KINDS[name] != "sampler")
    text = "\n".join(lines())
    assert "below the best baseline on seen classes: body-probe" in text
    assert "(24 sets of classes)" in text and "(12 sets of classes)" in text
    assert "agree on 81.5 [70.0, 90.0] %" in text and "Chance: 33.3%" in text


def test_long_names_move_all_columns():
    name = "task-arithmetic-prototypes"
    names = [*KINDS, name]
    scores = {kind: dict.fromkeys(names, 0.5) for kind in ("seen", "unseen")}
    bounds = {kind: {key: [0.4, 0.6] for key in names} for kind in scores}
    shown = lines(kinds={**KINDS, name: "baseline"}, accuracy=scores, accuracy_intervals=bounds)
    header, *rows = [line for line in shown if line.startswith(("  method", f"  {name}", "  probe"))]
    assert [row.index("baseline") for row in rows] == [header.index("kind")] * 2


def test_it_fits_80_columns_of_ascii():
    worst = {name: 1.0 for name in KINDS}
    bounds = {kind: {name: [0.999, 1.0] for name in KINDS} for kind in ("seen", "unseen")}
    for shown in (
        lines(),
        lines(accuracy={"seen": worst, "unseen": {**worst, "generator": 0.9999}}, accuracy_intervals=bounds),
    ):
        assert max(map(len, shown)) <= 80
        assert all(line.isascii() for line in shown)


def test_one_set_of_classes_has_no_interval_and_no_unseen_column_where_there_are_none():
    accuracy, intervals = {"seen": SEEN}, {"seen": {name: [None, None] for name in KINDS}}
    shown = lines(accuracy=accuracy, accuracy_intervals=intervals, sets={"seen": 1})
    assert "(1 set of classes)" in "\n".join(shown) and "unseen" not in "\n".join(shown)
    assert methods(shown)["trained"].split() == ["trained", "reference", "99.1"]


def test_methods_without_an_accuracy_on_a_kind_of_classes_have_an_empty_cell():
    unseen = {name: value for name, value in UNSEEN.items() if name != "trained"}
    row = methods(lines(accuracy={"seen": SEEN, "unseen": unseen}))["trained"]
    assert row.split() == ["trained", "reference", "99.1", "[98.1,", "100.0]"]


def test_a_run_without_a_summary_prints_nothing(tmp_path, capsys):
    print_summary(tmp_path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_terminal_of_any_encoding_gets_the_summary(tmp_path, monkeypatch, encoding):
    results = tmp_path / "r\u00e9sultats"
    results.mkdir()
    write_json(results / "summary.json", NUMBERS)
    terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    print_summary(results)
    terminal.flush()
    text = terminal.buffer.getvalue().decode(encoding)
    assert "* generator" in text and ("r\u00e9sultats" if encoding == "utf-8" else "r\\xe9sultats") in text
