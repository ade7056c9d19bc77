"""Merged bodies: fitted on the training members, chosen on validation tasks, and with each kind of head."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.models import LAYOUT
from wsl.config.schema import load_config
from wsl.errors import ConfigError
from wsl.files.tensors import read_tensors
from wsl.images.tasks import TaskImages
from wsl.runs.run import Run
from wsl.sampling.features import BodyFeatures
from wsl.sampling.generator import fit_generator
from wsl.sampling.inputs import compared
from wsl.sampling.loading import Choice, OpenRun
from wsl.sampling.merged_body import fit_merged, prototype_accuracy
from wsl.sampling.merging.base import MERGES
from wsl.sampling.methods.base import METHODS
from wsl.settings.registry import load_plugins

KNOWN, TASK = list("01234"), "0/3/2"
HEAD = np.concatenate([np.r_[LAYOUT[name].columns] for name in LAYOUT.head])
BODY = np.setdiff1d(np.arange(LAYOUT.size), HEAD)
TOY = str(Path(__file__).parents[1] / "stages" / "toy_linear.py")
PLUGIN = """
import numpy as np
from wsl.sampling.merging.base import MERGES, Merge

@MERGES.register("median")
class Median(Merge):
    label = "median"

    def body(self, members, number):
        return np.median(np.stack([*members.whole()]), axis=0)
"""


@pytest.fixture(scope="module")
def merged_file(method_files, zoo, start, tmp_path_factory):
    """Returns the file of a merge."""
    folder = tmp_path_factory.mktemp("merged")

    def fit(name, **settings):
        out = folder / f"{name}-{len(list(folder.iterdir()))}.safetensors"
        fit_merged(method_files([zoo.validation], start=start), out, name, settings, KNOWN)
        return out

    return fit


def sample(files, name, task=TASK, images=None):
    with OpenRun(files, Choice(name=name, known=KNOWN)) as run:
        return run.load().sample(task, 0.1, images)


@pytest.mark.parametrize("name", list(MERGES))
def test_each_merge_gives_models_with_prototypes_and_with_a_probe(method_files, merged_file, start, name):
    files = method_files(merged=merged_file(name), start=start)
    models = [sample(files, f"{name}-{head}") for head in ("prototypes", "probe")]
    assert all(np.isfinite(weights).all() for weights in models)
    np.testing.assert_array_equal(models[0][BODY], models[1][BODY])  # one body, two heads
    assert not np.allclose(models[0][HEAD], models[1][HEAD])
    assert sample(files, f"{name}-probe", images=0) is None


@pytest.mark.parametrize("name", [name for name in MERGES if not MERGES[name].by_task])
def test_heads_are_inferred_on_bodies_for_all_tasks(method_files, merged_file, class_means, packed, tmp_path, name):
    merged, out = merged_file(name), tmp_path / "inference.safetensors"
    fit_generator(merged, list(class_means.values()), list(packed.values()), out, KNOWN, counts=[3])
    weights = sample(method_files(fitted=out), f"{name}-inference")
    body = sample(method_files(merged=merged), f"{name}-probe")
    np.testing.assert_allclose(weights[BODY], body[BODY], rtol=1e-5, atol=1e-6)
    assert sample(method_files(fitted=out), f"{name}-inference", images=0) is None


def test_the_number_is_the_best_on_validation_images_of_validation_tasks(merged_file, packed):
    path = merged_file("task-arithmetic", scales=[0.01, 1.0, 30.0])
    state, about = read_tensors(path)
    accuracies = dict(about["accuracies"])
    assert list(accuracies) == [0.01, 1.0, 30.0] and about["number"] == max(accuracies, key=accuracies.get)
    features = BodyFeatures(state, LAYOUT, TaskImages(list(packed.values())))
    assert prototype_accuracy(state, features, "1/0/4") == pytest.approx(accuracies[about["number"]])
    single = read_tensors(merged_file("task-arithmetic", scales=[2.0]))[1]
    assert single["number"] == 2.0 and not single["accuracies"]


def test_a_body_for_each_task_depends_on_the_images_that_may_be_used(method_files, merged_file, start):
    files = method_files(merged=merged_file("nearest-soup", counts=[1]), start=start)
    of_tasks = [sample(files, "nearest-soup-prototypes", task) for task in ("0/1/2", "2/3/4")]
    assert not np.allclose(of_tasks[0][BODY], of_tasks[1][BODY])
    few, all_images = (sample(files, "nearest-soup-prototypes", images=images) for images in (3, None))
    assert not np.array_equal(few, all_images)


def config(**sampling):
    return {"run": "a", "zoo": {"init": "shared"}, "sampling": sampling}


def test_a_run_compares_the_bodies_and_heads_of_its_config():
    run = Run(config(merging={"methods": ["ties", "nearest-soup"], "heads": ["probe", "inference"]}))
    names = {name for name in compared(run) if getattr(METHODS[name], "merge", None)}
    assert names == {"ties-probe", "ties-inference", "nearest-soup-probe"}
    assert METHODS["ties-probe"].files(run, 0) == {"merged": run.paths.merged("ties")}
    assert METHODS["ties-inference"].fit_files(run, 0)["body"] == run.paths.merged("ties")
    assert not any(getattr(METHODS[name], "merge", None) for name in compared(Run(config())))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"sampling": {"merging": {"methods": ["tie"]}}}, "sampling.merging.methods.0: unknown way to merge"),
        ({"sampling": {"merging": {"methods": ["ties", "ties"]}}}, "sampling.merging.methods: .* named twice"),
        (
            {"sampling": {"merging": {"methods": ["soup", "wudi"]}}, "zoo": {"init": "independent"}},
            "sampling.merging.methods: wudi merges differences from a common start",
        ),
        (
            {"sampling": {"merging": {"methods": ["soup"]}}, "plugins": [TOY], "zoo": {"architecture": "toy-linear"}},
            "sampling.merging.methods: .* heads of these networks have no bias",
        ),
    ],
)
def test_what_cannot_be_merged_is_refused_before_any_job(changes, message):
    with pytest.raises(ConfigError, match=message):
        Run({**config(), **changes})


def test_methods_are_known_without_the_plug_ins_that_nothing_names(tmp_path):
    plugin = tmp_path / "median.py"
    plugin.write_text(PLUGIN + 'raise ImportError("loaded")')
    program = f"""
from wsl.sampling.methods.base import METHODS
from wsl.settings.registry import offer_plugins
offer_plugins([{str(plugin)!r}])
METHODS["ties-probe"]
METHODS["median-probe"]
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].endswith("correct it")
    assert "line 6" in done.stderr  # where the last name is looked up


def test_a_plug_in_merge_becomes_baselines(tmp_path, method_files, zoo, start):
    plugin, out = tmp_path / "median.py", tmp_path / "median.safetensors"
    plugin.write_text(PLUGIN)
    load_plugins([plugin])
    load_config(config(merging={"methods": ["median"]}))
    fit_merged(method_files([zoo.validation], start=start), out, "median", {}, KNOWN)
    assert np.isfinite(sample(method_files(merged=out), "median-probe")).all()
