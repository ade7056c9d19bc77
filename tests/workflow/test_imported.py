"""The whole workflow on a zoo that another program trained: a few small CNNs of plain torch, in Ray Tune's layout."""

import hashlib
import json
from collections import Counter

import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional
from typer.testing import CliRunner

from tests.zoo.foreign.conftest import write_run
from wsl.cli.main import app
from wsl.evaluation.imported import compare_accuracies
from wsl.evaluation.probe_baselines import probe_encoder
from wsl.evaluation.tables import write_weights_summary
from wsl.files.plain import read_json
from wsl.files.tensors import read_tensors
from wsl.report.cautions import FAR
from wsl.zoo.foreign.importing import import_zoo
from wsl.zoo.foreign.options import ImportOptions
from wsl.zoo.index import open_zoo, write_index
from wsl.zoo.member import read_member, write_members

pytestmark = pytest.mark.slow

SIZE, CLASSES, MEMBERS = 21, 3, 8
MEAN, STD = [0.2] * 3, [0.1] * 3


def network():
    """The zoos' small CNN, as a list of modules that are applied in order."""
    convolutions = [nn.Conv2d(3, 4, 5), nn.MaxPool2d(2), nn.Tanh(), nn.Conv2d(4, 4, 5), nn.MaxPool2d(2), nn.Tanh()]
    rest = [nn.Conv2d(4, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(3, 20), nn.Tanh(), nn.Linear(20, CLASSES)]
    own = nn.Module()
    own.module_list = nn.Sequential(*convolutions, *rest)
    return own


def write_zoo(folder):
    """Train each network for 20 steps, at their own normalisation."""
    digits = load_digits()
    chosen = digits.target < CLASSES
    grey = torch.tensor(digits.images[chosen] / 16, dtype=torch.float32)[:, None].expand(-1, 3, -1, -1)
    images = functional.interpolate(grey, size=SIZE, mode="bicubic").clamp(0, 1).sub(MEAN[0]).div(STD[0])
    labels = torch.tensor(digits.target[chosen])
    for seed in range(MEMBERS):
        torch.manual_seed(seed)
        model, lines, weights = network(), [], {}
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        train, validation = torch.randperm(len(images)).split(400)
        params = {"seed": seed, "model::nlin": "tanh", "optim::optimizer": "adam", "optim::lr": 0.01 + seed / 1000}
        for epoch in range(3):
            for batch in train.split(20)[:10] if epoch else ():
                optimizer.zero_grad()
                functional.cross_entropy(model.module_list(images[batch]), labels[batch]).backward()
                optimizer.step()
            line = {"training_iteration": epoch}
            for part, places in (("train", train), ("val", validation)):
                with torch.no_grad():
                    logits = model.module_list(images[places])
                line[f"{part}_loss"] = functional.cross_entropy(logits, labels[places]).item()
                line[f"{part}_acc"] = (logits.argmax(1) == labels[places]).float().mean().item()
            lines.append(line)
            weights[f"checkpoint_{epoch:06d}"] = {name: value.clone() for name, value in model.state_dict().items()}
        write_run(folder / f"NN_tune_trainable_{seed:05d}_seed={seed}", weights, lines, params)


def contents(folder):
    return {path: hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def config(tiny_config, change):
    # With pooling, 20 and 21 pixels give equal shapes, and the import assumes the smaller one.
    images = {"source": "digits", "size": SIZE, "mean": MEAN, "std": STD, "classes_per_job": CLASSES}
    imported = {"import": "zoos/digits"}
    return change(tiny_config, run="own", seed=0, images=images, zoo=imported, evaluation__image_counts=[5])


@pytest.fixture(scope="module")
def project(new_project, config, tmp_path_factory):
    project, foreign = new_project(config), tmp_path_factory.mktemp("foreign")
    write_zoo(foreign)
    options = ImportOptions(classes=["0", "1", "2"], shares=[4, 2, 2], seed=1)
    import_zoo(foreign, project.root / "zoos" / "digits", options)
    before = contents(project.root / "zoos")
    project.printed = project.run()
    assert contents(project.root / "zoos") == before
    return project


def test_the_run_is_complete_and_trains_nothing(project, read_jobs):
    rules = {job["rule"] for job in read_jobs(project.printed)}
    assert {"index_part", "judge", "sample", "html_report", "check_imported"} <= rules
    assert not {"train_cohort", "start"} & rules and not (project.results / "zoo" / "members").exists()
    assert "all members have the same task" in project.printed
    page = (project.results / "report.html").read_text()
    assert "All members have the same task" in page and "zoos/digits" in page
    for path in (project.results / "sampling" / "models").iterdir():
        _, about = read_tensors(path)
        assert about["architecture"]["name"] == "cnn-small" and about["size"] == SIZE
        assert about["preprocessing"] == {"mean": MEAN, "std": STD, "scale": "pixels / 255"}


def test_trained_accuracies_are_those_of_each_member(project):
    table = pd.read_csv(project.results / "evaluation" / "protocol" / "trained-0.csv", dtype={"images": str})
    test = table[table["part"] == "test"]
    assert test["task"].nunique() == 1 and test["accuracy"].nunique() == len(test) > 1


def test_recomputed_accuracies_agree_unless_the_normalisation_is_wrong(project, tmp_path):
    numbers = read_json(project.results / "summary.json")
    assert numbers["reported_accuracy"] == pytest.approx(numbers["recomputed_accuracy"], abs=0.05)
    assert numbers["reported_accuracy"] > 0.6
    assert "% in their zoo, " in project.printed
    assert "probably" not in (project.results / "report.html").read_text()
    members = sorted((project.root / "zoos" / "digits" / "members").iterdir())
    write_index(members, tmp_path / "index.h5", normalisation=[[0.9] * 3, [1.0] * 3])
    packed = sorted((project.results / "images").glob("*.h5"))
    compare_accuracies(tmp_path / "index.h5", packed, tmp_path / "imported.csv")
    table = pd.read_csv(tmp_path / "imported.csv")
    assert table["recomputed"].mean() < table["reported"].mean() - FAR


def test_commands_describe_the_run(project, monkeypatch):
    monkeypatch.chdir(project.root)

    def wsl(*arguments):
        return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "300"})

    assert "recomputed accuracy" in wsl("inspect", "results/own").output
    assert wsl("watch", "results/own", "--once").exit_code == 0
    assert "members: " in wsl("doctor", "tiny.yaml").output
    sampled = wsl("sample", "--from", "results/own", "--classes", "a,b,c", "--out", "abc.safetensors")
    assert "datasets.prompts" in sampled.output  # the same reason as for any run without prompts


def test_without_images_weights_and_results_are_enough(project, config, change, tmp_path):
    project.write_config(change(config, run="weights", images={"source": "none"}, sampling={}))
    planned = project.would_run()
    project.write_config(config)
    figures = Counter(zoo_overview=1, autoencoder_loss=1, output_metrics=1, reconstruction_over_training=1)
    weights = Counter(fit_small_pca=1, pca_table=1, coefficients=3, train_weight_encoder=1, embed_weights=3)
    assert planned == figures + weights + Counter(
        plan=1, index_part=3, zoo_table=1, probe_weights=1, about_tables=1, summary=1, html_report=1, explore=1
    )
    # Its two jobs that no other run has, on files of the finished run.
    zoo, coded = project.results / "zoo", project.results / "weights"
    with open_zoo(zoo / "train.h5") as index:
        fitted = [coded / "pca" / f"{entry.name}.h5" for entry in index.layout.entries]
    probes, members = tmp_path / "probes.csv", project.results / "tables" / "members.csv"
    probe_encoder(zoo / "train.h5", [zoo / "test.h5"], fitted, coded / "encoder.safetensors", probes, "pca-ae")
    write_weights_summary(members, probes, tmp_path / "summary.json", CLASSES)
    table, numbers = pd.read_csv(probes), read_json(tmp_path / "summary.json")
    assert set(table["encoder"]) == {"pca-ae", "statistics", "flat"}
    assert set(numbers["probes"]) == set(table["target"]) >= {"validation_loss", "epoch"}
    assert numbers["probes"]["epoch"]["pca-ae"] == table["score"][table["target"] == "epoch"].iloc[0]
    assert (numbers["members"], numbers["chance"]) == (MEMBERS, 1 / CLASSES)


def test_only_changed_members_make_jobs_stale(project):
    assert not project.would_run()
    folder = project.root / "zoos" / "digits"
    (folder / "import.json").write_text(json.dumps({"changed": True}))
    assert not project.would_run()
    plan = pd.read_csv(project.results / "zoo" / "plan.csv")
    path = folder / "members" / f"{plan.loc[plan['part'] == 'test', 'member'].iloc[0]:05d}.h5"
    member = read_member(path)
    member.weights[-1] += 0.01
    write_members(path, [member])
    stale = project.would_run()
    assert stale["index_part"] == 1 and stale["judge"] and stale["check_imported"]
    assert not {"fit_small_pca", "train_weight_encoder", "train_shared", "pack_classes_0"} & set(stale)
