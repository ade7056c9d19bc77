"""A weight encoder of a mixed zoo and its evaluation, against numpy, scikit-learn and single networks."""

from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

import wsl
from tests.models import outputs, photos
from tests.ridge import searched_ridge
from wsl.errors import DataError
from wsl.evaluation.accuracies import measure_accuracies
from wsl.evaluation.encoder_tables import mixed_tables
from wsl.evaluation.mixed import MixedInputs, measure_mixed, write_mixed_summary
from wsl.evaluation.mixed_probes import probe_baselines, probe_mixed
from wsl.files.plain import read_json, write_json
from wsl.runs.summary import print_summary
from wsl.sampling.description import load_description
from wsl.weights.codec import embed_mixed, load_codec
from wsl.weights.encoders._features import layer_statistics
from wsl.weights.encoders.base import EncoderInputs
from wsl.weights.encoders.tokens import tokens_of
from wsl.weights.settings import EncoderFit, Search
from wsl.weights.training import train_weight_encoder
from wsl.zoo.index import open_zoo, read_weights, write_index
from wsl.zoo.network import state_dict

LABELS = ["resnet18", "mlp"]
MLP = {"name": "mlp", "widths": [3]}
PARTS = {"train": ["012", "234", "413"], "validation": ["104"], "test": ["032", "124"]}
SANE = {"name": "sane", "size": 64, "latent": 1400, "windows": 2, "learning_rate": 1e-2, "batch_size": 6}
SANE |= {"width": 16, "depth": 1, "heads": 2, "window": 60, "halo": 8}


@pytest.fixture(scope="module")
def mixed(zoo, train, packed, tmp_path_factory):
    """Indices of two architectures, an encoder fitted to both, and test accuracies."""
    root = tmp_path_factory.mktemp("mixed")
    groups = {"train": zoo.members[:3], "validation": zoo.members[3:4], "test": zoo.members[4:]}
    paths = [(part, task) for part, tasks in PARTS.items() for task in tasks]
    mlps = {part: [] for part in PARTS}
    for number, (part, task) in enumerate(paths, 100):
        path = root / f"{number:05d}.h5"
        mlps[part].append(train(path, task, architecture=MLP, member=number, seed=number, max_epoch=2))
    indices = {}
    for label, members in zip(LABELS, (groups, mlps), strict=True):
        (root / label).mkdir()
        for part, files in members.items():
            indices[label, part] = root / label / f"{part}.h5"
            write_index(files, indices[label, part])
    by_part = {part: [indices[label, part] for label in LABELS] for part in PARTS}
    files = SimpleNamespace(root=root, packed=list(packed.values()), encoder=root / "sane.safetensors", **by_part)
    further = {f"further_{part}": by_part[part][1:] for part in ("train", "validation")}
    inputs = EncoderInputs(by_part["train"][0], by_part["validation"][0], packed=files.packed, **further)
    settings = EncoderFit(encoder={**SANE, "epochs": 20, "keep": "last", "beta": 1.0})
    train_weight_encoder(inputs, files.encoder, root / "history.csv", root / "states", settings)
    behaving = EncoderFit(encoder={**SANE, "epochs": 1, "behaviour": 1.0})
    train_weight_encoder(inputs, root / "behaving", root / "behaving.csv", root / "s", behaving)
    files.accuracies = root / "accuracies.csv"
    measure_accuracies([*files.train, *files.test], files.packed, files.accuracies)
    return files


def weights_of(index):
    with open_zoo(index) as zoo:
        return read_weights(zoo), zoo.layout, zoo.trained, zoo.snapshots


def standard_error(values, decoded, training, layout):
    """The mean squared error of each network in deviations of its named parameters over training snapshots."""
    squares = np.concatenate(
        [
            (values[:, entry.columns] - decoded[:, entry.columns]) ** 2
            / ((training[:, entry.columns] - training[:, entry.columns].mean(0)) ** 2).mean()
            for entry in layout.entries
        ],
        axis=1,
    )
    return squares.mean(axis=1)


def test_one_encoder_reconstructs_networks_of_both_architectures(mixed):
    for index in mixed.train:
        values, layout, *_ = weights_of(index)
        codec = load_codec(index, (), mixed.encoder)
        assert codec.encode(values).shape[1] == len(tokens_of(layout, 64).places) * 3  # 1,400 numbers for 443 tokens
        errors = standard_error(values, codec.decode(codec.encode(values)), values, layout)
        mean = standard_error(values, values.mean(0, keepdims=True).repeat(len(values), 0), values, layout)
        assert errors.mean() < 0.97 * mean.mean() < 0.98
    losses = pd.read_csv(mixed.root / "history.csv")["validation_loss"]
    assert losses.iloc[-1] < losses.iloc[0]
    behaving = pd.read_csv(mixed.root / "behaving.csv")
    assert np.isfinite(behaving[["train_loss", "validation_loss"]]).all(axis=None)


def test_validation_uses_members_of_both(mixed, zoo, tmp_path):
    """With the members of the first architecture alone, the losses of the same seed differ."""
    inputs = EncoderInputs(mixed.train[0], mixed.validation[0], further_train=mixed.train[1:])
    settings = EncoderFit(encoder={**SANE, "epochs": 1})
    losses = []
    for number, further in enumerate(((), mixed.validation[1:])):
        inputs = EncoderInputs(*(mixed.train[0], mixed.validation[0]), (), further_train=mixed.train[1:],
                               further_validation=further)  # fmt: skip
        out = [tmp_path / f"{name}{number}" for name in ("e", "h", "s")]
        train_weight_encoder(inputs, *out, settings)
        losses.append(pd.read_csv(out[1]).iloc[0])
    assert losses[0]["train_loss"] == losses[1]["train_loss"]
    assert losses[0]["validation_loss"] != losses[1]["validation_loss"]


def test_latents_and_embeddings_of_a_part(mixed, tmp_path):
    sizes = []
    for place, index in enumerate(mixed.test):
        embed_mixed(index, mixed.encoder, tmp_path / f"{place}.h5")
        values, layout, *_ = weights_of(index)
        codec = load_codec(index, (), mixed.encoder)
        with h5py.File(tmp_path / f"{place}.h5") as file:
            assert file["latents"][...] == pytest.approx(codec.encode(values), abs=1e-4)
            tokens = codec.encode(values).reshape(len(values), len(tokens_of(layout, 64).places), -1)
            assert file["embeddings"][...] == pytest.approx(tokens.mean(1), abs=1e-4)
            sizes.append(file["embeddings"].shape[1])
            assert file.attrs["part"] == "test"
    assert len(set(sizes)) == 1


@pytest.fixture(scope="module")
def measured(mixed):
    files = [mixed.root / "measured.csv", mixed.root / "mean.csv"]
    inputs = MixedInputs(mixed.train, mixed.test, mixed.packed)
    measure_mixed(replace(inputs, encoder=mixed.encoder), files[0], "sane", LABELS, Search(steps=1))
    measure_mixed(inputs, files[1], "mean of members", LABELS)
    return files


def test_the_mean_predictor_is_that_of_the_architecture(mixed, measured, packed):
    table = pd.read_csv(measured[1])
    assert table.groupby("architecture").size().to_dict() == {"mlp": 2, "resnet18": 1}
    assert (table["latent_size"] == 0).all() and (table["spread"] == 0).all()
    training, layout, trained, _ = weights_of(mixed.train[0])
    values, _, rows, snapshots = weights_of(mixed.test[0])
    mean = training[trained].mean(0)
    (row,) = table[table["architecture"] == "resnet18"].to_dict("records")
    assert row["error"] == pytest.approx(standard_error(values[rows], mean[None], training, layout)[0], rel=1e-4)
    images, labels = photos(packed, snapshots["task"][rows[0]].split("/"), "validation")
    decoded, original = (outputs(vector, images).argmax(1).numpy() for vector in (mean, values[rows[0]]))
    assert row["agreement"] == pytest.approx((decoded == original).mean())
    assert row["original_accuracy"] == pytest.approx((original == labels).mean())


def test_reconstruction_is_measured_for_each_architecture(mixed, measured):
    table = pd.read_csv(measured[0])
    for label, train, test in zip(LABELS, mixed.train, mixed.test, strict=True):
        training, layout, *_ = weights_of(train)
        values, _, rows, _ = weights_of(test)
        codec = load_codec(train, (), mixed.encoder)
        expected = standard_error(values[rows], codec.decode(codec.encode(values[rows])), training, layout)
        assert table.loc[table["architecture"] == label, "error"].tolist() == pytest.approx(expected, rel=1e-3)
    assert table[["agreement", "agreement_bn", "agreement_searched", "accuracy"]].stack().between(0, 1).all()


@pytest.fixture(scope="module")
def probed(mixed):
    files = [mixed.root / "probes.csv", mixed.root / "baselines.csv"]
    probe_mixed(mixed.train, mixed.test, mixed.accuracies, mixed.encoder, files[0], "sane", LABELS)
    probe_baselines(mixed.train, mixed.test, mixed.accuracies, files[1], LABELS)
    return files


def test_probes_over_all_architectures_are_scikit_learns(mixed, probed):
    found = (
        pd.concat(map(pd.read_csv, probed)).query("target == 'test_accuracy'").set_index(["encoder", "architecture"])
    )
    accuracies = pd.read_csv(mixed.accuracies)
    parts = {}
    for part, indices in (("train", mixed.train), ("test", mixed.test)):
        features = {"sane": [], "architecture": [], "statistics": []}
        truth, names, numbers = [], [], []
        units = [layer_statistics(*weights_of(index)[:2]) for index in mixed.train]
        for place, index in enumerate(indices):
            values, layout, _, snapshots = weights_of(index)
            one = np.repeat(np.eye(2)[place : place + 1], len(values), axis=0)
            blocks = [np.zeros((len(values), unit.shape[1])) for unit in units]
            deviation = units[place].std(0)
            own = layer_statistics(values, layout) - units[place].mean(0)
            blocks[place] = own / np.where(deviation > 0, deviation, 1)
            latents = load_codec(mixed.train[place], (), mixed.encoder).encode(values)
            features["sane"].append(latents.reshape(len(values), -1, 3).mean(1))
            features["architecture"].append(one)
            features["statistics"].append(np.concatenate([one, *blocks], axis=1))
            truth.append(snapshots.merge(accuracies, on=["member", "snapshot"])["test_accuracy"])
            names += [LABELS[place]] * len(values)
            numbers += snapshots["member"].tolist()
        parts[part] = (
            {name: np.concatenate(rows) for name, rows in features.items()},
            np.concatenate(truth),
            names,
            numbers,
        )
    (training, y, _, members), (held_out, truth, names, _) = parts["train"], parts["test"]
    for name, x in training.items():
        predicted = searched_ridge(x, y, members).predict(held_out[name])
        for label in ("all", *LABELS):
            rows = np.array([label in ("all", other) for other in names])
            error = ((predicted - truth)[rows] ** 2).sum() / ((truth[rows] - truth[rows].mean()) ** 2).sum()
            assert found.loc[(name, label), "score"] == pytest.approx(1 - error, abs=2e-3), (name, label)


def test_tables_and_the_summary_name_every_encoder_and_architecture(mixed, measured, probed, capsys):
    run = mixed.root / "run"
    tables = run / "tables"
    tables.mkdir(parents=True)
    mixed_tables(measured, probed, tables / "weight_encoders.csv", tables / "probes.csv")
    table = pd.read_csv(tables / "weight_encoders.csv")
    rows = {(row.encoder, row.architecture, row.part, row.members) for row in table.itertuples()}
    counts = {"resnet18": 1, "mlp": 2}
    names = ("sane", "mean of members")
    assert rows == {(name, label, "test", counts[label]) for name in names for label in LABELS}
    expected = pd.read_csv(measured[0]).groupby("architecture")["error"].mean()
    own = table[table["encoder"] == "sane"].set_index("architecture")
    assert own["error"].to_dict() == pytest.approx(expected.to_dict(), abs=1e-4)
    indices = [*mixed.train, *mixed.validation, *mixed.test]
    write_mixed_summary(indices, tables / "weight_encoders.csv", tables / "probes.csv", run / "summary.json", LABELS)
    summary = read_json(run / "summary.json")
    assert {label: about["members"] for label, about in summary["architectures"].items()} == {"resnet18": 5, "mlp": 6}
    print_summary(run)
    shown = capsys.readouterr().out
    for text in ("resnet18: 5 members", "mlp: 6 members", "mean of members", "statistics", "probes.csv"):
        assert text in shown
    with pytest.raises(DataError, match="has no sampler, since its zoo is mixed"):
        load_description(run)


def test_a_view_of_another_architecture_shares_the_parameters(mixed):
    first, second = (load_codec(index, (), mixed.encoder).encoder for index in mixed.train)
    layouts = [weights_of(index)[1] for index in mixed.train]
    back = second.of(layouts[0])
    vectors = torch.from_numpy(weights_of(mixed.train[0])[0])
    assert torch.allclose(back.encode(vectors), first.encode(vectors))
    assert back.network is second.network and second.latent != back.latent == first.latent


def test_a_mixed_run_encodes_own_weights_by_the_architecture_that_fits(mixed, tmp_path):
    for label, index in zip(LABELS, mixed.train, strict=True):
        (tmp_path / "zoo").mkdir(exist_ok=True)
        (tmp_path / "zoo" / label).symlink_to(index.parent)
    (tmp_path / "weights" / "encoders").mkdir(parents=True)
    (tmp_path / "weights" / "encoders" / "sane.safetensors").symlink_to(mixed.encoder)
    about = {label: {"members": 3} for label in LABELS}
    write_json(tmp_path / "summary.json", {"architectures": about, "accuracy": {}})
    run = wsl.open(tmp_path)
    for label, index in zip(LABELS, mixed.train, strict=True):
        values, layout, _, _ = weights_of(index)
        codec = load_codec(index, (), mixed.encoder)
        latent = run.encode(state_dict(values[1], layout))
        assert latent == pytest.approx(codec.encode(values[1:2])[0], abs=1e-5)
        decoded = run.decode(latent, label)
        assert decoded[layout.entries[0].name].shape == layout.entries[0].shape
        assert type(run.network(decoded)) is type(run.network(decoded, label))
    assert "architectures='resnet18, mlp'" in repr(run)
    for call, message in (
        (lambda: run.decode(np.zeros(3)), "is mixed; give architecture: resnet18 or mlp"),
        (lambda: run.encode({"a": torch.zeros(3)}), "has the parameters of none of the architectures of"),
        (lambda: run.neighbours({"a": torch.zeros(3)}), "is mixed: latents of several architectures differ in size"),
        (lambda: run.embed(["a", "b", "c"]), "has no sampler, since its zoo is mixed; give a run whose members"),
        (lambda: run.config, "report.html is missing, which contains the config of the run; runs of mixed zoos"),
    ):
        with pytest.raises(DataError, match=message):
            call()
