"""A run on imported members takes everything about them from their folder, and refuses what contradicts it."""

import numpy as np
import pandas as pd
import pytest

from wsl.errors import ConfigError
from wsl.report.contents import planned_warnings
from wsl.report.facts import facts
from wsl.runs.disk import disk_needs
from wsl.runs.run import Run
from wsl.zoo.architectures.cnn_small import CnnSmall
from wsl.zoo.index import open_zoo, write_index
from wsl.zoo.layout import layout_from
from wsl.zoo.member import Member, write_members

SETTINGS = {"filters": [2, 2, 2], "activation": "tanh"}
CNN = CnnSmall(**SETTINGS).layout(3, 21)
OTHER = layout_from([("a.weight", (4, 6)), ("fc.weight", (3, 4))], [])  # of no architecture
SPLIT = {"train": [0, 1, 4], "validation": [2], "test": [3]}


def write_zoo(folder, layout=CNN, split=SPLIT, tasks=("2/0/1",)):
    """Write members of random weights, as an import does."""
    for part, numbers in split.items():
        for number in numbers:
            rows = [{"epoch": epoch, "validation_loss": 1 / epoch, "validation_accuracy": 0.5} for epoch in (5, 10)]
            history = pd.DataFrame(rows).assign(train_loss=1.0, train_accuracy=0.5)
            snapshots = history.assign(snapshot=["epoch5", "max"])
            weights = np.random.default_rng(number).normal(size=(2, layout.size)).astype(np.float32)
            plan = {"member": number, "classes": tasks[number % len(tasks)].split("/"), "source": f"run {number}"}
            counters = np.zeros((2, len(layout.counters)), dtype=np.int64)
            member = Member(plan, weights, counters, snapshots, history, diverged=False, layout=layout)
            write_members(folder / "members" / f"{number:05d}.h5", [member])
        write_index([folder / "members" / f"{number:05d}.h5" for number in numbers], folder / f"{part}.h5")
    return folder


@pytest.fixture
def zoo(tmp_path):
    return write_zoo(tmp_path / "zoo")


def run_on(folder, **sections):
    return Run({"run": "own", **sections, "zoo": {"import": str(folder), **sections.get("zoo", {})}})


def test_the_folder_defines_members_network_classes_and_size(zoo):
    run = run_on(zoo)
    assert {part: [int(name) for name in run.members(part)] for part in run.parts} == SPLIT
    assert (run.config.zoo.architecture, run.config.zoo.classes_per_task) == (CnnSmall(**SETTINGS), 3)
    assert (run.classes, run.config.images.size, run.layout) == (["2", "0", "1"], CNN.image_size, CNN)
    assert run.member_files(["00003"]) == [str(zoo / "members" / "00003.h5")]
    assert (run.trained, run.one_task, "zoo" in disk_needs(run)) == ([], True, False)
    about = facts(run)
    assert (about["snapshots"], about["snapshot_count"]) == ("epoch 5 and max (the last epoch)", "2")
    assert about["tasks"] == "one task of 3 classes"
    same, few = planned_warnings(run)
    assert "all members have the same task" in same and "held-out member" in few and run.unit == "members"


def test_only_the_first_training_members_can_be_used(zoo):
    run = run_on(zoo, zoo={"training": 2})
    assert {part: [int(name) for name in run.members(part)] for part in run.parts} == {**SPLIT, "train": [0, 1]}


def test_members_may_have_different_tasks(tmp_path):
    run = run_on(write_zoo(tmp_path / "zoo", tasks=("2/0/1", "3/1/0")))
    assert (sorted(run.classes), run.one_task, run.task("00001")) == (["0", "1", "2", "3"], False, ["3", "1", "0"])


def test_the_normalisation_of_the_config_reaches_the_index(zoo, tmp_path):
    used = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    run = run_on(zoo, images=used)
    assert run.layout.normalisation._asdict() == {key: tuple(values) for key, values in used.items()}
    write_index(run.member_files(["00002"]), tmp_path / "own.h5", normalisation=[used["mean"], used["std"]])
    with open_zoo(tmp_path / "own.h5") as own, open_zoo(zoo / "validation.h5") as theirs:
        assert (own.layout, theirs.layout) == (run.layout, CNN)
        assert np.array_equal(own.weights, theirs.weights)


@pytest.mark.parametrize(
    "sections, parts",
    [
        ({"zoo": {"members": 9, "optimizer": "adam"}}, ["members and optimizer would have no effect", "remove them"]),
        ({"zoo": {"architecture": "resnet18"}}, ["architecture would have no effect; remove it"]),
        ({"images": {"classes": 3}}, ["images.classes", "those of zoo.import"]),
        ({"images": {"size": 40}}, ["images.size", "read images of 21 pixels"]),
        ({"images": {"source": {"name": "none"}}, "weights": {"encoder": {"behaviour": 1}}}, ["behaviour to 0"]),
        ({"images": {"source": "none"}, "weights": {"budget": 9}}, ["weights.gate", "gate: variance"]),
        ({"images": {"source": "none"}, "evaluation": {"bench": {"encoders": {"a": {"encoder": "pca"}}}}},
         ["evaluation.bench", "images.source is none"]),
        ({"zoo": {"training": 7}}, ["zoo.training: 7 training members, but there are 3"]),
        ({"images": {"std": [1, 1, 0]}}, ["images.std", "greater than 0"]),
    ],
)  # fmt: skip
def test_what_contradicts_the_folder_is_refused(zoo, sections, parts):
    with pytest.raises(ConfigError) as refused:
        run_on(zoo, **sections)
    assert all(part in str(refused.value) for part in parts)


def test_classes_without_images_are_named(tmp_path):
    zoo = write_zoo(tmp_path / "zoo", tasks=("cat/0/dog",))
    with pytest.raises(ConfigError, match=r"images.source: .*no images of the classes 'cat', 'dog' of .*none"):
        run_on(zoo)
    run = run_on(zoo, images={"source": "none"})
    assert (run.classes, run.task("00003"), run.groups["tasks"]) == ([], ["cat", "0", "dog"], [])
    (warning,) = planned_warnings(run)
    assert warning.startswith("images.source is none")


def test_no_images_are_refused_for_members_that_are_trained():
    with pytest.raises(ConfigError, match="`none` is only possible with"):
        Run({"run": "own", "images": {"source": "none"}})


def test_pooling_gives_several_sizes_equal_shapes(zoo):
    assert run_on(zoo, images={"size": 22}).config.images.size == 22


@pytest.mark.parametrize(
    "layout, fault",
    [
        (OTHER, "do not belong to any known architecture"),
        (CNN._replace(activation="gelu"), "were trained with gelu"),
    ],
)
def test_networks_that_cannot_run_have_only_stages_of_weights(tmp_path, layout, fault):
    zoo = write_zoo(tmp_path / "zoo", layout)
    with pytest.raises(ConfigError, match=fault):
        run_on(zoo)
    run = run_on(zoo, images={"source": "none"})
    assert run.layout == layout and not run.runnable
    assert run.shown_config()["zoo"] == {"import": str(zoo), "training": None}


def test_unknown_networks_cannot_be_aligned(tmp_path):
    with pytest.raises(ConfigError, match="the architecture other has no known permutation symmetry"):
        run_on(write_zoo(tmp_path / "zoo", OTHER), images={"source": "none"}, weights={"align": True})


def test_an_incomplete_folder_is_refused(zoo, tmp_path):
    def refused(folder):
        with pytest.raises(ConfigError) as error:
            run_on(folder)
        return str(error.value)

    assert "there is no folder" in refused(tmp_path / "elsewhere")
    assert "holds no train.h5" in refused(tmp_path)
    (zoo / "members" / "00004.h5").rename(tmp_path / "00004.h5")
    assert "00004.h5 is missing, which" in refused(zoo)
    (zoo / "test.h5").rename(tmp_path / "test.h5")
    assert "has no test members" in refused(zoo) and "--parts 70,15,15" in refused(zoo)
