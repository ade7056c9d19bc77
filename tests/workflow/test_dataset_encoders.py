"""The rules of dataset encoders other than the thesis'; test_rules.py sees those of the default alone."""

from collections import Counter
from pathlib import Path

import h5py
import pytest

CLASS_FILES = "results/tiny/datasets/class_means/{}.h5"
# Constants that a test makes smaller: file, text and its replacement.
SMALL = (
    ("wsl/datasets/distillation.py", "STEPS = 200", "STEPS = 2"),
    ("wsl/datasets/set_encoder.py", "epochs=100", "epochs=2"),
)


@pytest.fixture
def project(new_project, change, tiny_config):
    """Makes a project of ten digits, two of them the backbone's and three unseen, with an encoder."""

    def make(encoder):
        return new_project(
            change(
                tiny_config,
                images__classes=10,
                images__classes_per_job=10,
                zoo__init="finetuned",
                zoo__backbone={"classes": ["0", "1"], "teacher": 1.0},
                zoo__unseen={"classes": ["7", "8", "9"], "members": 1},
                datasets={"encoder": encoder},
            )
        )

    return make


def inputs(printed, read_jobs, rule):
    """Folder and class of every input of a rule's only job."""
    (job,) = (job for job in read_jobs(printed) if job["rule"] == rule)
    paths = [Path(path) for path in job["input"].split(", ")]
    return Counter((path.parent.name, path.stem) for path in paths if path.suffix == ".h5")


def test_unseen_classes_never_reach_the_set_encoder(project, read_jobs):
    planned = project("set").dry_run(CLASS_FILES.format("9"))
    learnt = {name for _, name in inputs(planned, read_jobs, "fit_dataset_encoder")}
    assert {"0", "1"} < learnt <= set("0123456")
    assert inputs(planned, read_jobs, "class_mean") == {("clip", "9"): 1, ("images", "9"): 1}


@pytest.mark.parametrize(("encoder", "folder"), [("clip", "class_means"), ("set", "clip"), ("distilled", "clip")])
def test_the_backbone_is_taught_by_clips_own_features(project, read_jobs, encoder, folder):
    planned = project(encoder).dry_run("results/tiny/zoo/start.safetensors")
    taught = Counter({(kind, name): 1 for kind in ("images", folder) for name in "01"})
    assert inputs(planned, read_jobs, "start") == taught


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["distilled", "set"])
def test_a_class_file_is_made_by_the_encoder(project, encoder):
    made = project(encoder)
    for change in SMALL:
        made.edit(*change)
    made.run(CLASS_FILES.format("9"))
    with h5py.File(made.root / CLASS_FILES.format("9")) as file:
        assert file.attrs["encoder"] == encoder and file.attrs["class"] == "9"
        assert file["mean"].shape == (file["features"].shape[1],)
    assert "Nothing to be done" in made.dry_run(CLASS_FILES.format("9"))
