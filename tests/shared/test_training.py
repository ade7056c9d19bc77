"""Training the shared encoder, and figure 4.3's similarities."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity

from wsl.files.hdf5 import new_hdf5, put_table
from wsl.files.plain import write_json
from wsl.shared.pairs import load_pairs
from wsl.shared.predictor import load_predictor
from wsl.shared.settings import Shared
from wsl.shared.similarities import write_similarities
from wsl.shared.training import train_shared
from wsl.training.ntxent import nt_xent
from wsl.weights.codec import read_latents

TASKS = ["0/1/2", "1/2/3", "2/3/4", "4/3/0", "0/4/1", "3/1/2", "4/0/2", "1/3/0"]
RECIPE = {"learning_rate": 1e-2, "batch_size": 8, "epochs": 60}


@pytest.fixture
def pairs(tmp_path):
    """Latent files whose latents depend on task and loss alone, so that a shared encoder can learn them."""
    rng = np.random.default_rng(0)
    of_task, of_loss = rng.normal(size=(len(TASKS), 6)), rng.normal(size=6)
    files = {}
    for part, repeats in (("train", 4), ("validation", 2)):
        files[part] = tmp_path / f"{part}.h5"
        task = np.tile(np.arange(len(TASKS)), repeats)
        loss = rng.uniform(0, 1, len(task))
        latents = of_task[task] + np.outer(loss > 0.5, of_loss) + 0.05 * rng.normal(size=(len(task), 6))
        table = {"member": np.arange(len(task)), "task": [TASKS[i] for i in task], "validation_loss": loss}
        with new_hdf5(files[part]) as file:
            file.create_dataset("latents", data=latents.astype(np.float32))
            put_table(file, "snapshots", pd.DataFrame({**table, "snapshot": "max"}))
    write_json(tmp_path / "bins.json", {"edges": [0, 0.5, 1], "counts": [16, 16], "interpolate": False})
    return files


@pytest.fixture
def fit(pairs, class_means, tmp_path):
    def run(name="shared", symmetric=True, losses=None, **changes):
        out, history = tmp_path / f"{name}.safetensors", tmp_path / f"{name}.csv"
        losses = {"nt_xent": 1, **(losses or {})}
        losses["nt_xent"] = {"weight": losses["nt_xent"], "temperature": 0.2, "symmetric": symmetric}
        files = (*pairs.values(), list(class_means.values()), tmp_path / "bins.json", out, history)
        train_shared(*files, Shared(outcome_embedding=4, hidden=[32], losses=losses, **{**RECIPE, **changes}))
        return out, pd.read_csv(history)

    return run


def loss_of(state, pairs, class_means, tmp_path, part="validation", temperature=0.2):
    part = load_pairs(pairs[part], list(class_means.values()), tmp_path / "bins.json")
    losses, module = [], load_predictor(state)
    for indices in torch.arange(len(part)).split(8):
        datasets, bins, latents = part.batch(indices, random=False)
        with torch.no_grad():
            losses.append(nt_xent(module(datasets, bins), latents, temperature).item())
    return np.mean(losses)


def test_losses_fall_far_below_chance(fit):
    _, history = fit()
    # With only eight tasks a batch may contain one twice, so that even a perfect encoder does not reach zero.
    assert history["train_loss"].iloc[-1] < 0.5 * history["train_chance"].iloc[0]
    assert history["validation_loss"].min() < 0.5 * history["validation_chance"].iloc[0]


def test_chance_is_that_of_a_full_batch(fit):
    _, history = fit(epochs=1, batch_size=16)
    assert history["train_chance"].iloc[0] == pytest.approx(np.log(31))
    _, history = fit(epochs=1, batch_size=24)
    assert history["train_chance"].iloc[0] == pytest.approx(np.log(47))
    assert history["validation_chance"].iloc[0] == pytest.approx(np.log(31))  # it has 16 pairs


def test_the_kept_state_has_the_recorded_loss(fit, pairs, class_means, tmp_path):
    state, history = fit()
    best = history.loc[history["kept"], "validation_loss"]
    assert best.tolist() == [history["validation_loss"].min()]
    assert loss_of(state, pairs, class_means, tmp_path) == pytest.approx(best.iloc[0], rel=1e-4)


def test_it_stores_the_mean_norm_of_the_training_latents(fit, pairs):
    latents, _ = read_latents(pairs["train"])
    state, _ = fit(epochs=1)
    assert load_predictor(state).code_norm.item() == pytest.approx(np.linalg.norm(latents, axis=1).mean(), rel=1e-5)


def test_standardising_uses_training_statistics_and_can_be_left_out(fit, pairs, class_means, tmp_path):
    datasets = load_pairs(pairs["train"], list(class_means.values()), tmp_path / "bins.json").datasets[0].numpy()
    module = load_predictor(fit(epochs=1)[0])
    assert module.datasets.mean.numpy() == pytest.approx(datasets.mean(0), abs=1e-5)
    assert module.datasets.scale.numpy() == pytest.approx(datasets.std(0), rel=1e-4)
    plain = load_predictor(fit(epochs=1, standardise=False)[0])
    assert (plain.datasets.mean == 0).all() and (plain.datasets.scale == 1).all()


def test_same_seed_gives_the_same_bytes(fit):
    first, second = (fit(name, epochs=3)[0].read_bytes() for name in ("first", "second"))
    assert first == second
    assert fit("third", epochs=3, symmetric=False)[0].read_bytes() != first


def test_only_losses_that_compare_values_need_statistics_of_the_codes(fit, pairs):
    latents, _ = read_latents(pairs["train"])
    contrastive, both = (load_predictor(fit(epochs=1, losses=losses)[0]) for losses in ({}, {"mse": 0.1}))
    assert (contrastive.codes.mean == 0).all() and (contrastive.codes.scale == 1).all()
    assert both.codes.mean.numpy() == pytest.approx(latents.mean(0), abs=1e-5)
    assert both.codes.scale.numpy() == pytest.approx(latents.std(0), rel=1e-4)


def test_chance_is_known_for_nt_xent_alone(fit):
    plain, twice = (fit(epochs=1, losses={"nt_xent": w})[1]["validation_chance"].iloc[0] for w in (1, 2))
    assert twice == pytest.approx(2 * plain)
    assert fit(epochs=1, losses={"cosine": 1})[1]["validation_chance"].isna().all()


def test_similarities_are_cosines_of_max_weights_and_all_pairs(shared, autoencoder, class_means, bins, tmp_path):
    parts = [autoencoder.latents["train"], autoencoder.latents["test"]]
    write_similarities(parts, list(class_means.values()), bins, shared.state, tmp_path / "s.csv", members=2)
    table = pd.read_csv(tmp_path / "s.csv")
    # Members 0 and 1 of the training part, 4 of the test part: weights at max, pairs at early and max.
    assert table.groupby("part").size().to_dict() == {"train": 2 * 4, "test": 1 * 2}
    module = load_predictor(shared.state)
    for part, path in zip(("train", "test"), parts, strict=True):
        pairs = load_pairs(path, list(class_means.values()), bins)
        snapshots = pairs.snapshots
        with torch.no_grad():
            expected = cosine_similarity(pairs.codes.numpy(), module(pairs.datasets[0], pairs.positions).numpy())
        row = {key: i for i, key in enumerate(zip(snapshots["member"], snapshots["snapshot"], strict=True))}
        for _, entry in table[table["part"] == part].iterrows():
            at = row[entry["weights_member"], "max"], row[entry["pair_member"], entry["pair_snapshot"]]
            assert entry["cosine"] == pytest.approx(expected[at], abs=1e-5)
