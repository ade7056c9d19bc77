"""Stages of conditional sampling and its evaluation, and the commands that read and write models."""

import logging
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import wsl
from tests.stages.material import BUILT_ON, FIRST, NAMES, SIZE, TASK, Material
from tests.stages.of_weights import logits
from tests.stages.outcome import Outcome, refused, stage
from wsl.cli.facts import read_facts
from wsl.cli.inspect import _neighbours
from wsl.evaluation.bench import BenchSettings
from wsl.evaluation.control import judge_control
from wsl.evaluation.encoders import BenchInputs, measure_encoder
from wsl.evaluation.novelty import judge_novelty
from wsl.evaluation.probe_baselines import measure_baselines
from wsl.evaluation.protocol import judge
from wsl.evaluation.reconstruction import ReconstructionInputs, on_training_data, over_training
from wsl.evaluation.refined import judge_refinement
from wsl.evaluation.settings import FineTuning
from wsl.images.tasks import TaskImages
from wsl.runs.run import Run
from wsl.sampling.description import NAME, describe_sampler
from wsl.sampling.loading import OpenRun
from wsl.sampling.merged_body import fit_merged
from wsl.sampling.merging.base import MERGES
from wsl.sampling.methods.base import METHODS
from wsl.sampling.model_files import model_layout, read_model
from wsl.sampling.models import sample_models
from wsl.sampling.onnx import export_onnx
from wsl.sampling.recalibration import Recalibration
from wsl.sampling.refinement import Budget
from wsl.settings.sections import plain
from wsl.shared.predictor import load_predictor
from wsl.shared.settings import Shared
from wsl.zoo.foreign.exporting import export_zoo
from wsl.zoo.foreign.importing import import_zoo
from wsl.zoo.foreign.options import ImportOptions
from wsl.zoo.index import open_zoo, read_weights
from wsl.zoo.member import read_member

TUNING = {"optimizer": "adam", "learning_rate": 1e-3, "batch_size": 16, "augment": True}
RECIPE = {"epochs": 1, "hidden": [4], "dropout": 0.0}
BUILT_IN = [name for name in METHODS if METHODS[name].__module__.startswith("wsl.")]
MERGED = [name for name in METHODS if hasattr(METHODS[name], "merge")]  # the stage "model merging"


@stage("shared encoder")
def projects_conditions(m: Material):
    network = load_predictor(m.shared)
    with OpenRun(m.method_files("mean"), m.choice("mean", recalibrate=False)) as run:
        projected = network.predict(run.class_means.embed([TASK]), np.float32([0.5]))
    assert projected.shape == (1, m.codec().encoder.latent) and np.isfinite(projected).all()


def samples(name: str, task: str = TASK, loss: float = 0.5):
    def run(m: Material):
        with OpenRun(m.method_files(name), m.choice(name)) as run:
            weights = run.load().sample(task, loss, 3 if METHODS[name].uses_images else None)
            assert weights.shape == (m.layout.size,) and np.isfinite(weights).all()
            assert logits(weights, run.layout, torch.randn(2, 3, SIZE, SIZE)).shape == (2, 3)
        return weights

    return run


def sampler(name: str):
    def run(m: Material):
        if name == "generator" and len(m.layout.head) == 1:
            return refused("have no bias", Run, m.config(sampling={"samplers": ["generator"]}))
        weights = samples(name)(m)
        if name == "generator":  # the head has the classes of the task in their order
            reverse = samples(name, "/".join(reversed(TASK.split("/"))))(m)
            for key in m.layout.head:
                ours, theirs = (m.layout.split(values)[key] for values in (weights, reverse))
                np.testing.assert_allclose(theirs[::-1], ours, rtol=1e-2, atol=1e-3)
        return None

    return run


for method in METHODS.of_kind("sampler"):
    if method in BUILT_IN:
        stage(f"sampler `{method}`")(sampler(method))


@stage("baselines and references")
def has_models_of_baselines(m: Material):
    member = read_member(m.members["test"][0])
    sampling = {"samplers": ["kde", "retrieval", m.samplers[-1]]}
    sampling |= {name: {"of": sampler} for name, sampler in BUILT_ON.items()}
    run = Run(m.config(sampling=sampling))
    names = [name for name in METHODS.of_kind("baseline", "reference") if name in BUILT_IN and name not in MERGED]
    applied = [name for name in names if METHODS[name].applies(run)]
    for name in applied:
        weights = samples(name)(m)
        assert name != "trained" or np.array_equal(weights, member.weights[-1])
    if applied != names:
        assert len(m.layout.head) == 1, set(names) - set(applied)
        return Outcome(remark="without those that fit a head to features, since heads of these networks have no bias")
    return None


@stage("model merging")
def merges_members(m: Material):
    if len(m.layout.head) == 1:
        return refused("have no bias", Run, m.config(sampling={"merging": {"methods": ["soup"]}}))
    files = m.method_files("prototypes")
    for name in MERGES:
        files.others["merged"] = out = m.root / f"merged-{name}.safetensors"
        fit_merged(files, out, name, {}, list(NAMES))
        with OpenRun(files, m.choice(f"{name}-probe")) as run:
            weights = run.load().sample(TASK, 0.5, 3)
            assert weights.shape == (m.layout.size,) and np.isfinite(weights).all()
            assert logits(weights, run.layout, torch.randn(2, 3, SIZE, SIZE)).shape == (2, 3)
    return None


@stage("recalibration")
def estimates_statistics(m: Material):
    images = TaskImages(m.images.files).of_task(TASK)[0]
    weights = Recalibration(m.layout, images[:0], strength=0.0)(m.weights, images)
    running = np.zeros(m.layout.size, dtype=bool)
    for entry in m.layout.entries:
        running[entry.columns] = entry.running
    np.testing.assert_array_equal(weights[~running], m.weights[~running])
    with OpenRun(m.method_files("mean"), m.choice("mean", recalibrate=True)) as run:
        assert (run.recalibration is not None) == running.any()  # otherwise, every model would be made twice
    if not running.any():
        return Outcome(remark="changes nothing: the networks have no batch normalisation")
    assert not np.allclose(weights[running], m.weights[running])
    again = Recalibration(m.layout, images[:0], strength=0.0)(m.weights, images)
    np.testing.assert_array_equal(again, weights)  # dropout and stochastic depth would draw other numbers
    return None


@stage("refinement")
def refines_codes(m: Material):
    out, tables = m.root / "refined.csv", []
    for _ in range(2):
        judge_refinement(m.method_files("retrieval"), out, m.choice("retrieval"), 0.5, Budget(steps=2, batch_size=16))
        tables.append(pd.read_csv(out))
    assert tables[0]["method"].tolist() == ["before", "refined", "fine_tuned"] * 2
    assert np.isfinite(tables[0]["loss"]).all()
    pd.testing.assert_frame_equal(*tables)


@stage("accuracy on held-out tasks")
def measures_accuracies(m: Material):
    for name in ("retrieval", "trained"):
        out = m.root / f"{name}-accuracies.csv"
        judge(m.method_files(name), out, m.choice(name), "best", [1], FineTuning(**TUNING, epochs=[1]))
        table = pd.read_csv(out)
        assert table["accuracy"].between(0, 1).all() and set(table["part"]) == {"validation", "test"}
    recorded = read_member(m.members["validation"][0]).snapshots["validation_accuracy"].iloc[-1]
    assert table.loc[table["part"] == "validation", "accuracy"].iloc[0] == pytest.approx(recorded)


@stage("reconstruction")
def compares_reconstructions(m: Material):
    inputs = m.index["train"], m.coefficients["train"], m.index["train"], m.pca, m.fitted(FIRST), m.images.files
    on_training_data(ReconstructionInputs(*inputs), m.root / "reconstruction.csv", most=8)
    table = pd.read_csv(m.root / "reconstruction.csv").set_index("stage")
    assert (table.loc["pca", "correlation"] > 0.999).all() and np.isfinite(table["correlation"]).all()
    states = m.fitted(FIRST).with_suffix(".states")
    over_training(m.index["test"], m.pca, states, m.root / "states.csv", images=8, size=SIZE)
    assert pd.read_csv(m.root / "states.csv")["agreement"].between(0, 1).all()


@stage("control by R, and novelty")
def measures_properties(m: Material):
    judge_control(m.method_files("retrieval"), m.root / "control.csv", m.choice("retrieval"), 2)
    assert np.isfinite(pd.read_csv(m.root / "control.csv")["achieved"]).all()
    inputs, outputs = m.method_files("nearest"), (m.root / "novelty.csv", m.root / "diversity.csv")
    judge_novelty(inputs, *outputs, m.choice("nearest", recalibrate=False), 0.5, samples=1)
    table = pd.read_csv(outputs[0])
    assert table["finite"].all() and set(table["nearest_member"]) <= set(range(4))


@stage("probes")
def fits_probes(m: Material):
    held_out = [m.index["validation"], m.index["test"]]
    measure_baselines(m.index["train"], held_out, m.accuracies, m.root / "probes.csv")
    table = pd.read_csv(m.root / "probes.csv")
    assert set(table["encoder"]) == {"statistics", "flat"} and {"optimizer"} < set(table["target"])


@stage("bench of weight encoders")
def measures_encoders(m: Material):
    inputs = BenchInputs(
        *(m.index["train"], m.index["validation"], [m.index["train"]], m.pca),
        *(m.coefficients["train"], m.coefficients["validation"], m.images.files, m.accuracies, m.images.means, m.bins),
    )
    settings = {"encoder": "pca", "components": 32, "budget": None, "gate": "variance", "search": {}}
    shared = Shared(outcome_embedding=4, **RECIPE)
    out, *others = (m.root / f"bench-{name}.csv" for name in ("members", "probes", "history"))
    seeds = dict.fromkeys(("encoder", "orders", "shared", "search"), 0)
    measure_encoder(inputs, out, *others, BenchSettings(**settings, shared=shared), seeds)
    table = pd.read_csv(out)
    assert (table["agreement"] > 0.95).all() and np.isfinite(table["accuracy_bn"]).all()


@cache
def user_model(m: Material) -> tuple[Path, dict]:
    """Sample a model for a user's photos, as ``wsl sample`` does; return its file and its metadata."""
    embedding = {"clip": {"model": str(m.images.clip), "weights": None, "seed": 0}, "prompts": []}
    about = {"run": "tiny", "architecture": plain(m.architecture), "size": SIZE, "encoder": {"encoder": "clip"}}
    inputs = m.method_files("regression")
    describe_sampler(inputs, m.root / NAME, m.choice("regression"), "best", embedding, about, TUNING)
    run = wsl.open(m.root)
    model = run.sample(run.embed(m.images.photos, held_out=0.5), refine=1)
    return model.save(m.root / "model.safetensors"), model.about


@stage("`wsl sample`")
def samples_for_a_user(m: Material):
    out, content = user_model(m)
    state, about = read_model(out)
    assert model_layout(out, state, about) == m.layout and about["classes"] == ["A", "C", "D"]
    assert set(content["estimates"]) == {"as sampled", "refined"}
    heads = {"prototypes", "probe", "body-prototypes", "body-probe"}
    assert set(content["baselines"]) == {"pixels"} | (heads if len(m.layout.head) == 2 else set())


@stage("`wsl inspect`")
def describes_files(m: Material):
    user_model(m)
    sampled = m.root / "models" / "0.safetensors"
    requests = [{"task": TASK, "member": 5}]
    about = {"run": "tiny", "architecture": plain(m.architecture), "size": SIZE}
    sample_models(m.method_files("regression"), [sampled], m.choice("regression"), "best", requests, about)
    kinds = [read_facts(path).kind for path in (m.members["train"][0], m.index["train"], sampled)]
    assert kinds == ["member", "index", "model"]
    (first, *_) = _neighbours(read_facts(m.members["train"][0]), m.root, 2)
    assert first["member"] == 0 and first["cosine"] == pytest.approx(1, abs=1e-3)


@stage("`wsl export` and `wsl import` of a zoo")
def exports_and_imports(m: Material):
    files = list(m.index.values())
    assert export_zoo(files, m.root / "theirs").members == 6
    done = import_zoo(m.root / "theirs", m.root / "ours", ImportOptions())
    for part, path in m.index.items():
        with open_zoo(path) as zoo, open_zoo(m.root / "ours" / f"{part}.h5") as imported:
            np.testing.assert_array_equal(read_weights(imported), read_weights(zoo))
            if done.recognised["architecture"] == "other":
                return Outcome(remark="weights come back, but the architecture is not recognised")
            assert imported.layout.entries == zoo.layout.entries
            images = torch.randn(2, 3, SIZE, SIZE)
            ours, theirs = (logits(m.weights, one.layout, images) for one in (imported, zoo))
            assert torch.equal(ours, theirs)
    return None


@stage("`wsl export` to ONNX")
def becomes_onnx(m: Material):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, _ = user_model(m)
    logging.getLogger("torch.onnx").setLevel(logging.CRITICAL)
    export_onnx(model, m.root / "model.onnx")
    state, _ = read_model(model)
    weights = np.concatenate([state[entry.name].numpy().ravel() for entry in m.layout.entries])
    images = torch.randn(3, 3, SIZE, SIZE)
    session = onnxruntime.InferenceSession(m.root / "model.onnx")
    ours = session.run(None, {"images": images.numpy()})[0]
    np.testing.assert_allclose(ours, logits(weights, m.layout, images), atol=1e-4)
