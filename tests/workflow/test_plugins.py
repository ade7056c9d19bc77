"""One extension of each kind, from files outside the package, through the whole tiny workflow to the report."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from safetensors import safe_open

PLUGINS = Path(__file__).parents[1] / "plugins"
FILES = sorted(path.name for path in PLUGINS.glob("toy_*"))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(new_project, tiny_config, change):
    """The finished run with every toy plug-in: the files of tests/plugins, copied into the project's folder."""
    config = change(
        tiny_config,
        run="toys",
        plugins=[f"parts/{name}" for name in FILES if name.endswith(".py")],
        images={
            "source": {"name": "stripes", "drawn": 40},
            "classes": 5,
            "size": 16,
            "minimum": 5,
            "classes_per_job": 5,
        },
        zoo__members=10,
        zoo__cohort=10,  # few jobs, since most of their time is start-up
        zoo__architecture={"name": "toy-mlp", "hidden": 6},
        weights={"components": 8, "encoder": {"name": "rotation", "latent": 4, "epochs": 3}},
        shared__losses={"toy_hinge": {"weight": 0.5, "margin": 0.2}},
        sampling={"samplers": ["projection", "toy-ridge"], "sampler": "toy-ridge", "toy_ridge": {"penalty": 2.0}},
    )
    project = new_project(config)
    (project.root / "parts").mkdir()
    for name in FILES:
        shutil.copy2(PLUGINS / name, project.root / "parts")
    project.run()
    return project


def test_there_is_one_of_each_kind():
    kinds = ("architecture", "baseline", "figure", "loss", "sampler", "source", "weight_encoder")
    assert [name for name in FILES if name.endswith(".py")] == [f"toy_{kind}.py" for kind in kinds]


def test_the_run_consists_of_the_plugins(project):
    table = pd.read_csv(project.results / "tables" / "accuracy.csv")
    assert {"toy-ridge", "toy-median", "projection"} <= set(table["sampler"])
    assert table.set_index("sampler")["accuracy"].between(0, 1).all()
    members = pd.read_csv(project.results / "tables" / "members.csv")
    assert (members["architecture"] == "toy-mlp").all() and (members["hidden"] == 6).all()
    assert members["task"].str.contains("stripes-").all()
    encoder = next((project.results / "weights").glob("encoder.safetensors"))
    with safe_open(encoder, "pt") as file:
        assert "rotation" in json.dumps(file.metadata())
    with safe_open(next((project.results / "sampling" / "models").iterdir()), "pt") as file:
        about = json.loads(file.metadata()["wsl"])
    assert about["architecture"] == {"name": "toy-mlp", "hidden": 6} and about["sampler"] == "toy-ridge"


def test_the_report_shows_them(project):
    report = (project.results / "report.html").read_text(encoding="utf-8")
    caption = "Validation accuracy by validation loss of the 10 members"
    assert "accuracy by validation loss" in report and caption in report
    assert "toy-ridge" in report and "toy-median" in report


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("toy_baseline", Counter(judge=1)),
        ("toy_sampler", {"fit_toy-ridge", "judge", "sample"}),
        ("toy_loss", {"train_shared"}),
        ("toy_weight_encoder", {"train_weight_encoder", "embed_weights"}),
        ("toy_figure", Counter(toy_figure=1, html_report=1)),
        ("toy_architecture", {"train_cohort"}),
        ("toy_source", {"pack_classes_0"}),
    ],
)
def test_an_edit_of_a_plugin_reruns_what_uses_it_alone(project, name, first):
    path = project.root / "parts" / f"{name}.py"
    text = path.read_text(encoding="utf-8")
    try:
        path.write_text(text + "\n\nADDED = 1\n", encoding="utf-8")
        jobs = project.would_run()
    finally:
        path.write_text(text, encoding="utf-8")
    assert set(first) <= set(jobs)
    stages = [
        "pack_classes_0",
        "train_cohort",
        "fit_small_pca",
        "train_weight_encoder",
        "train_shared",
        "fit_toy-ridge",
    ]
    earliest = min((stages.index(rule) for rule in first if rule in stages), default=len(stages))
    assert not set(stages[:earliest]) & set(jobs), "stages before the plug-in do not depend on it"
    if isinstance(first, Counter):
        assert {rule: jobs[rule] for rule in first} == dict(first)


def test_the_finished_run_is_up_to_date(project):
    assert project.would_run() == Counter()
