"""Stages of the zoo and of the compression of weights."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from tests.stages.material import FIRST, NAMES, SIZE, TASK, TOKEN, Material
from tests.stages.outcome import Outcome, refused, stage
from wsl.files.tensors import read_tensors
from wsl.images.inputs import normalised
from wsl.images.tasks import TaskImages
from wsl.jobs.job import Job
from wsl.runs.run import Run
from wsl.weights import sensitivity
from wsl.weights.alignment import align_part, match
from wsl.weights.answers import search_latent
from wsl.weights.behaviour import Behaviour
from wsl.weights.coefficients import load_linear
from wsl.weights.encoders.base import WEIGHT_ENCODERS
from wsl.weights.encoders.tokens import tokens_of
from wsl.weights.gate import gate_components
from wsl.weights.settings import Search
from wsl.weights.snapshots import Snapshots
from wsl.weights.symmetry import permutable, permutation_index, random_permutations
from wsl.zoo import cohort, epochs, stack, stack_choice, training
from wsl.zoo.backbone import train_backbone
from wsl.zoo.index import open_zoo, read_snapshot, read_weights
from wsl.zoo.member import read_member
from wsl.zoo.network import network_for, state_dict, with_classes
from wsl.zoo.stacked_network import MappedNetwork
from wsl.zoo.start import import_backbone, load_start
from wsl.zoo.start_settings import ClassifierTraining
from wsl.zoo.training import Training


def logits(weights, layout, images):
    """Return logits (n, classes) of normalised images under flat weights."""
    network = network_for(layout).eval()
    network.load_state_dict(state_dict(weights, layout), strict=True)
    with torch.no_grad():
        return network(images)


@stage("members")
def trains_members(m: Material):
    member = read_member(m.members["train"][0])
    losses = np.mean([read_member(path).history["train_loss"] for path in m.members["train"]], axis=0)
    assert losses[-1] < losses[0]
    assert json.loads(member.layout.architecture) == m.architecture.described()
    columns = m.architecture.columns()
    assert {key: member.plan[key] for key in columns} == columns
    with open_zoo(m.index["train"]) as zoo:
        assert zoo.layout == member.layout == m.layout and zoo.layout.classes == 3
        np.testing.assert_array_equal(read_snapshot(zoo, 1), member.weights[1])
        assert {key: zoo.members[key][0] for key in columns} == columns
    network = network_for(member.layout)
    network.load_state_dict(state_dict(member.weights[1], member.layout, member.counters[1]), strict=True)
    images, labels = TaskImages(m.images.files).of_task("A/B/C", part="validation")
    assert epochs.evaluate(network, images, labels)[0] == pytest.approx(member.snapshots["validation_loss"][1])


@stage("cohorts")
def trains_members_together(m: Material):
    if stack_choice.draws_numbers(Training(m.packed("ABC"), m.plan(0), m.training)):
        out, (first, *_) = m.root / "cohort.h5", m.members["train"]
        cohort.train_cohort(m.packed("ABC"), out, [m.plan(0)], m.training)
        np.testing.assert_array_equal(read_member(out).weights, read_member(first).weights)
        return Outcome(remark="trains its members one after the other, since dropout draws random numbers for each")
    plans = [{**m.plan(number), "max_epoch": 1, "optimizer": "adam"} for number in range(2)]
    with pytest.MonkeyPatch.context() as patch:  # double precision, so that rounding does not grow
        for module in (stack, stack_choice, epochs):
            patch.setattr(module, "normalised", lambda *given: normalised(*given).double())
        patch.setattr(training, "network_for", lambda layout: network_for(layout).double())
        settings = m.training.model_copy(update={"snapshots": ["max"]})
        kind = stack_choice.kind_for(Training(m.packed("ABC"), m.plan(0), settings))
        alone, together = ([Training(m.packed("ABC"), plan, settings) for plan in plans] for _ in range(2))
        for member in alone:
            member.run(Job().progress)
        cohort.train_together(together, kind=kind or MappedNetwork)
    for one, other in zip(alone, together, strict=True):
        losses = [member.member().history["train_loss"].to_numpy() for member in (one, other)]
        np.testing.assert_allclose(*losses, rtol=1e-5)
    return None


@stage("starts and backbones")
def starts_members(m: Material):
    state = load_start(m.start)
    torch.manual_seed(4)
    assert all(torch.equal(state[name], value) for name, value in network_for(m.layout).state_dict().items())
    trained, imported, file = (m.root / name for name in ("trained.safetensors", "imported.safetensors", "saved.pt"))
    train_backbone(m.packed(NAMES), trained, m.network, ClassifierTraining(epochs=1))
    saved = network_for(with_classes(m.layout, 5)).state_dict()
    torch.save(saved, file)
    import_backbone(file, imported, m.network, "saved.pt")
    for path in (trained, imported):
        state = read_tensors(path)[0]
        assert state.keys() == saved.keys() and not any(state[name].any() for name in m.layout.head)
    body = [entry.name for entry in m.layout.entries if entry.name not in m.layout.head]
    assert all(torch.equal(state[name], saved[name]) for name in body)


@stage("symmetries")
def keeps_outputs_under_permutations(m: Material):
    if not permutable(m.layout):
        return Outcome(remark="there are none: the networks have no hidden layer")
    rng, images = np.random.default_rng(0), torch.randn(6, 3, SIZE, SIZE)
    for row in range(3):
        weights = read_member(m.members["train"][row]).weights[-1]
        moved = weights[permutation_index(m.layout, random_permutations(m.layout, rng))]
        assert (moved != weights).mean() > 0.1
        np.testing.assert_allclose(logits(moved, m.layout, images), logits(weights, m.layout, images), atol=1e-4)
    return None


@stage("alignment")
def undoes_permutations(m: Material):
    if not permutable(m.layout):
        return refused("no permutation symmetry", Run, m.config(weights={"align": True}))
    # Weight matching finds a local optimum, which is the right one if few groups are permuted.
    drawn = random_permutations(m.layout, np.random.default_rng(1))
    for group in (next(iter(drawn)), list(drawn)[-1]):
        moved = m.weights[permutation_index(m.layout, {group: drawn[group]})]
        back = moved[permutation_index(m.layout, match(moved, m.weights, m.layout))]
        np.testing.assert_array_equal(back, m.weights)
    align_part(m.index["test"], m.index["train"], m.root / "aligned.h5", seed=0)
    images = torch.randn(4, 3, SIZE, SIZE)
    with open_zoo(m.index["test"]) as zoo, open_zoo(m.root / "aligned.h5") as aligned:
        before, after = read_snapshot(zoo, 1), read_snapshot(aligned, 1)
    np.testing.assert_allclose(logits(after, m.layout, images), logits(before, m.layout, images), atol=1e-4)
    assert np.square(after - m.weights).sum() <= np.square(before - m.weights).sum()
    return None


@stage("PCA")
def reconstructs_training_members(m: Material):
    linear = load_linear(m.pca, m.layout)
    with open_zoo(m.index["train"]) as zoo:
        weights = read_weights(zoo)
    codes = linear.encode(lambda columns: weights[:, columns], len(weights))
    np.testing.assert_allclose(linear.decode(codes), weights, atol=1e-4)


@stage("budget of coefficients")
def keeps_the_components_that_matter(m: Material):
    effects, out = m.root / "effects.csv", [m.root / "gated" / path.name for path in m.pca]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sensitivity, "PROBES", 2)
        sensitivity.measure_sensitivity(m.index["train"], m.pca, m.images.files, effects, recalibrated=False)
    table = pd.read_csv(effects)
    assert (table["effect"] >= 0).all() and table["effect"].max() > 0
    total = load_linear(m.pca, m.layout).n_coefficients
    gate_components(m.pca, out, total - 1, effects)
    assert load_linear(out, m.layout).n_coefficients == total - 1


def encodes(name: str):
    def run(m: Material):
        codec = m.codec(name)
        latents = codec.encode(m.weights[None])
        assert latents.shape == (1, codec.encoder.latent) and np.isfinite(latents).all()
        if not WEIGHT_ENCODERS[name].decodes:
            return
        decoded = codec.decode(latents)[0]
        assert decoded.shape == m.weights.shape
        assert np.isfinite(decoded).all()
        for entry in m.layout.entries:
            assert not entry.variance or (decoded[entry.columns] > 0).all()
        if name in ("pca", "nearest"):
            np.testing.assert_allclose(decoded, m.weights, atol=1e-4)
        elif name == "noise":
            assert 0 < np.linalg.norm(decoded - m.weights) < np.linalg.norm(m.weights)
        else:
            history = pd.read_csv(m.fitted(name).with_suffix(".csv"))
            assert np.isfinite(history[["train_loss", "validation_loss"]].to_numpy()).all()
        if hasattr(codec.encoder, "sequences"):
            tokens = tokens_of(m.layout, TOKEN)
            np.testing.assert_array_equal(np.sort(tokens.places[tokens.filled]), np.arange(m.layout.size))

    return run


for encoder in WEIGHT_ENCODERS:
    stage(f"weight encoder `{encoder}`")(encodes(encoder))


@stage("behaviour loss")
def compares_outputs(m: Material):
    with Snapshots(m.index["train"]) as snapshots:
        weights = snapshots.weights([1, 3]).requires_grad_()
        behaviour = Behaviour(m.layout, TaskImages(m.images.files), queries=99)
        same, other = (behaviour.loss(snapshots, [1], weights[row : row + 1]) for row in range(2))
        (slopes,) = torch.autograd.grad(other, weights)
    assert same.item() == pytest.approx(0, abs=1e-6) and other.item() > 1e-4
    assert slopes[1].isfinite().all() and slopes[1].any()


@stage("encoding by outputs")
def searches_latents(m: Material):
    codec, images = m.codec(FIRST), TaskImages(m.images.files).of_task(TASK)[0]
    weights = read_member(m.members["test"][0]).weights[-1]
    units = np.ones(codec.encoder.latent)
    latent = search_latent(codec.encoder, m.layout, weights, units, images, Search(steps=2), seed=0)
    start = codec.encode(weights[None])[0]
    assert np.isfinite(latent).all() and not np.allclose(latent, start)
    if not m.architecture.blocks(network_for(m.layout)):
        return Outcome(remark="compares class probabilities alone, since the architecture has no residual blocks")
    return None
