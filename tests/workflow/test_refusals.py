"""What cannot run is refused before any job starts, by a message that names the key and the remedy."""

from collections import Counter

import pandas as pd
import pytest
import yaml

from wsl.errors import ConfigError
from wsl.runs.run import Run

NOWHERE = {"source": {"name": "imagefolder", "train": "nowhere/train", "test": "nowhere/val"}}
REFUSED = {
    "unknown key": (
        {"zoo__widht": 2},
        "zoo.widht: unknown key; the keys here are architecture, snapshots",
    ),
    "unknown section": ({"bins": 3}, "bins: unknown key; the keys here are run, seed, beside, plugins, images, zoo"),
    "wrong type": ({"zoo__members": "many"}, "zoo.members: Input should be a valid integer"),
    "truth value": ({"zoo__members": True}, "zoo.members: integer required (given: True)"),
    "negative": ({"seed": -1}, "seed: Input should be greater than or equal to 0 (given: -1)"),
    "section left empty": ({"zoo": None}, "zoo: Input should be a valid dictionary"),
    "folder as run": ({"run": "../elsewhere"}, "run: String should match pattern"),
    "impossible split": (
        {"zoo__parts": {"train": 50, "validation": 1, "test": 1}},
        "zoo.parts: 8 members leave the validation part empty; raise zoo.members or that part's share",
    ),
    "too few tasks": (
        {"images__classes": 3},
        "zoo.classes_per_task: 3 of 3 classes make too few tasks to give each part tasks of its own; use more classes",
    ),
    "classes shared out entirely": (
        {"images__validation_share": 0.6, "images__source": {"name": "digits", "test_share": 0.4}},
        "validation_share and test_share leave no image to train on; make them smaller",
    ),
    "more classes than there are": (
        {"images__classes": 11},
        "images.classes: 11 classes asked for, but there are 10; ask for fewer",
    ),
    "fewer classes than a task has": (
        {"images__classes": 2},
        "images.classes: 2 classes are left for tasks, but a task has 3; use more classes",
    ),
    "unknown class": (
        {"images__classes": ["0", "1", "2", "ten"]},
        "images.classes: there is no class 'ten' in the digits; correct the name or the folder",
    ),
    "class named twice": ({"images__classes": ["0", "1", "2", "0"]}, "images.classes: the class '0' is listed twice"),
    "early after max": (
        {"zoo__early_epoch": {"integers": [1, 2]}},
        "early_epoch can reach 2, but max_epoch can be as low as 2; the early snapshot must come first",
    ),
    "bounds the wrong way round": (
        {"zoo__max_epoch": {"integers": [3, 2]}},
        "zoo.max_epoch: the lower bound 3 must be at most the upper bound 2",
    ),
    "unknown optimiser": (
        {"zoo__optimizer": "lion"},
        "only adam and sgd are known; write {choice: [adam, sgd]} or one of them",
    ),
    "no distribution": (
        {"zoo__learning_rate": {"adam": {"gauss": [0, 1]}}},
        "zoo.learning_rate.adam: not a distribution; write a value, or one of {choice: [...]}",
    ),
    "learning rate of nothing": (
        {"zoo__learning_rate": {"sgd": 0}},
        "zoo.learning_rate.sgd: 0 is too small: it must be above 0",
    ),
    "batch of one": ({"zoo__batch_size": 1}, "zoo.batch_size: 1 is too small: it must be at least 2"),
    "folder for digits": (
        {"images__source": {"name": "digits", "train": "photos"}},
        "images.source.train: unknown key; the keys here are name, test_share",
    ),
    "folder of an earlier version": (
        {"images__train": "photos"},
        "images.train: a key of an earlier version, now images.source.train; write images.source: {name: imagefolder",
    ),
    "one folder of two": (
        {"images": {"source": {"name": "imagefolder", "train": "photos"}}},
        "images.source: imagefolder needs both `train` and `test` folders; write source: {name: imagefolder, train: ",
    ),
    "unknown source": (
        {"images__source": "photos"},
        "images.source: unknown image source 'photos' (known: derived, digits, glyphs, hf, imagefolder, none, ",
    ),
    "missing folder": (
        {"images": NOWHERE},
        "images.source.train: there is no folder nowhere/train; correct the path or unpack the images there",
    ),
    "missing weights": (
        {"datasets": {"weights": "nowhere/clip.pt"}},
        "datasets: there is no file nowhere/clip.pt; correct the path, or name an open_clip model",
    ),
    "missing model": (
        {"datasets": {"model": "clip.json"}},
        "datasets: there is no file clip.json; correct the path, or name an open_clip model",
    ),
    "unknown solver": (
        {"weights__solver": "fast"},
        "weights.solver: Input should be 'gram', 'incremental', 'full' or 'randomized' (given: 'fast')",
    ),
}
BY_SNAKEMAKE = (
    "unknown key",
    "wrong type",
    "impossible split",
    "more classes than there are",
    "early after max",
    "missing folder",
    "missing weights",
)


@pytest.fixture(scope="module")
def photos(class_folders):
    """Five classes: `d` has three images to train on, `e` none to test on."""
    return class_folders(
        {"train": {"a": 12, "b": 12, "c": 12, "d": 3, "e": 12}, "val": {"a": 2, "b": 2, "c": 2, "d": 2}}
    )


def folders_of(photos):
    return {"name": "imagefolder", "train": f"{photos}/train", "test": f"{photos}/val"}


@pytest.mark.parametrize("changes, message", REFUSED.values(), ids=REFUSED)
def test_config_is_refused(tiny_config, change, changes, message):
    with pytest.raises(ConfigError) as refused:
        Run(change(tiny_config, **changes))
    assert message in str(refused.value)


def test_every_fault_is_named(tiny_config, change):
    with pytest.raises(ConfigError) as refused:
        Run(change(tiny_config, zoo__widht=2, shared__losses__nt_xent__temperature=0, outcomes__bins=0))
    keys = [line.split(":")[0].strip() for line in str(refused.value).splitlines()[1:]]
    assert sorted(keys) == ["outcomes.bins", "shared.losses.nt_xent.temperature", "zoo.widht"]


@pytest.mark.parametrize(
    "classes, message",
    [
        (None, "images.source.test: {root}/val has no folder 'e'; add it"),
        (6, "images.classes: 6 classes asked for, but there are 5; ask for fewer"),
        (4, "images.minimum: class 'd' has 3 image files in {root}/train/d, fewer than 10; add images"),
        (["a", "b", "c", "e"], "images.source.test: {root}/val has no folder 'e'; add it"),
        (["a", "b", "c", "z"], "images.classes: there is no class 'z' in {root}/train; correct the name"),
        (["a", "b"], "images.classes: 2 classes are left for tasks, but a task has 3"),
    ],
)
def test_folder_is_refused(tiny_config, change, photos, classes, message):
    images = {"source": folders_of(photos), "classes": classes}
    with pytest.raises(ConfigError) as refused:
        Run(change(tiny_config, images=images))
    assert message.format(root=photos) in str(refused.value)


def test_faults_of_the_config_the_folders_and_the_classes_are_named_at_once(tiny_config, change, photos):
    images = {"source": folders_of(photos)}
    with pytest.raises(ConfigError) as refused:
        Run(change(tiny_config, images={**images, "classes": [*"abcdz"]}, zoo__widht=2))
    found = str(refused.value)
    assert "zoo.widht: unknown key" in found and "class 'd' has 3 image files" in found and "no class 'z'" in found
    with pytest.raises(ConfigError) as refused:
        Run(change(tiny_config, images=images, datasets={"weights": "nowhere/clip.pt"}))
    found = str(refused.value)
    for part in ("class 'd' has 3 image files", "no folder 'e'", "there is no file nowhere/clip.pt"):
        assert part in found


def test_too_few_classes_and_members_are_told_with_the_numbers_that_suffice(tiny_config, change, photos):
    images = {"source": folders_of(photos), "minimum": 3}
    config = change(tiny_config, images={**images, "classes": [*"abcd"]}, zoo__init="finetuned")
    config = change(config, zoo__backbone={"classes": 40}, zoo__parts={"train": 20, "validation": 1, "test": 1})
    with pytest.raises(ConfigError) as refused:
        Run(config)
    (classes,) = (line for line in str(refused.value).splitlines() if "needs at least" in line and "classes" in line)
    (members,) = (line for line in str(refused.value).splitlines() if "zoo.members: " in line)
    needed, fewest = (int(line.split("at least ")[1].split()[0]) for line in (classes, members))
    assert "40 for zoo.backbone.classes" in classes and needed > 40
    digits = change(tiny_config, zoo__init="finetuned", zoo__members=fewest, zoo__parts=config["zoo"]["parts"])
    Run(change(digits, zoo__backbone={"classes": 2}, images__classes=needed - 40 + 2))
    with pytest.raises(ConfigError, match="too few tasks"):
        Run(change(digits, zoo__backbone={"classes": 2}, images__classes=needed - 40 + 1))
    with pytest.raises(ConfigError, match=r"zoo\.parts"):
        Run(change(digits, zoo__backbone={"classes": 2}, images__classes=10, zoo__members=fewest - 1))


def assert_refused(done, folder, message):
    assert done.returncode != 0
    assert message in done.stdout
    assert "Traceback" not in done.stdout
    assert "Finished jobid" not in done.stdout
    assert {path.name for path in folder.iterdir()} <= {".snakemake", "given.yaml"}


@pytest.mark.parametrize("case", BY_SNAKEMAKE)
def test_snakemake_refuses_config(tiny_config, change, plain_snakemake, tmp_path, case):
    changes, message = REFUSED[case]
    done = plain_snakemake(change(tiny_config, **changes), "--dry-run")
    assert_refused(done, tmp_path, message)
    assert "Job stats" not in done.stdout


def test_snakemake_refuses_a_key_that_stands_twice(repository, tmp_path, plain_snakemake):
    given = tmp_path / "twice.yaml"
    given.write_text("run: twice\nzoo: {members: 12}\nimages: {source: digits}\nzoo: {width: 4}\n")
    done = plain_snakemake(given, "--dry-run")
    assert done.returncode != 0
    assert "twice.yaml: the key zoo is repeated in lines 2 and 4" in done.stdout
    assert "Traceback" not in done.stdout and "Job stats" not in done.stdout


def test_snakemake_refuses_too_few_images(tiny_config, change, plain_snakemake, photos, tmp_path):
    images = {"source": folders_of(photos), "classes": 4}
    done = plain_snakemake(change(tiny_config, images=images), "--dry-run")
    assert_refused(done, tmp_path, "images.minimum: class 'd' has 3 image files")
    assert "Job stats" not in done.stdout


def test_run_without_its_folders_is_planned_but_not_started(tiny_config, change, plain_snakemake, count_jobs, tmp_path):
    config = change(tiny_config, images={**NOWHERE, "classes": [*"abcde"]})
    planned = plain_snakemake(config, "--dry-run")
    assert planned.returncode == 0
    assert count_jobs(planned.stdout)["train_cohort"] == 8
    done = plain_snakemake(config, "--cores", "1")
    assert_refused(
        done,
        tmp_path,
        "images.source.train: there is no folder nowhere/train; correct the path or unpack the images there",
    )


def test_given_config_stands_alone(plain_snakemake, repository, tmp_path):
    embedded = yaml.safe_load((repository / "config" / "config.yaml").read_text(encoding="utf-8"))
    assert "learning_rate" in embedded["zoo"], "the default config no longer sets what this test leaves out"
    config = {"run": "alone", "zoo": {"members": 20}}
    done = plain_snakemake(config, "--cores", "1", "results/alone/zoo/plan.csv")
    assert done.returncode == 0, done.stdout
    plan = pd.read_csv(tmp_path / "results" / "alone" / "zoo" / "plan.csv")
    assert plan["learning_rate"].tolist() == [row["learning_rate"] for row in Run(config).plan]
    assert plan["learning_rate"].tolist() != [
        row["learning_rate"] for row in Run({**embedded, "zoo": {**embedded["zoo"], "members": 20}}).plan
    ]


def test_key_on_the_command_line_changes_the_default_config_alone_there(plain_snakemake, repository, tmp_path):
    embedded = yaml.safe_load((repository / "config" / "config.yaml").read_text(encoding="utf-8"))
    target = f"results/{embedded['run']}/zoo/plan.csv"
    done = plain_snakemake(None, "--cores", "1", target, "--config", "zoo={members: 90}")
    assert done.returncode == 0, done.stdout
    expected = Run({**embedded, "zoo": {**embedded["zoo"], "members": 90}}).plan
    plan = pd.read_csv(tmp_path / target)
    assert plan["seed"].tolist() == [row["seed"] for row in expected]
    assert plan["learning_rate"].tolist() == [row["learning_rate"] for row in expected]


def test_thesis_has_its_parts(repository):
    raw = yaml.safe_load((repository / "config" / "thesis.yaml").read_text(encoding="utf-8"))
    run = Run(raw)
    assert Counter(row["part"] for row in run.plan) == {"train": 850, "validation": 100, "test": 50}
    assert len(run.classes) == 1000


@pytest.mark.slow
def test_thesis_is_planned_without_its_images(plain_snakemake, count_jobs, repository):
    done = plain_snakemake(repository / "config" / "thesis.yaml", "--dry-run")
    assert done.returncode == 0, done.stdout[-5000:]
    counts = count_jobs(done.stdout)
    assert {rule: count for rule, count in counts.items() if count > 1} == {
        "train_cohort": 100,
        "fit_pca": 18,  # convolutions of more than 16,384 weights
        "index_part": 3,
        "coefficients": 3,
        "embed_weights": 3,
        "judge": 10,
    }
    assert sum(rule.startswith("pack_classes_") for rule in counts) == 100
    assert sum(rule.startswith("clip_features_") for rule in counts) == 100


@pytest.mark.slow
def test_no_member_is_trained_where_a_class_is_unusable(tiny_config, change, plain_snakemake, tmp_path):
    # Digits 0 to 4 have 142, 146, 142, 146 and 145 images to learn from; only packing can tell.
    config = change(tiny_config, images__minimum=145)
    done = plain_snakemake(config, "--cores", "2", "results/tiny/tables/members.csv")
    assert done.returncode != 0
    assert "class '0' has" in done.stdout and "fewer than images.minimum = 145" in done.stdout
    made = {path.relative_to(tmp_path / "results" / "tiny").as_posix() for path in tmp_path.glob("results/tiny/*/*.h5")}
    assert made == {"images/1.h5", "images/3.h5", "images/4.h5"}
    assert not list(tmp_path.glob("results/tiny/zoo/members/*.h5"))
