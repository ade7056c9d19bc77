"""What a change makes stale, exactly: every job that depends on it, and no other."""

import shutil
from collections import Counter

import pytest
from stages import (
    AUTOENCODER,
    CLASS_MEANS,
    EVERY_MEMBER,
    EVERYTHING,
    FIGURES,
    METHODS,
    OUTPUTS,
    PCA,
    RECONSTRUCTION,
    REPORT,
    SAMPLER,
    SAMPLING,
    SAMPLING_TABLES,
    SHARED,
    TRAINING_INDEX,
    ZOO_TABLES,
)

from wsl.runs.run import Run

pytestmark = pytest.mark.slow

SGD, ADAM = {"00000", "00002", "00003", "00005"}, {"00001", "00004", "00006", "00007"}

CONFIG_CHANGES = {
    "temperature": ({"shared__losses__nt_xent": {"weight": 1, "temperature": 0.2}}, SHARED),
    "outcome embedding": ({"shared__outcome_embedding": 4}, SHARED),
    "keep of the shared encoder": ({"shared__keep": "last"}, SHARED),
    "components": ({"weights__components": 4}, PCA),
    "solver": ({"weights__solver": "full"}, PCA),
    "latent": ({"weights__encoder__latent": 4}, AUTOENCODER),
    "epochs of the weight encoder": ({"weights__encoder__epochs": 5}, AUTOENCODER),
    "normalisation": ({"weights__encoder__normalise": "global"}, AUTOENCODER),
    "bins": ({"outcomes__bins": 4}, Counter(outcome_bins=1) + (SHARED | SAMPLING)),
    "CLIP": ({"datasets__model": "own-rn.json"}, CLASS_MEANS),
    "requested outcome": ({"sampling__outcome": 0.5}, SAMPLING),
    "norm": ({"sampling__projection__norm": "raw"}, SAMPLER),
    "members of the heat map": (
        {"evaluation__heatmap_members": 1},
        Counter(similarities=1, similarity_heatmap=1) + REPORT,
    ),
    "synthetic images": ({"evaluation__synthetic_images": 8}, OUTPUTS),
    "training images": ({"evaluation__training_images": 10}, RECONSTRUCTION),
    # Swapped values within one rule, and of two rules.
    "latent and epochs swapped": ({"weights__encoder__latent": 4, "weights__encoder__epochs": 8}, AUTOENCODER),
    "hidden and epochs swapped": ({"shared__hidden": [4], "shared__epochs": 16}, SHARED),
    "images of both evaluations swapped": (
        {"evaluation__synthetic_images": 20, "evaluation__training_images": 16},
        RECONSTRUCTION | OUTPUTS,
    ),
    # The zoo.
    "epochs": (
        {"zoo__max_epoch": 4},
        Counter(plan=1) + EVERY_MEMBER,
    ),
    "schedule": ({"zoo__schedule": "cosine"}, Counter(plan=1) + EVERY_MEMBER),
    "images": ({"images__validation_share": 0.3}, EVERYTHING - Counter(plan=1)),
    "seed": ({"seed": 8}, EVERYTHING),
    "run": ({"run": "other"}, EVERYTHING),
}
CODE_CHANGES = {
    "look of figures": ("figures/style.py", FIGURES + REPORT),
    "one figure": ("figures/autoencoder_loss.py", Counter(autoencoder_loss=1) + REPORT),
    "list of figures": ("figures/catalogue.py", Counter()),
    "list of tables": ("report/contents.py", Counter()),
    "loss of the shared encoder": ("training/ntxent.py", SHARED),
    "sampler": ("sampling/methods/projection.py", SAMPLER - Counter(describe_sampler=1)),
    "sampler that the run does not use": ("sampling/methods/flow.py", Counter()),
    "baselines": ("sampling/methods/task_heads.py", Counter(judge=2) + SAMPLING_TABLES),
    "what all methods share": ("sampling/methods/base.py", SAMPLING),
    "tables": ("evaluation/tables.py", Counter(reconstruction_table=1) | SAMPLING_TABLES),
    "autoencoder": ("weights/encoders/_autoencoder.py", AUTOENCODER),
    "PCA": ("weights/pca.py", PCA | SAMPLING),
    "training": ("zoo/training.py", EVERY_MEMBER),
    "plan": ("zoo/plan.py", Counter(plan=1)),
    "packing": ("images/packing.py", EVERYTHING - Counter(plan=1)),
    "image source": ("images/sources/digits.py", EVERYTHING - Counter(plan=1)),
    "another image source": ("images/sources/glyphs.py", Counter()),
    "another dataset encoder": ("datasets/set_encoder.py", Counter()),
    "files": ("files/hdf5.py", EVERYTHING),
    "report": ("report/page.py", REPORT),
    "schema": ("config/schema.py", Counter()),
    "start of a workflow": ("runs/run.py", Counter()),
    "what goes round a job": ("jobs/process.py", Counter()),
}
UNRELATED = ("README.md", "config/config.yaml", "pyproject.toml", "workflow/scripts/call.py", "workflow/rules/zoo.smk")


def test_nothing_changed(finished):
    assert finished.would_run() == Counter()


@pytest.mark.parametrize("changes, expected", CONFIG_CHANGES.values(), ids=CONFIG_CHANGES)
def test_changed_config(finished, changes, expected, repository):
    shutil.copy(repository / "wsl" / "datasets" / "models" / "wsl-small-rn.json", finished.root / "own-rn.json")
    finished.configure(**changes)
    # The report shows the whole config, and tables name its digest.
    assert finished.would_run() == expected | REPORT | Counter(about_tables=1)


def test_key_on_the_command_line(finished):
    assert finished.would_run("--config", "shared={losses: {nt_xent: {weight: 1, temperature: 0.2}}}") == SHARED


@pytest.mark.parametrize(
    "changes, members, parts",
    [
        ({"zoo__learning_rate": {"adam": 0.002}}, ADAM, 2),
        ({"zoo__learning_rate": {"sgd": 0.002}}, SGD, 2),
    ],
    ids=["rate of Adam", "rate of SGD"],
)
def test_changed_optimiser_retrains_its_own_members(finished, changes, members, parts):
    finished.configure(**changes)
    expected = Counter(train_cohort=4, index_part=parts, plan=1)
    assert finished.would_run() == expected | TRAINING_INDEX
    assert finished.would_make("train_cohort") == members


def test_larger_zoo_trains_its_new_members_alone(finished):
    finished.configure(zoo__members=12)
    assert finished.would_run() == Counter(plan=1, train_cohort=4, index_part=3) | TRAINING_INDEX
    assert finished.would_make("train_cohort") == {"00008", "00009", "00010", "00011"}


def test_new_test_member_refits_nothing(finished):
    finished.configure(zoo__members=9)
    assert Run(finished.config).plan[8]["part"] == "test"
    new = Counter(plan=1, train_cohort=1, index_part=1, coefficients=1, embed_weights=1, sample=1, judge=METHODS)
    shown = Counter(similarities=1, similarity_heatmap=1)
    assert finished.would_run() == new + shown + SAMPLING_TABLES | RECONSTRUCTION | OUTPUTS | ZOO_TABLES
    assert finished.would_make("train_cohort") == {"00008"}
    assert finished.would_make("index_part") == {"test"}


def test_fewer_training_members_train_none(finished):
    finished.configure(zoo__training=3)
    found = finished.would_run()
    assert found["train_cohort"] == 0 and found["index_part"] == 1 and found["fit_small_pca"] == 1


def test_smaller_zoo_trains_no_member(finished):
    finished.configure(zoo__members=7)
    assert finished.would_run() == Counter(plan=1) + TRAINING_INDEX
    assert finished.would_make("index_part") == {"train"}


@pytest.mark.parametrize("path, expected", CODE_CHANGES.values(), ids=CODE_CHANGES)
def test_changed_code(finished, path, expected):
    finished.append(f"wsl/{path}", "\n\nADDED = 1\n")
    assert finished.would_run() == expected


@pytest.mark.parametrize("path", ["zoo/training.py", "figures/style.py", "files/hdf5.py"])
def test_changed_comment_or_docstring(finished, path):
    finished.append(f"wsl/{path}", "\n# The same again.\n")
    text = (finished.root / "wsl" / path).read_text(encoding="utf-8")
    (finished.root / "wsl" / path).write_text(text.replace('"""', '"""Reworded: ', 1), encoding="utf-8")
    assert finished.would_run() == Counter()


@pytest.mark.parametrize("path", UNRELATED)
def test_changed_file_that_no_result_depends_on(finished, path):
    finished.append(path, "\n# The same again.\n")
    assert finished.would_run() == Counter()


def test_new_module_that_nobody_imports(finished):
    (finished.root / "wsl" / "zoo" / "regimes.py").write_text("ADDED = 1\n", encoding="utf-8")
    assert finished.would_run() == Counter()


@pytest.mark.parametrize("path", ["workflow/report/pca.rst", "workflow/report/accuracy.rst"])
def test_changed_caption(finished, path):
    finished.append(path, "The same again.\n")
    assert finished.would_run() == REPORT


def test_changed_title_of_a_figure(finished):
    finished.edit("wsl/figures/finetuning.py", '"accuracy after fine-tuning"', '"fine-tuning"')
    assert finished.would_run() == Counter(finetuning=1) + REPORT


def test_changed_title_of_a_table(finished):
    finished.edit("wsl/report/contents.py", '"images of each class"', '"classes"')
    assert finished.would_run() == REPORT


@pytest.mark.parametrize(
    "path, expected",
    [("report/report.html.jinja", REPORT), ("explore/assets/page.html.jinja", Counter(explore=1))],
)
def test_changed_template(finished, path, expected):
    finished.append(f"wsl/{path}", "<!-- the same again -->\n")
    assert finished.would_run() == expected


def test_changed_model_of_ours(finished):
    path = finished.root / "wsl" / "datasets" / "models" / "wsl-small-rn.json"
    path.write_text(path.read_text(encoding="utf-8").replace("{", '{"custom_text": false, ', 1), encoding="utf-8")
    assert finished.would_run() == CLASS_MEANS


def test_changed_model_that_the_config_names(tiny_config, change, new_project, repository):
    model = {"model": "own-rn.json", "weights": None}
    project = new_project(change(tiny_config, datasets=model))
    shutil.copy(repository / "wsl" / "datasets" / "models" / "wsl-small-rn.json", project.root / "own-rn.json")
    target = "results/tiny/datasets/class_means/0.h5"
    project.run(target)
    assert project.would_run(target) == Counter()
    project.append("own-rn.json", "\n")
    assert project.would_run(target) == Counter(clip_features=1)


def test_image_added_to_a_class_folder(tiny_config, change, new_project, class_folders, count_jobs):
    names = "abcde"
    photos = class_folders({"train": dict.fromkeys(names, 14), "val": dict.fromkeys(names, 4)})
    source = {"name": "imagefolder", "train": str(photos / "train"), "test": str(photos / "val")}
    images = {"source": source, "size": 8}
    project = new_project(change(tiny_config, seed=77, images=images, zoo__max_epoch=2, zoo__members=4))
    tasks = ["bad", "eda", "ebd", "abe"]
    assert ["".join(row["classes"]) for row in Run(project.config).plan] == tasks
    table = "results/tiny/tables/members.csv"
    project.run(table)
    assert project.would_run(table) == Counter()

    # No member has class c.
    (photos / "train" / "c" / "new.jpg").write_bytes((photos / "train" / "c" / "0.jpg").read_bytes())
    assert project.would_run(table) == Counter(pack_class=1, class_table=1)
    assert project.would_make("pack_class") == {"c"}
    assert count_jobs(project.run(table)) == Counter(pack_class=1, class_table=1)

    (photos / "val" / "b" / "0.jpg").unlink()
    trained = Counter(train_cohort=3, index_part=2, zoo_table=1)
    assert project.would_run(table) == Counter(pack_class=1, class_table=1) + trained
    assert project.would_make("pack_class") == {"b"}
    assert project.would_make("train_cohort") == {"00000", "00002", "00003"}
