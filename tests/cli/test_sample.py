"""`wsl sample`, compared with the sampler of the run on the same images."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from typer.testing import CliRunner

from tests.networks import resnet18, resnet18_layout
from wsl.cli.main import app
from wsl.datasets.class_means import ClassMeans
from wsl.datasets.clip import Clip, embed_classes
from wsl.datasets.settings import ClipModel
from wsl.files.tensors import read_tensors
from wsl.outcomes.bins import read_bins
from wsl.randomness import stream
from wsl.sampling.loading import Choice, OpenRun
from wsl.weights.codec import load_codec
from wsl.zoo.network import flatten

LAYOUT = resnet18_layout(2, 3)
TASK = "0/3/2"


def call(*arguments):
    return CliRunner().invoke(app, ["sample", *map(str, arguments)])


def sampled(tmp_path, *arguments):
    """The weights and the metadata that a successful call writes."""
    done = call(*arguments, "--out", tmp_path / "model.safetensors", "--force")
    assert done.exit_code == 0, done.output
    state, about = read_tensors(tmp_path / "model.safetensors")
    return flatten(state, LAYOUT)[0], about


@pytest.fixture
def expected(method_files, zoo, fitted, autoencoder, shared, class_means, bins):
    """The weights from the run's own sampler: ``expected(task, loss)``."""

    def make(task, loss=None, means=class_means, images=None):
        means = list(means.values())
        with OpenRun(method_files(shared=shared.state), Choice(name="projection", known=[], recalibrate=False)) as run:
            sampler = run.load()
        loss = read_bins(bins).requested_loss("best") if loss is None else loss
        codes = sampler.codes(ClassMeans(means, images).embed([task]), np.array([loss]), 0)
        return load_codec(zoo.train, fitted, autoencoder.state).decode(codes)[0]

    return make


def test_images_give_the_model_of_the_runs_sampler(run, photos, expected, tmp_path):
    weights, about = sampled(tmp_path, photos, "--from", run, "--held-out", "0")
    assert weights == pytest.approx(expected(TASK), abs=1e-4)
    assert about["classes"] == ["apple", "pear", "plum"] and about["estimates"] == {}
    assert about["run"] == "tiny" and about["size"] == 16 and about["preprocessing"]["std"] == [0.229, 0.224, 0.225]
    resnet18(2, 3).load_state_dict(read_tensors(tmp_path / "model.safetensors")[0], strict=True)


def test_classes_and_loss_are_those_requested(run, photos, expected, tmp_path):
    options = (photos, "--from", run, "--held-out", "0", "--classes", "plum, apple,pear", "--loss", "1.5")
    weights, about = sampled(tmp_path, *options)
    assert weights == pytest.approx(expected("2/0/3", 1.5), abs=1e-4)
    assert about["classes"] == ["plum", "apple", "pear"] and about["request"] == {"validation_loss": 1.5}


def test_the_estimate_is_the_accuracy_on_unused_images(run, photos, tmp_path):
    _, about = sampled(tmp_path, photos, "--from", run, "--held-out", "0.25")
    estimate = about["estimates"]["as sampled"]
    files = {name: sorted((photos / name).iterdir()) for name in about["classes"]}
    assert estimate["images"] == sum(round(0.25 * len(paths)) for paths in files.values())
    assert about["made_from"]["images"] + estimate["images"] == sum(map(len, files.values()))
    # Without exactly those images the same model results, with as many correct predictions for them.
    network = resnet18(2, 3)
    network.load_state_dict(read_tensors(tmp_path / "model.safetensors")[0])
    mean, std = (torch.tensor(about["preprocessing"][key]).view(3, 1, 1) for key in ("mean", "std"))
    right = []
    for label, (name, paths) in enumerate(files.items()):
        order = stream(0, "images", name).permutation(len(paths))
        for path in [paths[place] for place in order[: round(0.25 * len(paths))]]:
            image = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1) / 255
            with torch.no_grad():
                right.append(network.eval()(((image - mean) / std)[None]).argmax().item() == label)
    assert estimate["accuracy"] == pytest.approx(np.mean(right))
    assert estimate["low"] < estimate["accuracy"] < estimate["high"]


def test_a_refined_model_is_evaluated_next_to_the_sampled_one(run, photos, tmp_path):
    before, about = sampled(tmp_path, photos, "--from", run)
    after, refined = sampled(tmp_path, photos, "--from", run, "--refine", "2")
    assert set(refined["estimates"]) == {"as sampled", "refined"} and refined["refined_epochs"] == 2
    assert refined["estimates"]["as sampled"] == about["estimates"]["as sampled"]
    assert not np.allclose(before, after, atol=1e-3)


def test_a_card_describes_its_model(run, photos, tmp_path):
    _, about = sampled(tmp_path, photos, "--from", run)
    card = (tmp_path / "model.safetensors.md").read_text()
    assert "distinguishes apple, pear, plum (in this order), as sampled, without training" in card
    estimate = about["estimates"]["as sampled"]
    accuracy, low, high = (f"{estimate[key]:.1%}" for key in ("accuracy", "low", "high"))
    assert f"| **this model, as sampled** | {accuracy} | {low} to {high} |" in card
    request, loss = about["request"]["validation_loss"], estimate["loss"]
    assert f"requested validation loss: {request:.3g} nats; reached on the held-out images: {loss:.3g} nats" in card
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        assert len(json.loads(file.metadata()["wsl"])["provenance"]["sampler_sha256"]) == 64


def test_the_same_call_writes_the_same_file(run, photos, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for suffix in ("safetensors", "pt"):
            assert call(photos, "--from", run, "--out", tmp_path / name / f"model.{suffix}").exit_code == 0
    for suffix in ("safetensors", "safetensors.md", "pt", "pt.md"):
        estimate, second = (tmp_path / name / f"model.{suffix}" for name in "ab")
        assert estimate.read_bytes() == second.read_bytes()


def test_names_replace_images(sampler_of, packed, reader, expected, tmp_path):
    clip = {"model": str(reader), "weights": None, "seed": 0}
    names = {"0": "apple", "1": "fig", "2": "plum", "3": "pear", "4": "quince"}
    means = {digit: tmp_path / f"{digit}.h5" for digit in names}
    prompts = [[f"a {name}."] for name in names.values()]
    embed_classes(list(packed.values()), list(means.values()), prompts, ClipModel(model=str(reader)))
    run = sampler_of(means, clip=clip, prompts=["a {}."])
    weights, about = sampled(tmp_path, "--classes", "apple,pear,plum", "--from", run)
    assert weights == pytest.approx(expected(TASK, means=means, images=0), abs=1e-4)
    by_class = dict.fromkeys(("apple", "pear", "plum"), 0)
    assert about["made_from"] == {"images": 0, "by_class": by_class, "names": True}
    assert about["estimates"] == {} and about["baselines"] == {} and about["baselines_left_out"] == []
    card = (tmp_path / "model.safetensors.md").read_text()
    assert "the names of its classes, without any image" in card
    assert "There are no images, so nothing shows how accurate the model is" in card


def test_clip_is_loaded_from_the_files_that_the_run_has_fetched(sampler_of, packed, photos, reader, expected, tmp_path):
    folder = tmp_path / "run" / "clip"
    folder.mkdir(parents=True)
    config = {"model_cfg": json.loads(reader.read_text()), "preprocess_cfg": {"mean": [0.3] * 3, "std": [0.4] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.save(Clip(str(reader), None, seed=5).model.state_dict(), tmp_path / "run" / "clip.weights")
    clip = {"model": f"{folder}/open_clip_config.json", "weights": f"{folder}.weights", "seed": 0}
    means = {digit: tmp_path / f"{digit}.h5" for digit in packed}
    model = ClipModel(model=clip["model"], weights=clip["weights"])
    embed_classes(list(packed.values()), list(means.values()), [[]] * len(packed), model)
    run = sampler_of(means, clip=clip)
    assert sampled(tmp_path, photos, "--from", run, "--held-out", "0")[0] == pytest.approx(
        expected(TASK, means=means), abs=1e-4
    )
    (tmp_path / "run" / "clip.weights").unlink()
    assert "clip.weights is missing" in " ".join(call(photos, "--from", run).output.split())


def test_names_without_images_need_a_text_tower_and_prompts(run, tmp_path):
    done = call("--classes", "koala,tarantula,goldfish", "--from", run, "--out", tmp_path / "model.safetensors")
    assert done.exit_code == 1 and "datasets.prompts are empty" in done.output
    assert not list(tmp_path.iterdir())


def test_names_with_commas_are_given_one_by_one_or_in_quotes(run, photos, tmp_path):
    places = tmp_path / "places"
    for name, renamed in (("apple", "Paris, France"), ("pear", "Rome"), ("plum", "Oslo, Norway")):
        shutil.copytree(photos / name, places / renamed)
    options = [name for city in ("Rome", "Paris, France", "Oslo, Norway") for name in ("--classes", city)]
    weights, about = sampled(tmp_path, places, "--from", run, *options)
    assert about["classes"] == ["Rome", "Paris, France", "Oslo, Norway"]
    quoted, about = sampled(tmp_path, places, "--from", run, "--classes", 'Rome,"Paris, France","Oslo, Norway"')
    assert about["classes"] == ["Rome", "Paris, France", "Oslo, Norway"] and np.array_equal(weights, quoted)


def test_unused_files_are_reported(run, photos, tmp_path, caplog):
    mine = shutil.copytree(photos, tmp_path / "mine")
    files = sorted((mine / "pear").iterdir())
    for number, path in enumerate(files[3:]):
        path.rename(path.with_suffix((".cr2", ".jfif")[number % 2]))
    (mine / "loose.png").write_bytes(files[0].read_bytes())
    done = call(mine, "--from", run, "--out", tmp_path / "model.safetensors")
    raws = len(files[3::2])
    assert done.exit_code == 0
    assert (
        f"pear: {len(files) - raws} images are used; left out: {raws} not recognised as images: {raws} .cr2"
        in caplog.text
    )
    assert "mine: image files beside the class folders are not used: 1" in caplog.text


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("{own}", "--from", "{empty}"), 1, "has no sampling/sampler.json; give the folder of a finished run"),
        (("{own}/apple", "--from", "{run}"), 1, "0 class folders (none) and 106 image files; give a folder"),
        (("{own}/nowhere", "--from", "{run}"), 1, "there is no folder"),
        (("{own}", "--from", "{run}", "--classes", "apple,fig,plum"), 1, "there is no class 'fig' in"),
        (("{own}", "--from", "{run}", "--classes", "apple,plum"), 1, "but --classes names 2; name 3"),
        (
            ("{own}", "--from", "{run}", "--classes", "apple,plum,Pear"),
            1,
            "no class 'Pear' in {own} (did you mean 'pear'",
        ),
        (("{own}", "--from", "{run}", "--classes", "apple,plum,apple"), 1, "'apple' is listed twice; list each class"),
        (("{own}", "--from", "{run}", "--classes", "apple,plum,"), 1, "has an empty name; check its commas"),
        (("--from", "{run}", "--classes", "a,b", "--classes", "c,a"), 1, "'a' is listed twice in --classes"),
        (("--from", "{run}", "--classes", "apple,plum"), 1, "name 3 by --classes"),
        (("--from", "{run}", "--classes", "a/b,c,d"), 1, "the name of a class 'a/b' has a brace or a slash"),
        (("--from", "{run}"), 2, "give a folder of images, or names by --classes"),
        (("{own}",), 2, "--from"),
        (("{own}", "--from", "{run}", "--held-out", "2"), 2, "--held-out"),
    ],
)
def test_unusable_inputs_are_refused_with_a_message(options, code, message, run, photos, tmp_path):
    places = {"own": photos, "run": run, "empty": tmp_path}
    done = call(*(word.format(**places) for word in options), "--out", tmp_path / "model.safetensors")
    assert done.exit_code == code, done.output
    assert message.format(**places) in " ".join(done.output.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


def test_a_class_without_a_readable_image_is_named(run, photos, tmp_path):
    mine = shutil.copytree(photos, tmp_path / "mine")
    shutil.rmtree(mine / "pear")
    (mine / "pear").mkdir()
    (mine / "pear" / "broken.png").write_bytes(b"no image")
    done = call(mine, "--from", run, "--out", tmp_path / "model.safetensors")
    assert done.exit_code == 1 and "pear holds no readable image" in " ".join(done.output.split())


def test_a_run_whose_files_are_gone_or_of_another_kind_is_refused(sampler_of, photos, tmp_path):
    run = sampler_of(about={"encoder": {"encoder": "distilled"}, "size": 32})
    assert "embeds datasets by 'distilled'" in call(photos, "--from", run).output
    path = run / "sampling" / "sampler.json"
    path.write_text(path.read_text().replace("shared.safetensors", "gone.safetensors"))
    assert "gone.safetensors is missing" in " ".join(call(photos, "--from", run).output.split())
    path.write_text('{"format": 99}')
    assert "by another version of wsl" in " ".join(call(photos, "--from", run).output.split())
