"""Digests of code: which edits rerun which jobs."""

import shutil

import pytest

from wsl.jobs import provenance
from wsl.jobs.provenance import call_digest, code_digest, code_files, source

TRAINING = "wsl.zoo.cohort.train_cohort"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A copy of the package that a test may edit."""
    shutil.copytree(provenance.ROOT / "wsl", tmp_path / "wsl", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def edit(tree):
    """Replace text in one file of the copy."""

    def replace(file, old, new):
        text = (tree / file).read_text()
        assert text.count(old) == 1
        (tree / file).write_text(text.replace(old, new))

    return replace


def digest(call=TRAINING):
    source.cache_clear()
    provenance._reached.cache_clear()
    code_digest.cache_clear()
    return call_digest(call)


CODE_EDITS = [
    ("wsl/zoo/epochs.py", "EVALUATION_BATCH = 512", "EVALUATION_BATCH = 511"),
    ("wsl/zoo/epochs.py", "total.item() / count", "total.item() * count"),
    ("wsl/images/inputs.py", "images.float() / 255", "images.float() / 256"),  # imported by training
    ("wsl/files/hdf5.py", 'target, "w"', 'target, "w", libver="latest"'),  # imported indirectly
]


@pytest.mark.parametrize(("file", "old", "new"), CODE_EDITS)
def test_an_edit_of_reached_code_changes_the_digest(edit, file, old, new):
    before = digest()
    edit(file, old, new)
    assert digest() != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("wsl/zoo/epochs.py", "EVALUATION_BATCH = 512", "EVALUATION_BATCH = 512  # images"),
        ("wsl/zoo/epochs.py", "EVALUATION_BATCH = 512", "EVALUATION_BATCH  =  (512)"),
        ("wsl/zoo/training.py", '"""Train one member (thesis section 3.1)."""', '"""Train."""'),
        ("wsl/zoo/epochs.py", '"""Return mean cross-entropy (nats)', '"""Return the cross-entropy'),
        ("wsl/zoo/layout.py", '"""A named parameter:', '"""One of them:'),
    ],
    ids=["comment", "layout of the text", "module docstring", "function docstring", "class docstring"],
)
def test_comments_and_docstrings_do_not_change_the_digest(edit, file, old, new):
    before = digest()
    edit(file, old, new)
    assert digest() == before


def test_a_settings_default_changes_the_digest_and_its_description_does_not(edit):
    shared = "wsl.shared.training.train_shared"
    before = digest(shared)
    edit("wsl/shared/settings.py", 'description="sizes of the hidden layers"', 'description="layer sizes"')
    assert digest(shared) == before
    edit("wsl/shared/settings.py", "Field([512], description", "Field([256], description")
    assert digest(shared) != before


def test_code_that_training_does_not_reach_is_not_in_its_digest(edit, tree):
    before, figures = digest(), digest("wsl.figures.zoo_overview.draw")
    with open(tree / "wsl/figures/style.py", "a") as file:
        file.write("\nEDITED = 1\n")
    edit("wsl/weights/solvers.py", "NOISE = 1e-11", "NOISE = 1e-9")
    assert digest() == before
    assert digest("wsl.figures.zoo_overview.draw") != figures


def test_data_beside_the_code_counts_as_code(edit):
    embedding = "wsl.datasets.clip.embed_classes"
    before = digest(), digest(embedding)
    edit("wsl/datasets/models/wsl-small-rn.json", '"embed_dim": 128', '"embed_dim": 64')
    assert digest() == before[0]
    assert digest(embedding) != before[1]


def test_imported_files_are_found_anywhere_in_a_file(tree):
    (tree / "wsl" / "late.py").write_text("def f():\n    from wsl import errors\n    import wsl.files.tensors as t\n")
    reached = {path.relative_to(tree).as_posix() for path in code_files("wsl/late.py")}
    assert {"wsl/late.py", "wsl/errors.py", "wsl/files/tensors.py", "wsl/files/atomic.py"} <= reached
    assert not any("figures" in path or "zoo" in path for path in reached)


def test_an_unknown_call_is_refused(tree):
    with pytest.raises(ValueError, match=r"wsl\.nowhere\.f"):
        call_digest("wsl.nowhere.f")


def test_the_folder_of_the_project_does_not_matter(tree, tmp_path, monkeypatch):
    here = digest()
    shutil.copytree(tree / "wsl", tmp_path / "elsewhere" / "wsl")
    monkeypatch.setattr(provenance, "ROOT", tmp_path / "elsewhere")
    assert digest() == here


def test_imports_only_for_annotations_are_not_code_of_a_job(tree):
    (tree / "wsl" / "typed.py").write_text(
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from wsl.zoo.plan import plan_members\n"
    )
    assert code_files("wsl/typed.py") == [tree / "wsl" / "typed.py"]
