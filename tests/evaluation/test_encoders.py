"""The bench of weight encoders against the codec, scikit-learn and manual calculations."""

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit, logit
from sklearn.metrics import r2_score

from tests.networks import resnet18_layout
from tests.ridge import searched_ridge
from wsl.evaluation.accuracies import measure_accuracies
from wsl.evaluation.bench import BenchSettings
from wsl.evaluation.encoder_tables import encoder_tables
from wsl.evaluation.encoders import BenchInputs, measure_encoder
from wsl.evaluation.probe_baselines import measure_baselines
from wsl.evaluation.probes import probe
from wsl.files.hdf5 import new_hdf5, put_table
from wsl.jobs.job import Job
from wsl.jobs.progress import Progress
from wsl.shared.settings import Shared
from wsl.shared.training import train_shared
from wsl.training import fitting
from wsl.training.fitting import Standardiser
from wsl.weights.coefficients import read_coefficients
from wsl.weights.encoders._features import layer_statistics
from wsl.weights.encoders.tokens import tokens_of
from wsl.weights.fitted import FittedEncoder
from wsl.weights.sensitivity import measure_sensitivity
from wsl.zoo.index import open_zoo, write_index

RECIPE = {"learning_rate": 0.003, "weight_decay": 0.0, "batch_size": 4, "epochs": 2, "patience": None}
RECIPE |= {"schedule": "constant", "keep": "last"}
PCA = {"name": "pca", "normalise": "per-parameter"}
SHARED = Shared(outcome_embedding=4, hidden=[8], dropout=0.0, **RECIPE)
SEEDS = dict.fromkeys(("encoder", "orders", "shared", "search"), 0)
LAYOUT = resnet18_layout(2, 3)


@pytest.fixture(scope="module")
def accuracies(zoo, packed, tmp_path_factory):
    path = tmp_path_factory.mktemp("probes") / "accuracies.csv"
    measure_accuracies([zoo.train, zoo.test], list(packed.values()), path)
    return path


@pytest.fixture
def measure(zoo, fitted, coefficients, packed, class_means, bins, accuracies, tmp_path):
    def run(sensitivity=None, job=Job(), **changes):  # noqa: B008
        out, probes, history = (tmp_path / f"{name}.csv" for name in ("m", "p", "h"))
        settings = {"encoder": PCA, "components": 32, "budget": None, "gate": "variance", "search": {}, **changes}
        inputs = BenchInputs(
            *(zoo.train, zoo.validation, [zoo.test, zoo.train], fitted),
            *(coefficients["train"], coefficients["validation"], list(packed.values())),
            *(accuracies, list(class_means.values()), bins, sensitivity),
        )
        measure_encoder(inputs, out, probes, history, BenchSettings(**settings, shared=SHARED), SEEDS, job)
        return pd.read_csv(out), pd.read_csv(probes)

    return run


def test_members_that_pca_fits_exactly_are_reconstructed(measure, monkeypatch):
    monkeypatch.setattr(FittedEncoder, "facts", lambda encoder, latents: {"networks": len(latents)})
    table, _ = measure()
    training = table[table["part"] == "train"]
    assert training["agreement"].min() > 0.97 and len(training) == 3  # fully trained snapshots alone
    assert training["correlation"].min() > 0.999
    assert (table["latent_size"] == table["latent_size"].iloc[0]).all()
    assert training["spread"].to_numpy() == pytest.approx(1, abs=0.01)
    assert (table[["fit_seconds", "decode_seconds", "peak_mib"]] > 0).all(axis=None)
    assert table["fact_networks"].tolist() == [1, 3, 3, 3] and (table["fact_train_networks"] == 3).all()


@pytest.mark.parametrize(("components", "budget", "size"), [(2, None, None), (32, 150, 150), (1, 140, 140)])
def test_encoders_keep_the_configured_number_of_components(measure, coefficients, components, budget, size):
    with h5py.File(coefficients["train"]) as file:
        owners = np.bincount(file["parameter"][...])
    sizes = [entry.size for entry in LAYOUT.entries]
    whole = sum(n if size <= 4 else min(n, components) for n, size in zip(owners, sizes, strict=True))
    table, probes = measure(components=components, budget=budget)
    assert (table["latent_size"] == (size or whole)).all()
    assert (probes.loc[~probes["with_statistics"], "features"] == (size or whole)).all()


def test_an_encoder_that_decodes_to_nearly_one_model_has_little_spread(measure):
    table, _ = measure(budget=124)  # one component, and parameters that are only centred
    assert table.loc[table["part"] == "train", "spread"].max() < 0.5


@pytest.mark.parametrize(("encoder", "size"), [("statistics", 7 * len(LAYOUT.entries)), ("flat", LAYOUT.size)])
def test_encoders_that_do_not_decode_are_probed_and_aligned_alone(measure, tmp_path, encoder, size):
    table, probes = measure(encoder=encoder)
    assert list(table) == ["member", "task", "part", "latent_size", "fit_seconds", "peak_mib"]
    assert (table["latent_size"] == size).all() and len(table) == 4
    alone = probes[~probes["with_statistics"]]
    assert (alone["features"] == size).all() and len(alone) == 5
    if encoder == "statistics":
        assert alone["gain"].dropna().abs().max() < 1e-5 and alone["gain"].notna().sum() == 4
    history = pd.read_csv(tmp_path / "h.csv").set_index("training")
    assert history.loc["shared", "validation_loss"].gt(0).all() and np.isnan(history.loc["encoder", "train_loss"])


def test_latents_of_tokens_are_probed_whole_and_as_their_mean(measure):
    tokens = len(tokens_of(LAYOUT, 64).places)
    shape = {"latent": 3 * tokens, "size": 64, "width": 8, "heads": 1, "depth": 1, "epochs": 1}
    _, probes = measure(encoder={"name": "sane", **shape})
    alone = probes[~probes["with_statistics"]]
    assert alone["summary"].tolist() == ["all"] * 5 + ["token-mean"] * 5
    assert alone["features"].tolist() == [3 * tokens] * 5 + [3] * 5


def test_a_killed_fit_resumes(measure, monkeypatch, tmp_path):
    encoder = {"name": "pca-ae", "latent": 4, "hidden": [8], "behaviour": 1.0, "behaviour_queries": 2}
    encoder |= {**RECIPE, "epochs": 3}
    expected, expected_probes = measure(encoder=encoder)

    def job():
        return Job(progress=Progress(tmp_path / "job", "key", seconds=0))

    with monkeypatch.context() as patch:
        train, epochs = fitting._Fit.train, iter(range(3))
        patch.setattr(fitting._Fit, "train", lambda fit: train(fit) if next(epochs) < 2 else 1 / 0)
        with pytest.raises(ZeroDivisionError):
            measure(job=job(), encoder=encoder)
    trained, train = [], fitting._Fit.train
    monkeypatch.setattr(fitting._Fit, "train", lambda fit: (trained.append(fit.epochs), train(fit))[1])
    table, probes = measure(job=(resumed := job()), encoder=encoder)
    assert trained == [3, 2, 2]  # its last epoch, and both of the shared encoder
    pd.testing.assert_frame_equal(probes, expected_probes)
    told = ["fit_seconds", "decode_seconds", "peak_mib"]
    pd.testing.assert_frame_equal(table.drop(columns=told), expected.drop(columns=told))
    assert (table["fit_seconds"] > resumed.progress.earlier).all() and resumed.progress.earlier > 0


def test_a_budget_by_function_reads_the_sensitivity(measure, zoo, fitted, packed, tmp_path):
    table = tmp_path / "s.csv"
    measure_sensitivity(zoo.train, fitted, list(packed.values()), table, recalibrated=True)
    by = {gate: measure(budget=150, gate=gate, sensitivity=table)[0] for gate in ("function", "variance")}
    assert not by["function"]["agreement"].equals(by["variance"]["agreement"])


def test_a_search_is_measured_too(measure):
    table, _ = measure(budget=140, search={"steps": 4, "learning_rate": 0.05})
    assert table["agreement_searched"].between(0, 1).all()
    assert not table["correlation_searched"].equals(table["correlation_bn"])


def test_the_shared_encoder_is_trained_on_its_latents(measure, coefficients, class_means, bins, tmp_path):
    """The latents of a PCA with all components are the standardised coefficients."""
    measure()
    history = pd.read_csv(tmp_path / "h.csv").set_index("training")
    assert history.loc["shared", "epoch"].tolist() == [1, 2] and history["kept"].sum() == 2
    twins = {}
    with h5py.File(coefficients["train"]) as file:
        standard, owners = Standardiser(file["coefficients"].shape[1]), file["parameter"][...]
        standard.fit(torch.from_numpy(file["coefficients"][...]), "per-parameter", owners)
    for part in ("train", "validation"):
        values, snapshots = read_coefficients(coefficients[part])
        twins[part] = tmp_path / f"{part}.h5"
        with new_hdf5(twins[part]) as file:
            file["latents"] = standard(torch.from_numpy(values)).numpy()
            put_table(file, "snapshots", snapshots)
    files = (*twins.values(), list(class_means.values()), bins, tmp_path / "s.safetensors", tmp_path / "s.csv")
    train_shared(*files, SHARED)
    expected = pd.read_csv(tmp_path / "s.csv")["validation_loss"].tolist()
    assert history.loc["shared", "validation_loss"].tolist() == pytest.approx(expected, rel=1e-4)


def test_probes_are_scikit_learns_ridge(zoo, accuracies, packed):
    def features(weights):
        return layer_statistics(weights, LAYOUT)[:, :20]

    table = probe(features, zoo.train, [zoo.test], accuracies).set_index("target")
    found, joint = table[~table["with_statistics"]], table[table["with_statistics"]]
    truth = pd.read_csv(accuracies).set_index(["member", "snapshot"])["test_accuracy"]
    values, statistics, wanted, members = {}, {}, {}, {}
    for part in ("train", "test"):
        with open_zoo(getattr(zoo, part)) as opened, h5py.File(getattr(zoo, part)) as file:
            values[part] = features(file["weights"][...])
            statistics[part] = layer_statistics(file["weights"][...], LAYOUT)
            keys = zip(opened.snapshots["member"], opened.snapshots["snapshot"], strict=True)
            wanted[part] = [truth[key] for key in keys]
            members[part] = opened.snapshots["member"]
    both = {part: np.concatenate([values[part], statistics[part]], axis=1) for part in values}
    expected = {}
    for name, inputs in {"alone": values, "statistics": statistics, "both": both}.items():
        model = searched_ridge(inputs["train"], wanted["train"], members["train"])
        expected[name] = r2_score(wanted["test"], model.predict(inputs["test"]))
    assert found.loc["test_accuracy", "score"] == pytest.approx(expected["alone"], rel=1e-3)
    assert found.loc["test_accuracy", "gain"] == pytest.approx(expected["alone"] - expected["statistics"], rel=1e-2)
    assert joint.loc["test_accuracy", "score"] == pytest.approx(expected["both"], rel=1e-3)
    assert (joint["features"] == 20 + 7 * len(LAYOUT.entries)).all()
    assert list(found.index) == ["test_accuracy", "validation_loss", "epoch", "generalisation_gap", "optimizer"]
    assert (found["snapshots"] == 2).all() and (found["features"] == 20).all()
    assert (found[["members", "sets"]] == 1).all(axis=None) and found["low"].isna().all()


def test_probes_only_use_trained_snapshots(zoo, accuracies, train, packed, tmp_path):
    def features(weights):
        return layer_statistics(weights, LAYOUT)[:, :20]

    found = {}
    for name, kept in {"without": ["early", "max"], "with": [0, "early", "max"]}.items():
        members = [
            train(tmp_path / f"{name}{number}.h5", task, member=number, seed=number, snapshots=kept)
            for number, task in ((7, "032"), (8, "014"))
        ]
        write_index(members, tmp_path / f"{name}.h5")
        indices = [zoo.train, tmp_path / f"{name}.h5"]
        measure_accuracies(indices, list(packed.values()), tmp_path / "a.csv")
        found[name] = probe(features, zoo.train, indices[1:], tmp_path / "a.csv", compared=False)
    pd.testing.assert_frame_equal(found["with"], found["without"])
    assert (found["with"]["snapshots"] == 4).all() and (found["with"]["sets"] == 2).all()
    scores = found["with"].set_index("target").loc[["test_accuracy", "validation_loss", "epoch"]]
    assert (scores["low"] < scores["score"]).all() and (scores["score"] < scores["high"]).all()


def test_layer_statistics_are_numpys(zoo):
    with h5py.File(zoo.train) as file:
        weights = file["weights"][...]
    found = layer_statistics(weights, LAYOUT).reshape(6, len(LAYOUT.entries), 7)
    own = weights[2, LAYOUT["layer4.0.conv1.weight"].columns]
    place = [entry.name for entry in LAYOUT.entries].index("layer4.0.conv1.weight")
    assert found[2, place] == pytest.approx(
        [own.mean(), own.var(), *np.percentile(own, [0, 25, 50, 75, 100])], rel=1e-3
    )


def test_tables_by_hand(zoo, accuracies, tmp_path):
    rows = pd.DataFrame(
        {
            "part": ["test", "test", "unseen"],
            "member": [1, 2, 3],
            "task": ["a/b", "a/c", "x/y"],
            "latent_size": 7,
            **{
                f"{metric}{end}": [0.2, 0.4, 0.9]
                for metric in ("agreement", "correlation", "cosine")
                for end in ("", "_bn", "_searched")
            },
            "accuracy_bn": [0.3, 0.6, 0.5],
            "accuracy_searched": [0.5, 0.7, 0.5],
            "original_accuracy": [0.6, 0.9, 0.5],
            "spread": 0.5,
            "diversity": [0.2, 0.4, np.nan],
            "original_diversity": [0.3, 0.6, np.nan],
            "fit_seconds": 3.0,
            "decode_seconds": [0.1, 0.3, 0.2],
            "peak_mib": 100.0,
            "fact_perplexity": [4.0, 4.0, 5.0],
        }
    )
    rows.to_csv(tmp_path / "m.csv", index=False)
    probes = {"target": ["epoch"], "score": 0.5, "low": 0.4, "high": 0.6, "chance": 0.0}
    probes |= {"snapshots": 4, "members": 2, "sets": 2, "features": 7, "with_statistics": False, "unit": "members"}
    probes["summary"] = "all"
    probes |= dict.fromkeys(("gain", "gain_low", "gain_high", "kendall"), 0.1)
    pd.DataFrame(probes).to_csv(tmp_path / "p.csv", index=False)
    measure_baselines(zoo.train, [zoo.test], accuracies, tmp_path / "b.csv")
    losses = {"training": ["encoder", "shared", "shared"], "epoch": [1, 1, 2], "kept": [True, False, True]}
    losses |= {"train_loss": [9.0, 3.0, 1.0], "validation_loss": [9.0, 3.5, 2.5], "validation_chance": [None, 4.0, 4.0]}
    pd.DataFrame(losses).to_csv(tmp_path / "h.csv", index=False)
    files = tuple(tmp_path / f"{name}.csv" for name in ("b", "t", "probed", "losses"))
    # An encoder that does not decode has neither reconstructions nor a second row of the baseline of its name.
    rows[["part", "member", "task", "latent_size", "fit_seconds", "peak_mib"]].to_csv(tmp_path / "n.csv", index=False)
    about = {"gate": "uniform", "share": None, "regime": "shared"}
    encoder_tables(
        [tmp_path / "m.csv", tmp_path / "n.csv"],
        [tmp_path / "p.csv"] * 2,
        [tmp_path / "h.csv"] * 2,
        *files,
        encoders=[{"encoder": "a", "kind": "sane", **about}, {"encoder": "statistics", "kind": "statistics", **about}],
    )
    table = pd.read_csv(tmp_path / "t.csv").set_index("part")
    described, table = table[table["encoder"] == "statistics"], table[table["encoder"] == "a"]
    assert described[["agreement", "low", "accuracy_kept", "diversity", "spread"]].isna().all(axis=None)
    assert described["sets"].tolist() == [2, 1] and described["shared_validation_loss"].eq(2.5).all()
    assert table.loc["test", "agreement_bn"] == pytest.approx(0.3)
    # On logits: t of one degree of freedom, error 0.1.
    ends = expit([logit(0.3) - 12.7062 * 0.1 / 0.21, logit(0.3) + 12.7062 * 0.1 / 0.21])
    assert table.loc["test", ["low", "high"]].tolist() == pytest.approx(ends, abs=1e-4)
    assert table["sets"].tolist() == [2, 1] and np.isnan(table.loc["unseen", "low"])
    assert table.loc["test", "accuracy_kept"] == pytest.approx(0.9 / 1.5)
    assert table.loc["test", ["members", "decode_seconds"]].tolist() == [2, 0.2]
    assert table.loc["unseen", "accuracy_kept"] == 1 and table["perplexity"].tolist() == [4, 5]
    assert table.loc["test", ["diversity", "original_diversity"]].tolist() == pytest.approx([0.3, 0.45])
    assert np.isnan(table.loc["unseen", "diversity"])
    assert table.loc["test", "accuracy_kept_searched"] == pytest.approx(1.2 / 1.5)
    assert table.loc["test", "low_searched"] == table.loc["test", "low"]
    shared = [f"shared_{key}_loss" for key in ("train", "validation", "chance")]
    assert table.loc["unseen", shared].tolist() == [1, 2.5, 4]
    assert pd.read_csv(tmp_path / "losses.csv")["encoder"].tolist() == ["a"] * 3 + ["statistics"] * 3
    probed = pd.read_csv(tmp_path / "probed.csv")
    assert set(probed["encoder"]) == {"a", "statistics", "flat"}
    assert probed["encoder"].value_counts().to_dict() == {"a": 1, "statistics": 1, "flat": 5}
