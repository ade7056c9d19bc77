"""The protocol: which models are evaluated, on which images, and the effect of fine-tuning."""

import shutil
from types import MappingProxyType

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from tests.models import LAYOUT, outputs, photos
from wsl.errors import DataError
from wsl.evaluation import finetuning
from wsl.evaluation.finetuning import fine_tuned
from wsl.evaluation.protocol import judge
from wsl.evaluation.settings import FineTuning
from wsl.images.tasks import TaskImages
from wsl.sampling.loading import Choice, OpenRun
from wsl.zoo.index import write_index
from wsl.zoo.member import read_member
from wsl.zoo.stack import Stack

RECIPE = {"optimizer": "sgd", "learning_rate": 0.02, "batch_size": 32, "augment": True}
KEYS = ["part", "member", "task", "images", "epochs", "recalibrated"]
VALIDATION, TEST, UNSEEN = ("validation", 3, "1/0/4"), ("test", 4, "0/3/2"), ("unseen", 4, "0/3/2")


def altered(packed, folder, change):
    """Changed copies of packed files."""
    paths = [shutil.copy(path, folder / f"{name}.h5") for name, path in packed.items()]
    for path in paths:
        with h5py.File(path, "a") as file:
            change(file)
    return paths


@pytest.fixture
def judged(zoo, method_files, packed, tmp_path):
    """Returns the rows of a method by ``judged(method, **changes)``."""

    def run(
        method,
        draw=0,
        tuning=MappingProxyType({}),
        held_out=(zoo.validation, zoo.test),
        images=None,
        counts=(2,),
        recalibrate=True,
        unit="sets of classes",
        **own,
    ):
        inputs = method_files(held_out, packed=images or list(packed.values()), **own)
        choice = Choice(name=method, draw=draw, known=list("01234"), recalibrate=recalibrate)
        judge(
            inputs,
            tmp_path / "out.csv",
            choice,
            "best",
            list(counts),
            FineTuning(epochs=[1, 3], **{**RECIPE, **tuning}),
            unit,
        )
        return pd.read_csv(tmp_path / "out.csv", dtype={"images": str})

    return run


def accuracy(weights, packed, task, part):
    inputs, labels = photos(packed, task.split("/"), part)
    return accuracy_score(labels, outputs(weights, inputs).argmax(1))


def test_each_task_has_a_row_for_all_numbers_of_images_and_epochs(judged):
    rows = judged("prototypes", counts=(0, 2, 5))
    # There are no prototypes without images; choices on validation tasks are made with all images.
    expected = [(*VALIDATION, "all", 0, True), (*TEST, "2", 0, True), (*TEST, "5", 0, True)]
    assert list(rows[KEYS].itertuples(index=False, name=None)) == expected + [
        (*TEST, "all", epochs, True) for epochs in (0, 1, 3)
    ]
    assert (rows["method"] == "prototypes").all() and (rows["draw"] == 0).all()


def test_decoded_models_have_a_row_without_new_statistics_and_later_draws_no_fine_tuning(judged, shared):
    rows = judged("projection", draw=2, shared=shared.state)
    expected = [
        (*VALIDATION, "all", 0, True),
        (*VALIDATION, "all", 0, False),
        (*TEST, "2", 0, True),
        (*TEST, "all", 0, True),
    ]
    assert list(rows[KEYS].itertuples(index=False, name=None)) == [*expected, (*TEST, "all", 0, False)]
    plain = judged("projection", recalibrate=False, shared=shared.state)
    assert plain["recalibrated"].all()


def test_trained_members_are_evaluated_on_validation_or_test_images(judged, zoo, packed, tmp_path):
    write_index([zoo.members[4]], tmp_path / "unseen.h5")
    rows = judged("trained", held_out=(zoo.validation, zoo.test, tmp_path / "unseen.h5"))
    assert {tuple(row) for row in rows[KEYS[:4]].itertuples(index=False)} == {
        (*place, "all") for place in (VALIDATION, TEST, UNSEEN)
    }
    plain = rows[rows["epochs"] == 0].set_index("part")["accuracy"]
    for (part, member, task), images in ((VALIDATION, "validation"), (TEST, "test"), (UNSEEN, "test")):
        expected = accuracy(read_member(zoo.members[member]).weights[1], packed, task, images)
        assert plain[part] == pytest.approx(expected, abs=0.02)


def test_test_images_are_not_read_for_validation_tasks(judged, zoo, packed, tmp_path):
    seen = judged("prototypes", held_out=(zoo.validation,))
    blind = altered(packed, tmp_path, lambda file: file.pop("test"))
    pd.testing.assert_frame_equal(judged("prototypes", held_out=(zoo.validation,), images=blind), seen)
    with pytest.raises(DataError, match="test"):
        judged("prototypes", images=blind)


def test_test_images_only_change_the_accuracy_on_them(judged, packed, tmp_path):
    def swapped(file):
        file["test"][...] = 255 - file["test"][...]

    plain, other = judged("nearest"), judged("nearest", images=altered(packed, tmp_path, swapped))
    pd.testing.assert_frame_equal(plain[KEYS], other[KEYS])
    same = np.isclose(plain["accuracy"], other["accuracy"], atol=1e-9)
    assert same[plain["part"] == "validation"].all() and not same[plain["part"] == "test"].all()


def test_fine_tuning_only_reads_training_images_and_is_reproducible(zoo, packed, tmp_path):
    start, recipe = read_member(zoo.members[3]).weights[0], {**RECIPE, "optimizer": "adam", "augment": False}
    images = TaskImages(altered(packed, tmp_path, lambda file: [file.pop(part) for part in ("test", "validation")]))
    tuned = fine_tuned([start], "0/3/2", images, LAYOUT, FineTuning(epochs=[1, 8], **recipe))[0]
    torch.randn(3)  # does not change the result
    again = fine_tuned([start], "0/3/2", images, LAYOUT, FineTuning(epochs=[8], **recipe))[0]
    assert list(tuned) == [1, 8] and list(again) == [8] and np.array_equal(tuned[8], again[8])
    inputs, labels = photos(packed, "032", "train")
    before, after = (log_loss(labels, outputs(weights, inputs).softmax(1)) for weights in (start, tuned[8]))
    assert after < 0.5 < before
    other = fine_tuned([start], "2/0/3", images, LAYOUT, FineTuning(epochs=[1], **recipe))[0]
    assert not np.allclose(other[1], tuned[1])


def test_scores_after_fine_tuning_are_those_of_the_tuned_weights(judged, method_files, packed):
    rows = judged("nearest", recalibrate=False).query("part == 'test' and images == 'all'")
    rows = rows.set_index("epochs")["accuracy"]
    with OpenRun(method_files(), Choice(name="nearest", known=[], recalibrate=False)) as run:
        nearest = run.load().sample("0/3/2", 0.0)
    settings = FineTuning(epochs=[1, 3], **RECIPE)
    tuned = fine_tuned([nearest], "0/3/2", TaskImages(list(packed.values())), LAYOUT, settings)[0]
    assert list(rows.index) == [0, 1, 3]
    for epochs, weights in {0: nearest, **tuned}.items():
        assert rows[epochs] == pytest.approx(accuracy(weights, packed, "0/3/2", "test"), abs=0.02)


@pytest.mark.parametrize("method", ["trained", "reconstructed"])
def test_references_are_not_fine_tuned(judged, method):
    assert set(judged(method)["epochs"]) == {0}


@pytest.fixture
def same_task(train, tmp_path_factory):
    """An index of three members of one task, test members of a zoo of whole tasks."""
    root = tmp_path_factory.mktemp("same")
    paths = [train(root / f"{number}.h5", "032", member=number, seed=number, max_epoch=2) for number in (5, 6, 7)]
    write_index(paths, root / "test.h5")
    return root / "test.h5"


def test_members_that_share_a_task_get_samples_of_their_own(judged, same_task):
    rows = judged("noised", held_out=[same_task], counts=(), unit="members", tuning={"members": 2})
    whole = rows[rows["recalibrated"] & (rows["epochs"] == 0)]
    assert whole["member"].tolist() == [5, 6, 7] and whole["accuracy"].nunique() > 1
    assert rows.loc[rows["epochs"] == 3, "member"].tolist() == [5, 6]  # finetuning.members
    # With sets of classes as unit, all rows of one task are of one sample.
    assert judged("noised", held_out=[same_task], counts=())["accuracy"].nunique() <= 4


def test_copies_of_one_model_have_one_row_and_references_each_their_own(judged, same_task):
    assert judged("mean", held_out=[same_task], counts=(), unit="members")["member"].unique().tolist() == [5]
    assert judged("trained", held_out=[same_task], counts=(), unit="members")["member"].tolist() == [5, 6, 7]


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_models_that_are_fine_tuned_together_equal_those_tuned_alone(train, packed, tmp_path, kind, monkeypatch):
    recipe = {**RECIPE, "optimizer": kind, "learning_rate": 0.003}
    settings, images = FineTuning(epochs=[1, 2], **recipe), TaskImages(list(packed.values()))
    paths = [train(tmp_path / f"{seed}.h5", "032", seed=seed, max_epoch=1) for seed in (5, 6, 7)]
    models = [read_member(path).weights[-1] for path in paths]
    stacked = []
    monkeypatch.setattr(finetuning, "Stack", lambda models, kind: stacked.append(len(models)) or Stack(models, kind))
    together = fine_tuned(models, "0/3/2", images, LAYOUT, settings)
    assert stacked == [3]
    for weights, tuned in zip(models, together, strict=True):
        alone = fine_tuned([weights], "0/3/2", images, LAYOUT, settings)[0]
        assert list(tuned) == [1, 2]
        for epoch, expected in alone.items():
            moved = np.linalg.norm(expected - weights)
            assert np.linalg.norm(tuned[epoch] - expected) < 0.1 * moved  # Adam amplifies rounding
