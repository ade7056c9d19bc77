"""`wsl.open` on the files of a run: its numbers are those of the command, of numpy and of torch alone."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import wsl
from tests.networks import resnet18
from wsl.cli.main import app
from wsl.datasets.class_means import ClassMeans
from wsl.datasets.clip import embed_classes
from wsl.datasets.settings import ClipModel
from wsl.errors import ConfigError, DataError
from wsl.outcomes.bins import read_bins
from wsl.sampling.loading import Choice
from wsl.shared.predictor import load_predictor
from wsl.weights.codec import load_codec, read_latents
from wsl.zoo.index import open_zoo, read_snapshot

NAMES = ["apple", "pear", "plum"]
START = """
import sys, time
start = time.process_time()  # of the processor, since other tests run at the same time
import wsl
seconds = time.process_time() - start
wsl.errors.DataError, dir(wsl)
heavy = {"torch", "pandas", "numpy", "pydantic", "h5py", "matplotlib"} & set(sys.modules)
print(seconds < 0.1, sorted(heavy))
"""


def few(photos, places):
    """Some images of each class, as arrays."""
    files = {name: sorted((photos / name).iterdir()) for name in NAMES}
    return {name: [np.asarray(Image.open(files[name][place])) for place in places] for name in NAMES}


@pytest.fixture(scope="module")
def images(photos):
    return few(photos, range(4))  # too few for cross-validation, which takes seconds


@pytest.fixture(scope="module")
def opened(run):
    return wsl.open(run)


@pytest.fixture(scope="module")
def data(opened, images):
    return opened.embed(images, held_out=0)


@pytest.fixture(scope="module")
def model(opened, data):
    return opened.sample(data, loss=0.7)


def test_the_import_takes_less_than_a_tenth_of_a_second_and_no_library():
    root = Path(wsl.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, cwd=root, check=False)
    assert done.stdout.split() == ["True", "[]"], done.stdout + done.stderr
    assert {"open", "import_zoo", "write_images"} <= set(dir(wsl))
    with pytest.raises(AttributeError, match="has no attribute 'opne'"):
        wsl.opne  # noqa: B018


def test_a_model_and_its_card_are_those_of_the_command(run, photos, opened, tmp_path):
    folder = tmp_path / "few"
    for name in NAMES:
        (folder / name).mkdir(parents=True)
        for path in sorted((photos / name).iterdir())[:5]:
            shutil.copy(path, folder / name)
    for place in ("command", "python"):
        (tmp_path / place).mkdir()
    options = ["--loss", "0.7", "--refine", "1", "--classes", "plum,apple,pear", "--seed", "3"]
    out = tmp_path / "command" / "m.pt"
    done = CliRunner().invoke(app, ["sample", str(folder), "--from", str(run), "--out", str(out), *options])
    assert done.exit_code == 0, done.output
    data = opened.embed(folder, ["plum", "apple", "pear"], seed=3)
    model = opened.sample(data, loss=0.7, seed=3, refine=1)
    assert model.save(tmp_path / "python" / "m.pt") == tmp_path / "python" / "m.pt"
    for name in ("m.pt", "m.pt.md"):
        assert (tmp_path / "python" / name).read_bytes() == (tmp_path / "command" / name).read_bytes()
    assert model.card.splitlines()[1:] == (tmp_path / "python" / "m.pt.md").read_text().splitlines()[1:]
    assert model.card._repr_markdown_() == model.card and "this model, trained for 1 epoch" in model._repr_html_()
    with pytest.raises(DataError, match=r"m\.pt exists already; name another file"):
        model.save(tmp_path / "python" / "m.pt")


def test_a_network_predicts_from_raw_images(model, photos):
    assert model.classes == NAMES and not model.network.training
    network = resnet18(2, 3).eval()
    network.load_state_dict(model.weights)
    files = [photos / "pear" / f"{place:03d}.png" for place in range(4)]
    pixels = torch.tensor(np.array([np.asarray(Image.open(path)) for path in files])).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.no_grad():
        expected = network((pixels - mean) / std).softmax(1).numpy()
    for given in (files, [Image.open(path) for path in files]):
        np.testing.assert_allclose(model.predict_proba(given), expected, rtol=1e-4, atol=1e-6)
    assert model.predict(files) == [NAMES[place] for place in expected.argmax(axis=1)]
    assert model.predict(files[0]) == [NAMES[expected[0].argmax()]]
    assert model.preprocess(Image.open(files[0])).shape == (3, 16, 16)
    assert model.predict_proba(files).index[1] == str(files[1])


def test_an_evaluation_is_on_the_given_images_without_those_of_training(model, photos, caplog):
    test = few(photos, range(2, 32))  # the first two of each class are also for training
    table = model.evaluate(test)
    assert "pear: 2 test images equal training images and are left out" in caplog.text
    truth = [name for name in NAMES for _ in range(28)]
    answers = [answer for name in NAMES for answer in model.predict(test[name][2:])]
    right = np.mean([answer == name for answer, name in zip(answers, truth, strict=True)])
    own = table[~table["baseline"]]
    assert own["accuracy"].item() == pytest.approx(right) and set(table["images"]) == {84}
    assert (table["low"] < table["high"]).all() and own["loss"].item() > 0 and table["baseline"].sum() == 1
    with pytest.raises(DataError, match="there is no class 'plum' in the dict of images"):
        model.evaluate({"apple": test["apple"], "pear": test["pear"], "fig": test["plum"]})


def test_without_held_out_images_there_is_nothing_to_evaluate_on(model):
    with pytest.raises(DataError, match="no image was held out, so there is nothing to evaluate on; give test images"):
        model.evaluate()


def test_the_nearest_members_of_a_dataset_and_a_loss_are_those_of_numpy(
    opened, data, shared, bins, autoencoder, class_means, photos
):
    found = opened.neighbours(data, loss=0.9, n=2)
    module = load_predictor(shared.state)
    positions = read_bins(bins).position(np.array([0.9]))
    query = module.predict(data.embedding[None], positions)[0].astype(float)
    latents, snapshots = read_latents(autoencoder.latents["train"])
    cosines = [row @ query / np.linalg.norm(row) / np.linalg.norm(query) for row in latents.astype(float)]
    best = {}
    for member, cosine in zip(snapshots["member"], cosines, strict=True):
        best[member] = max(cosine, best.get(member, -2))
    order = sorted(best, key=best.get, reverse=True)[:2]
    assert list(found["member"]) == order
    assert found["cosine"].to_numpy() == pytest.approx([best[member] for member in order], abs=1e-5)
    assert len(opened.neighbours(data)) == 3


def test_an_embedding_is_the_means_of_the_features_of_each_class(data, images, tiny_clip, tmp_path):
    import h5py

    packed, means = ([tmp_path / f"{kind}-{name}.h5" for name in NAMES] for kind in ("images", "means"))
    for name, path in zip(NAMES, packed, strict=True):
        with h5py.File(path, "w") as file:
            file.attrs["class"] = name
            file["train"] = np.array(images[name])
    embed_classes(packed, means, [()] * 3, ClipModel(model=str(tiny_clip)))
    assert data.embedding == pytest.approx(ClassMeans(means).embed(["/".join(NAMES)])[0], abs=1e-5)
    assert data.images == dict.fromkeys(NAMES, 4) and "apple" in data._repr_html_()


def test_members_and_weights_have_the_neighbours_of_the_command(run, opened, zoo, tmp_path):
    with open_zoo(zoo.train) as index:
        weights = read_snapshot(index, index.trained[1])
        state = {name: torch.tensor(value) for name, value in index.layout.split(weights).items()}
        counters = {name: torch.tensor(0) for name in index.layout.counters}
    torch.save(state, tmp_path / "state.pt")
    network = resnet18(2, 3)
    network.load_state_dict(state | counters)
    shown = [opened.neighbours(given, n=3) for given in (weights, state, network, tmp_path / "state.pt")]
    for table in shown:
        assert table["member"].iloc[0] == 1 and table["cosine"].iloc[0] == pytest.approx(1, abs=1e-3)
        assert table.equals(shown[0])
    others = opened.neighbours(shown[0]["member"].iloc[0], n=3)
    assert list(others["member"]) == list(shown[0]["member"][1:])
    with pytest.raises(DataError, match="has no member 77 with weights"):
        opened.neighbours(77)
    with pytest.raises(DataError, match="a loss belongs to a dataset"):
        opened.neighbours(1, loss=0.3)
    with pytest.raises(DataError, match="has no latents of the part 'test'; it has train"):
        opened.neighbours(1, part="test")


def test_weights_are_encoded_and_decoded_by_the_runs_encoder(opened, model, zoo, fitted, autoencoder):
    codec = load_codec(zoo.train, fitted, autoencoder.state)
    latent = opened.encode(model)
    np.testing.assert_allclose(latent, codec.encode(model.flat[None])[0], rtol=1e-5)
    np.testing.assert_allclose(opened.encode(model.weights), latent, rtol=1e-5)
    state = opened.decode(latent)
    flat = np.concatenate([value.numpy().ravel() for value in state.values() if value.is_floating_point()])
    np.testing.assert_allclose(flat, codec.decode(latent[None])[0], rtol=1e-5)
    network = opened.network(state)
    assert not network.training and torch.equal(network.fc.weight, state["fc.weight"])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (lambda: resnet18(2, 4), r"fc.weight has the shape \(4, 16\) in place of \(3, 16\)\); name its own run"),
        (
            lambda: {"fc.weight": torch.zeros(3, 16)},
            r"other parameters than the members of .* \(conv1.weight is missing",
        ),
        (lambda: np.zeros(7), r"the vector of weights has snapshots of 7 numbers, and .* of \d+; name its own run"),
        (lambda: 3.5, "a float holds no weights; give a state dict, a network or the path of a file"),
        (lambda: "nowhere.pt", "there is no file nowhere.pt; give a file of weights, a state dict or a network"),
    ],
)
def test_other_weights_are_refused_with_a_message(opened, weights, message):
    with pytest.raises(DataError, match=message):
        opened.encode(weights())
    with pytest.raises(DataError, match=r"have the shape \(8,\), not \(3,\)"):
        opened.decode(np.zeros(3))


def test_several_samples_differ_or_are_refused(opened, sampler_of, images, data):
    with pytest.raises(DataError, match="'projection' of this run gives the same model for every seed"):
        opened.sample(data, n=2)
    noised = wsl.open(sampler_of(choice=Choice(name="noised", known=["0", "1"], recalibrate=False)))
    models = noised.sample(noised.embed(images), n=3, seed=5)
    assert [model.seed for model in models] == [5, 6, 7]
    assert len({model.flat.tobytes() for model in models}) == 3
    (again,) = noised.sample(images, n=1, seed=6)
    assert np.array_equal(again.flat, models[1].flat)
    with pytest.raises(DataError, match=r"this dataset is embedded by .*; embed it by "):
        noised.sample(data)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"loss": -1}, "loss: Input should be greater"), ({"n": 0}, "n: 0 models"), ({"refine": -1}, "refine: Input")],
)
def test_impossible_options_are_refused(opened, data, options, message):
    with pytest.raises(ConfigError, match=message):
        opened.sample(data, **options)
    with pytest.raises(ConfigError, match="held_out: Input should be less"):
        opened.embed(images, held_out=2)


def test_temporary_files_vanish_and_no_file_stays_open(opened, images):
    data = opened.embed(images)
    (folder,) = {path.parent for path in data.user.paths()[0]}
    model = opened.sample(data)
    assert folder.is_dir() and not [file for file in psutil.Process().open_files() if file.path.endswith(".h5")]
    del data
    assert folder.is_dir()  # the model may be evaluated
    del model
    assert not folder.exists()
    with opened.embed(images) as data:
        folder = data.user.files.path
    assert not folder.exists()
    with pytest.raises(DataError, match="the images of these classes were closed; embed them again"):
        opened.sample(data)
    before = set(folder.parent.glob("wsl-*"))
    with pytest.raises(DataError):
        opened.embed({**images, "plum": [np.zeros((4, 4)) - 1]})
    assert set(folder.parent.glob("wsl-*")) <= before


def test_what_is_no_finished_run_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"there is no folder .*gone; give the folder of a finished run"):
        wsl.open(tmp_path / "gone")
    with pytest.raises(DataError, match=r"has no sampling/sampler\.json; give the folder of a finished run"):
        wsl.open(tmp_path)
    (tmp_path / "import.json").write_text("{}")
    with pytest.raises(DataError, match=r"is an imported zoo, not a run; open it by wsl\.open_zoo"):
        wsl.open(tmp_path)
    with pytest.raises(ConfigError, match=r"no\.py is not a Python file"):
        wsl.open(tmp_path, plugins=["no.py"])


def test_runs_that_embed_only_their_own_images_and_lack_a_shared_space_say_so(sampler_of, images, run, tmp_path):
    own = wsl.open(sampler_of(about={"encoder": {"encoder": "distilled"}, "size": 32}))
    with pytest.raises(DataError, match="embeds datasets by 'distilled', which works for its own images only"):
        own.embed(images)
    with pytest.raises(DataError, match=r"datasets\.prompts are empty; give a folder of images, or a run with prompts"):
        wsl.open(run).embed(NAMES)


def test_a_saved_model_is_loaded_again(model, photos, tmp_path):
    loaded = wsl.load_model(model.save(tmp_path / "fruit.safetensors"))
    files = [photos / name / "000.png" for name in NAMES]
    assert loaded.classes == NAMES and loaded.classify(*map(Image.open, files)) == model.predict(files)
    with pytest.raises(DataError, match=r"gone\.safetensors"):
        wsl.load_model(tmp_path / "gone.safetensors")
