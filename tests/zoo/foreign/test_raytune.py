"""Runs in Ray Tune's layout: results and weights are joined by epochs."""

import json
import os
import random
import shutil

import pytest

from wsl.errors import DataError
from wsl.zoo.foreign.joining import BY_NAME
from wsl.zoo.foreign.raytune import read_run
from wsl.zoo.foreign.run import LeaveOut


@pytest.fixture
def folder(zoos, tmp_path):
    """A run of seed 4 with checkpoints after 5 and 10 of 10 epochs."""
    return zoos.ray_run(tmp_path / "zoo", 4)


def read(folder):
    return read_run(folder.parent, folder)


def rewrite(folder, change):
    path = folder / "result.json"
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))


def shuffled(lines):
    random.Random(0).shuffle(lines)
    return lines


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines,
        shuffled,
        lambda lines: [lines[5], lines[10]],
        lambda lines: [*lines[::-1], "\n"],
        lambda lines: lines[3:4] + lines[5:],
    ],
    ids=["as written", "shuffled", "sparse", "backwards", "without a start"],
)
def test_an_epoch_has_its_own_results_whatever_the_lines(zoos, folder, change):
    rewrite(folder, change)
    run = read(folder)
    assert list(run.files) == [5, 10] and run.results.index.is_monotonic_increasing
    for epoch, path in run.files.items():
        assert path == folder / f"checkpoint_{epoch:06d}" / "checkpoints"
        theirs = zoos.results(4, epoch)
        assert run.results.loc[epoch, "validation_loss"] == theirs["val_loss"]
        assert run.results.loc[epoch, "train_accuracy"] == theirs["train_acc"]
        assert run.results.loc[epoch, "test_loss"] == theirs["test_loss"]


def test_hyper_parameters_have_our_names(zoos, folder):
    run = read(folder)
    ours = {"seed": 4, "learning_rate": 4e-3, "optimizer": "adam", "batch_size": 8, "max_epoch": 10}
    ours |= {"model_type": "Resnet18"}
    assert run.about == ours and run.classes is None and run.part is None
    run = read(zoos.weightclip_run(folder.parent, 7))
    ours = {"seed": 7, "learning_rate": 0.05, "weight_decay": 5e-4, "momentum": 0.9, "batch_size": 256, "max_epoch": 4}
    ours |= {"model_type": "ResNet18Slim"}
    assert run.about == ours


def test_weightclips_epochs_are_those_of_its_checkpoints(zoos, tmp_path):
    run = read(zoos.weightclip_run(tmp_path, 7))
    assert list(run.files) == [3, 4]
    assert run.results.loc[4, "validation_accuracy"] == zoos.results(7, 4, 100.0)["val_acc"]


def test_numbers_of_checkpoints_need_no_zeros_and_other_folders_are_ignored(folder):
    (folder / "checkpoint_000005").rename(folder / "checkpoint_5")
    (folder / "checkpoint_tmp123").mkdir()
    assert list(read(folder).files) == [5, 10]


def test_results_that_were_not_measured_are_nan(folder):
    rewrite(folder, lambda lines: [line.replace('"val_loss": ', '"val_loss": null, "old": ') for line in lines])
    assert read(folder).results["validation_loss"].isna().all()


def test_a_last_line_cut_short_is_ignored_and_reported(folder):
    rewrite(folder, lambda lines: [*lines[:-1], lines[-1][:30]])
    run = read(folder)
    assert run.results.index.tolist() == list(range(10)) and run.notes == ("last line of results cut short, not read",)


def test_the_last_of_several_results_of_an_epoch_is_used(folder):
    again = lambda line, loss: json.dumps(json.loads(line) | {"val_loss": loss}) + "\n"  # noqa: E731
    rewrite(folder, lambda lines: [*lines[:8], again(lines[6], 40.0), again(lines[7], 50.0), *lines[8:]])
    run = read(folder)
    assert run.results["validation_loss"].loc[[6, 7]].tolist() == [40.0, 50.0] and len(run.results) == 11
    assert run.notes == ("restored by Ray: of several results of one epoch the last counts",)


def test_results_name_their_checkpoints(folder):
    """As in Ray since 2.7: the second checkpoint is of epoch 9, whatever its number."""
    (folder / "checkpoint_000005").rename(folder / "checkpoint_000000")
    (folder / "checkpoint_000010").rename(folder / "checkpoint_000001")
    named = {3: "checkpoint_000000", 9: "checkpoint_000001"}
    lines = [json.loads(line) for line in (folder / "result.json").read_text().splitlines()]
    lines = [json.dumps({**line, "checkpoint_dir_name": named.get(i)}) + "\n" for i, line in enumerate(lines)]
    (folder / "result.json").write_text("".join(lines))
    run = read(folder)
    assert run.joined == BY_NAME
    assert {epoch: path.parent.name for epoch, path in run.files.items()} == named
    shutil.copytree(folder / "checkpoint_000001", folder / "checkpoint_000002")
    assert list(read(folder).files) == [3, 9] and "no result names" in read(folder).notes[0]


def test_results_that_are_not_measured_before_training_are_nan(folder):
    """ModelZooDataset writes -999 for the training results of epoch 0."""
    rewrite(
        folder,
        lambda lines: [json.dumps(json.loads(lines[0]) | {"train_loss": -999, "train_acc": -999}) + "\n", *lines[1:]],
    )
    results = read(folder).results
    assert results.loc[0, ["train_loss", "train_accuracy"]].isna().all() and results.loc[1:].notna().all(axis=None)


def test_checkpoints_are_left_out_by_name(folder):
    (folder / "checkpoint_000005" / "checkpoints").unlink()
    run = read_run(folder.parent, folder, LeaveOut([f"{folder.name}/checkpoint_000005"]))
    assert list(run.files) == [10]
    assert list(read_run(folder.parent, folder, LeaveOut(["*/checkpoint_000005"])).files) == [10]
    with pytest.raises(DataError, match="no checkpoint is left"):
        read_run(folder.parent, folder, LeaveOut(["*/checkpoint_*"]))


def test_a_trial_that_failed_is_recognised_by_rays_file(folder):
    no_weights(folder)
    (folder / "error.txt").write_text("CUDA out of memory")
    with pytest.raises(DataError, match=r"has no checkpoint_.*: the trial failed, see its error\.txt; .*--leave-out"):
        read(folder)
    (folder / "result.json").write_text("")
    with pytest.raises(DataError, match=r"holds no results: the trial failed, see its error\.txt"):
        read(folder)


def test_text_of_other_encodings_is_read(folder):
    for name in ("params.json", "result.json"):
        (folder / name).write_text((folder / name).read_text(), encoding="utf-16")
    assert list(read(folder).files) == [5, 10] and read(folder).about["seed"] == 4


def second_checkpoint(folder):
    shutil.copytree(folder / "checkpoint_000005", folder / "checkpoint_5")


def no_weights(folder):
    for path in folder.glob("checkpoint_*"):
        shutil.rmtree(path)


def elsewhere(folder, name):
    outside = folder.parent.parent / "outside"
    shutil.move(folder / name, outside)
    os.symlink(outside, folder / name)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda f: rewrite(f, lambda lines: [lines[0].replace(": 0,", ': "x",'), *lines[1:]]),
            "line 1: .*'x'.*correct",
        ),
        (
            lambda f: rewrite(f, lambda lines: [*lines, "{}\n"]),
            "line 12: training_iteration is None.*leave the run out by --leave-out",
        ),
        (lambda f: rewrite(f, lambda lines: [*lines, "[1]\n"]), "line 12 is not a JSON object"),
        (lambda f: (f / "result.json").unlink(), r"result\.json is missing; add the file"),
        (lambda f: (f / "params.json").write_text("{"), r"params\.json is not JSON"),
        (lambda f: (f / "checkpoint_000005" / "checkpoints").unlink(), "checkpoint_000005/checkpoints is missing"),
        (second_checkpoint, "checkpoint_5 and checkpoint_000005 have one number; leave the run out by --leave-out"),
        (no_weights, "has no checkpoint_"),
        (lambda f: elsewhere(f, "params.json"), r"params\.json lies outside .*copy the file"),
        (lambda f: elsewhere(f, "checkpoint_000010/checkpoints"), "checkpoints lies outside"),
        (lambda f: elsewhere(f, "checkpoint_000010"), "checkpoints lies outside"),
    ],
)
def test_faults_are_named_with_a_remedy(folder, damage, message):
    damage(folder)
    with pytest.raises(DataError, match=message):
        read(folder)


def test_reading_a_run_reads_no_weights(folder):
    for path in folder.glob("checkpoint_*/checkpoints"):
        path.write_bytes(b"damaged")
    assert len(read(folder).files) == 2
