"""Baselines, estimates and warnings that `wsl sample` prints with its model, computed by other means."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize
from typer.testing import CliRunner

from tests.networks import resnet18
from wsl.cli.main import app
from wsl.errors import DataError
from wsl.files.plain import read_json, write_json
from wsl.files.tensors import read_tensors, write_tensors
from wsl.randomness import stream
from wsl.sampling.description import NAME, load_description

PENALTIES = {"logisticregression__C": [1e-4, 1e-3, 1e-2, 1e-1, 1, 10]}
LABELS = ("apple", "pear", "plum")


def call(*arguments, columns=200):
    done = CliRunner(env={"COLUMNS": str(columns)}).invoke(app, ["sample", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done


def sampled(run, folder, out, *arguments):
    """The output of a call, with single spaces, and the metadata that it writes."""
    done = call(folder, "--from", run, "--out", out, *arguments)
    return " ".join(done.output.split()), read_tensors(out)[1]


@pytest.fixture(scope="module")
def bodies(tmp_path_factory):
    """State dicts of a start and of a body, whose random features differ: paths by name."""
    folder, paths = tmp_path_factory.mktemp("bodies"), {}
    for place, name in enumerate(("start", "body")):
        torch.manual_seed(place)
        paths[name] = folder / f"{name}.safetensors"
        write_tensors(paths[name], resnet18(2, 3).state_dict(), {})
    return paths


@pytest.fixture(scope="module")
def full(sampler_of, bodies):
    """A run that names both files of baselines."""
    return sampler_of(**bodies)


@pytest.fixture(scope="module")
def parts(photos):
    """Images and labels of both parts of the folder, split as documented: shuffled by name, then cut."""
    split = {"train": [], "test": []}
    for label, name in enumerate(LABELS):
        files = sorted((photos / name).iterdir())
        order, count = stream(0, "images", name).permutation(len(files)), round(0.25 * len(files))
        for part, places in (("test", order[:count]), ("train", order[count:])):
            split[part] += [(np.array(Image.open(files[place])), label) for place in places]
    return {part: [*map(np.array, zip(*rows, strict=True))] for part, rows in split.items()}


def features(path, images):
    """The inputs of the head of a saved network, from a hook."""
    network, seen = resnet18(2, 3).eval(), []
    network.load_state_dict(read_tensors(path)[0])
    network.fc.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].numpy()))
    pixels = (images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.no_grad():
        network(torch.from_numpy(pixels).permute(0, 3, 1, 2).float())
    return seen[0]


def by_prototypes(parts, inputs):
    means = normalize([normalize(inputs[0][parts["train"][1] == label]).mean(axis=0) for label in range(3)])
    return np.mean((inputs[1] @ means.T).argmax(axis=1) == parts["test"][1])


def by_regression(parts, inputs):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    return GridSearchCV(model, PENALTIES, cv=5).fit(inputs[0], parts["train"][1]).score(inputs[1], parts["test"][1])


def test_baselines_are_those_of_other_libraries(full, photos, bodies, parts, tmp_path):
    _, about = sampled(full, photos, tmp_path / "m.safetensors", "--held-out", "0.25")
    expected = {}
    for prefix, name in (("", "start"), ("body-", "body")):
        inputs = [features(bodies[name], parts[part][0]) for part in ("train", "test")]
        expected[f"{prefix}prototypes"] = by_prototypes(parts, inputs)
        expected[f"{prefix}probe"] = by_regression(parts, inputs)
    pixels = [parts[part][0].reshape(len(parts[part][0]), -1) / 255 for part in ("train", "test")]
    expected["pixels"] = by_regression(parts, pixels)
    assert {name: estimate["accuracy"] for name, estimate in about["baselines"].items()} == pytest.approx(expected)
    assert len({*expected.values()}) > 2 and about["baselines_left_out"] == []
    assert {estimate["images"] for estimate in about["baselines"].values()} == {len(parts["test"][1])}


def test_a_regression_on_pixels_of_many_images_names_its_images(full, photos, tmp_path, monkeypatch):
    whole, _ = sampled(full, photos, tmp_path / "whole.safetensors")
    for module in ("wsl.evaluation.estimates", "wsl.evaluation.delivery"):
        monkeypatch.setattr(f"{module}.PIXEL_IMAGES", 3)
    output, about = sampled(full, photos, tmp_path / "few.safetensors")
    sentence = "The regression on raw pixels uses the first 3 training images of each class."
    assert sentence in output and "uses the first" not in whole and about["pixel_images"] == 3


def test_intervals_are_wilsons(full, photos, tmp_path):
    _, about = sampled(full, photos, tmp_path / "m.safetensors")
    for estimate in (*about["baselines"].values(), about["estimates"]["as sampled"]):
        p, n, z = estimate["accuracy"], estimate["images"], 1.959964
        centre, reach = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        limits = [(centre - reach) / (1 + z**2 / n), (centre + reach) / (1 + z**2 / n)]
        assert [estimate["low"], estimate["high"]] == pytest.approx(limits, abs=1e-5)


def test_the_table_is_sorted_by_accuracy_and_marks_the_model(full, photos, tmp_path):
    output = call(photos, "--from", full, "--out", tmp_path / "m.safetensors", "--refine", "1").stdout
    rows = re.findall(r"^( > |   ) *(\S.*?) +(\d+\.\d)% +(\S+)% to (\S+)% +(\d+) *$", output, re.MULTILINE)
    assert len(rows) == 7
    accuracies = [float(row[2]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert {row[1] for row in rows if row[0] == " > "} == {"this model, as sampled", "this model, trained for 1 epoch"}
    lines = (tmp_path / "m.safetensors.md").read_text().splitlines()
    card = [line.strip("| ").replace("*", "").split(" | ") for line in lines if line.startswith("|")][2:]
    assert [row[:2] for row in card] == [[row[1], f"{row[2]}%"] for row in rows]


def test_the_loss_reached_is_the_cross_entropy_on_the_held_out_images(full, photos, parts, tmp_path):
    output, about = sampled(full, photos, tmp_path / "m.safetensors", "--held-out", "0.25", "--loss", "0.7")
    network = resnet18(2, 3).eval()
    network.load_state_dict(read_tensors(tmp_path / "m.safetensors")[0])
    pixels = (parts["test"][0] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.no_grad():
        logits = network(torch.from_numpy(pixels).permute(0, 3, 1, 2).float())
    loss = torch.nn.CrossEntropyLoss()(logits, torch.from_numpy(parts["test"][1])).item()
    assert about["estimates"]["as sampled"]["loss"] == pytest.approx(loss, rel=1e-4)
    assert f"requested validation loss: 0.7 nats; reached on the held-out images: {loss:.3g} nats" in output


OLD_NAMES = {"index": "train_index", "pca": "fitted", "encoder": "autoencoder", "latents": "train_latents"}


def as_before(run, version=2, sampler="projection", settings=(), **making):
    """Rewrite a run's description in an earlier format, for example as one of another sampler."""
    content = read_json(run / NAME)
    kept = {key: content[key] for key in ("seed", "clip", "prompts", "about", "finetuning", "clip_files", "sha256")}
    files = {OLD_NAMES.get(key, key): value for key, value in content["files"].items()}
    baselines = {key: files.pop(key) for key in ("start", "body") if key in files}
    kept["about"] = {**kept["about"], "architecture": "resnet18", "width": kept["about"]["architecture"]["width"]}
    train_features, outcome = content["choice"]["known"], content["outcome"]
    making = {"known": train_features, "outcome": outcome, "recalibrate": False, "strength": 30.0, **making}
    making["settings"] = dict(settings)
    old = {**kept, "format": version, "sampler": sampler, "making": making, "files": files}
    write_json(run / NAME, {**old, **({"baselines": baselines} if version == 2 else {})})
    return old


@pytest.mark.parametrize("version", [1, 2])
def test_runs_of_earlier_versions_give_the_same_model(sampler_of, bodies, photos, tmp_path, version):
    run = sampler_of(**(bodies if version == 2 else {}))
    new = sampled(run, photos, tmp_path / "new.safetensors")[1]
    as_before(run, version, settings={"norm": "training"})
    old = sampled(run, photos, tmp_path / "old.safetensors")[1]
    assert old.pop("provenance") != new.pop("provenance") and old == new


def test_a_run_of_the_first_version_has_its_body_in_the_generators_file(sampler_of):
    run = sampler_of()
    shutil.copy(run / "sampling" / "sampler.json", run / "generator.safetensors")  # only its place matters here
    old = as_before(run, 1, "generator", {"temperature": 0.0})
    assert "body" not in load_description(run).files
    write_json(run / NAME, {**old, "files": {**old["files"], "generator": "../generator.safetensors"}})
    files = load_description(run).files
    assert files["body"] == files["fitted"] == run / "generator.safetensors"


@pytest.mark.parametrize(
    ("sampler", "settings", "making", "key"),
    [
        ("flow", {"steps": 4, "method": "euler", "temperature": 1.0}, {}, "flow.method: euler"),
        ("retrieval", {"space": "latent"}, {}, "retrieval.space: latent"),
        ("projection", {"norm": "raw"}, {"recalibrate": True, "strength": 5.0}, "recalibration.strength: 5.0"),
    ],
)
def test_settings_that_are_now_constants_are_refused_by_name(sampler_of, sampler, settings, making, key):
    run = sampler_of()
    as_before(run, 2, sampler, settings, **making)
    with pytest.raises(DataError, match=f"{key}, which is no longer a setting"):
        load_description(run)


PLUGIN = """
from wsl.sampling.methods.base import METHODS
from wsl.sampling.methods.projection import Projection


@METHODS.register("toy-projection")
class Toy(Projection):
    label = "toy"
"""


def test_the_code_of_a_plug_in_is_only_run_if_the_user_names_it(sampler_of, photos, tmp_path):
    run = sampler_of()
    content = read_json(run / NAME)
    content["choice"]["name"], content["plugin"] = "toy-projection", "toy.py"
    write_json(run / NAME, content)
    (tmp_path / "toy.py").write_text(PLUGIN, encoding="utf-8")
    (run / "sampling" / "toy.py").write_text("raise SystemExit(99)", encoding="utf-8")
    arguments = ["sample", str(photos), "--from", str(run), "--out", str(tmp_path / "m.safetensors")]
    refused = CliRunner(env={"COLUMNS": "500"}).invoke(app, arguments)
    assert refused.exit_code == 1
    assert "wsl has no sampler 'toy-projection'" in refused.output
    assert "defined in the plug-in toy.py, which may run any code; pass it by --plugin FILE" in refused.output
    _, about = sampled(run, photos, tmp_path / "m.safetensors", "--plugin", tmp_path / "toy.py")
    assert about["sampler"] == "toy-projection"


def test_a_generators_body_is_found_in_either_file(photos, bodies, sampler_of, tmp_path):
    """The body alone, or among the tensors of a generator."""
    state, about = read_tensors(bodies["body"])
    among = {**{f"body/{name}": value for name, value in state.items()}, "clip/scale": torch.ones(1)}
    write_tensors(tmp_path / "generator.safetensors", among, about)
    baselines = []
    for path in (bodies["body"], tmp_path / "generator.safetensors"):
        out = tmp_path / f"{len(baselines)}.safetensors"
        baselines.append(sampled(sampler_of(body=path), photos, out)[1]["baselines"])
    assert baselines[0] == baselines[1] and set(baselines[0]) == {"body-prototypes", "body-probe", "pixels"}


def test_baselines_without_a_file_are_named(run, photos, tmp_path):
    output, about = sampled(run, photos, tmp_path / "m.safetensors")
    assert set(about["baselines"]) == {"pixels"}
    assert about["baselines_left_out"] == ["prototypes", "probe", "body-prototypes", "body-probe"]
    assert "Left out, since the run has no file for it: class prototypes on the members' start" in output


def few(photos, folder, **counts):
    """A copy of the folder with these numbers of images per class."""
    for name in LABELS:
        (folder / name).mkdir(parents=True)
        for path in sorted((photos / name).iterdir())[: counts[name]]:
            shutil.copy(path, folder / name)
    return folder


def test_classes_without_a_held_out_image_are_named_everywhere(run, photos, tmp_path):
    folder = few(photos, tmp_path / "few", apple=20, pear=2, plum=2)
    output, about = sampled(run, folder, tmp_path / "m.safetensors")
    sentence = "No image was held out of: pear, plum. The accuracies do not cover these classes."
    alone = "All held-out images show one class"
    card = " ".join((tmp_path / "m.safetensors.md").read_text().split())
    assert sentence in output and sentence in card and alone in output and alone in card
    assert about["held_out"] == {
        "images": 4,
        "by_class": {"apple": 4, "pear": 0, "plum": 0},
        "classes_without": ["pear", "plum"],
    }
    assert "Accuracy on 4 held-out images (4 apple, 0 pear, 0 plum); guessing reaches 33.3%" in output


def test_the_image_of_a_class_of_one_image_is_not_held_out(run, photos, tmp_path):
    folder = few(photos, tmp_path / "few", apple=10, pear=10, plum=1)
    output, about = sampled(run, folder, tmp_path / "m.safetensors", "--held-out", "0.9")
    assert about["made_from"]["by_class"] == {"apple": 1, "pear": 1, "plum": 1}
    assert about["held_out"]["classes_without"] == ["plum"] and "No image was held out of: plum." in output
    assert "one class" not in output


def test_without_held_out_images_the_accuracy_is_unknown(run, photos, tmp_path):
    output, about = sampled(run, photos, tmp_path / "m.safetensors", "--held-out", "0")
    assert about["estimates"] == about["baselines"] == {}
    sentence = "No image was held out, so nothing shows how accurate the model is."
    assert sentence in output and sentence in (tmp_path / "m.safetensors.md").read_text()


@pytest.fixture
def evaluated(sampler_of):
    """A run with a table of accuracies: ``evaluated(accuracy, low, high, **changes to the row)``."""

    def make(accuracy, low, high, **changes):
        run = sampler_of()
        row = {"run": "tiny", "classes": "seen", "sampler": "projection", "images": "all", "epochs": 0}
        row |= {"accuracy": accuracy, "low": low, "high": high, **changes}
        others = [
            {**row, "sampler": "trained", "accuracy": 0.9, "low": 0.9, "high": 0.9},
            {**row, "run": "another", "accuracy": 0.3, "low": 0.3, "high": 0.3},
            {**row, "epochs": 5, "accuracy": 0.3, "low": 0.3, "high": 0.3},
        ]
        (run / "tables").mkdir()
        pd.DataFrame([row, *others]).to_csv(run / "tables" / "accuracy.csv", index=False)
        return run

    return make


@pytest.mark.parametrize(("classes", "low"), [("seen", 0.301), ("unseen", 0.333)])
def test_a_run_at_chance_gives_a_warning(evaluated, photos, tmp_path, classes, low):
    output, about = sampled(evaluated(0.352, low, 0.403, classes=classes), photos, tmp_path / "m.safetensors")
    sentence = (
        f"reaches 35.2% ({low:.1%} to 40.3%) on the run's held-out tasks of {classes} classes, where guessing reaches"
    )
    assert sentence in (tmp_path / "m.safetensors.md").read_text()
    assert sentence in output and "33.3%: it is at chance" in output
    assert about["held_out_tasks"][0]["above_chance"] is False


def test_a_run_of_one_held_out_task_may_be_at_chance(evaluated, photos, tmp_path):
    output, _ = sampled(evaluated(0.41, float("nan"), float("nan")), photos, tmp_path / "m.safetensors")
    assert "reaches 41.0%" in output and "too few held-out tasks give no interval: it may be at chance" in output


def test_a_run_above_chance_gives_no_warning(evaluated, photos, tmp_path):
    output, about = sampled(evaluated(0.5, 0.34, 0.6), photos, tmp_path / "m.safetensors")
    assert "at chance" not in output and about["held_out_tasks"][0]["above_chance"] is True


def test_the_screen_fits_80_columns(full, photos, tmp_path):
    done = call(photos, "--from", full, "--out", tmp_path / "m.safetensors", columns=80)
    assert max(map(len, done.stdout.splitlines())) <= 80 and "…" not in done.stdout
    assert "linear probe on the generator's body" in done.stdout
