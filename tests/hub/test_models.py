"""Models and members on the Hub: what is sent loads elsewhere with the same outputs."""

import json
import shutil

import numpy as np
import pytest
import timm
import torch
import torchvision
from huggingface_hub import ModelCard
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from typer.testing import CliRunner

from tests.hub_server import TOKEN
from tests.models import network_of
from wsl.cli.main import app
from wsl.hub.fetching import local_copy
from wsl.hub.model import HubModel
from wsl.hub.pushing import Target, push_model
from wsl.sampling.model_files import read_model, write_model
from wsl.settings.sections import plain
from wsl.zoo.architectures.resnet18 import ResNet18
from wsl.zoo.architectures.timm import Timm
from wsl.zoo.architectures.torchvision import Torchvision
from wsl.zoo.member import read_member, write_members
from wsl.zoo.network import network_for

CLASSES = ["ape", "bee", "cat"]
MEAN_AND_STD = [[0.5, 0.4, 0.3], [0.2, 0.3, 0.4]]
ESTIMATES = {"as sampled": {"accuracy": 0.75, "low": 0.6, "high": 0.9, "images": 20, "loss": 0.5}}
BASELINES = {"pixels": {"accuracy": 0.85, "low": 0.7, "high": 0.95, "images": 20}}


def command(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def done(*arguments):
    result = command(*arguments)
    assert result.exit_code == 0, result.output
    assert TOKEN not in result.output
    return result.output


def model_of(architecture, size=16, path=None, **more):
    """A model as `wsl sample` describes it: its file's metadata and its network."""
    torch.manual_seed(1)
    network = network_for(architecture.layout(len(CLASSES), size))
    for name, value in network.named_buffers():
        if name.endswith("running_mean"):
            value.uniform_(-0.1, 0.1)
    about = {"architecture": plain(architecture), "size": size, "classes": CLASSES, "run": "tiny", "sampler": "flow"}
    about |= {"preprocessing": {**dict(zip(("mean", "std"), MEAN_AND_STD, strict=True)), "scale": "pixels / 255"}}
    about |= {"request": {"validation_loss": 0.3}, "refined_epochs": 0, "estimates": ESTIMATES, "baselines": BASELINES}
    about |= {"made_from": {"images": 9, "by_class": dict.fromkeys(CLASSES, 3), "names": False}, "held_out_tasks": []}
    about |= {"held_out": {"images": 20, "by_class": dict.fromkeys(CLASSES, 7), "classes_without": []}}
    about |= {"baselines_left_out": [], **more}
    if path is not None:
        write_model(path, network.state_dict(), about)
    return about, network.eval()


@pytest.fixture
def images():
    return torch.randn(4, 3, 16, 16)


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_a_pushed_model_is_the_same_elsewhere(suffix, fake_hub, tmp_path, images):
    file = tmp_path / f"letters.{suffix}"
    about, network = model_of(ResNet18(width=2), path=file)
    said = done("push", file, "--to", "me/letters", "--license", "mit", "--private")
    assert f"{file} (model) to the model repository me/letters (private)" in said and "model.safetensors" in said
    repository = fake_hub.repositories["model", "me/letters"]
    assert repository.private and sorted(repository.files) == [
        ".gitattributes",
        "README.md",
        "config.json",
        "model.safetensors",
    ]

    model = HubModel.from_pretrained("me/letters")
    with torch.no_grad():
        assert torch.equal(model(images), network(images))
    assert model.classes == CLASSES and model.size == 16
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))
    expected = (np.asarray(photo) / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.3, 0.4]
    assert torch.allclose(model.preprocess(photo)[0].permute(1, 2, 0).double(), torch.from_numpy(expected), atol=1e-5)
    assert model.classify(photo, photo) == [CLASSES[int(model(model.preprocess(photo)).argmax())]] * 2

    out = tmp_path / "pulled"
    done("pull", "hf://me/letters", "--out", out)
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    state, metadata = read_model(out / "model.safetensors")
    assert metadata == json.loads(json.dumps(about)) and all(
        torch.equal(state[name], value) for name, value in network.state_dict().items()
    )
    with safe_open(out / "model.safetensors", "pt") as opened:
        assert opened.metadata()["format"] == "pt"
    assert torch.equal(HubModel.from_pretrained(out)(images), model(images))
    assert "ape, bee, cat" in done("inspect", out) and "ape, bee, cat" in done("inspect", "hf://me/letters")
    if suffix == "safetensors":
        assert (out / "model.safetensors").read_bytes() == file.read_bytes()


def test_the_card_has_the_accuracy_and_the_baselines(fake_hub, tmp_path):
    model_of(ResNet18(width=2), path=tmp_path / "letters.safetensors")
    done("push", tmp_path / "letters.safetensors", "--to", "me/letters")
    text = fake_hub.repositories["model", "me/letters"].files["README.md"].decode()
    card = ModelCard(text)
    card.validate()
    (result,) = card.data.eval_results
    assert (result.task_type, result.metric_type, result.metric_value) == ("image-classification", "accuracy", 0.75)
    assert card.data.library_name == "wsl" and card.data.pipeline_tag == "image-classification"
    assert card.data.license is None and "No licence is given" in card.text
    assert "| logistic regression on raw pixels | 85.0% |" in card.text and "**this model, as sampled**" in card.text
    said = command("push", tmp_path / "letters.safetensors", "--to", "me/other", "--license", "mine")
    assert said.exit_code == 1 and "correct --license" in said.output


def test_torchvision_and_timm_load_the_files(fake_hub, tmp_path):
    images = torch.randn(2, 3, 32, 32)
    _, network = model_of(Torchvision(model="shufflenet_v2_x0_5"), 32, tmp_path / "thin.safetensors")
    done("push", tmp_path / "thin.safetensors", "--to", "me/thin")
    other = torchvision.models.shufflenet_v2_x0_5(num_classes=3)
    other.load_state_dict(load_file(local_copy("hf://me/thin") / "model.safetensors"))
    assert torch.equal(other.eval()(images), network(images))

    _, network = model_of(Timm(model="test_vit"), 32, tmp_path / "thinner.safetensors")
    push_model(tmp_path / "thinner.safetensors", Target("me/thinner"))
    done("pull", "hf://me/thinner", "--out", tmp_path / "thinner")
    for place in (f"local-dir:{tmp_path / 'thinner'}", "hf-hub:me/thinner"):
        loaded = timm.create_model(place, pretrained=True).eval()
        assert torch.allclose(loaded(images), network(images), atol=1e-6)
    config = timm.data.resolve_model_data_config(loaded)
    assert [*map(list, (config["input_size"], config["mean"], config["std"]))] == [[3, 32, 32], *MEAN_AND_STD]
    assert loaded.pretrained_cfg["label_names"] == CLASSES


def test_a_member_is_sent_with_its_last_snapshot(fake_hub, zoo, tmp_path):
    done("push", zoo.members[1], "--to", "me/member")
    done("pull", "hf://me/member", "--out", tmp_path / "member")
    assert (tmp_path / "member" / "member.h5").read_bytes() == zoo.members[1].read_bytes()
    member, images = read_member(zoo.members[1]), torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(HubModel.from_pretrained("me/member")(images), network_of(member.weights[-1])(images))
    card = ModelCard((tmp_path / "member" / "README.md").read_text())
    accuracy = member.snapshots["validation_accuracy"].iloc[-1]
    assert card.data.eval_results[0].metric_value == pytest.approx(accuracy, abs=1e-4)
    assert "| learning rate |" in card.text and "2, 3, 4" in card.text
    assert '"kind": "member"' in done("inspect", "hf://me/member", "--json")


def test_one_member_of_a_cohort_is_sent_alone(fake_hub, zoo, tmp_path):
    path = tmp_path / "00000-00009.h5"
    write_members(path, [read_member(one) for one in zoo.members[:3]])
    done("push", f"{path}:1", "--to", "me/member")
    done("pull", "hf://me/member", "--out", tmp_path / "member")
    member, whole = read_member(tmp_path / "member" / "member.h5"), read_member(zoo.members[1])
    assert member.plan == whole.plan and np.array_equal(member.weights, whole.weights)


def test_the_mixin_saves_what_push_sends(fake_hub, tmp_path, images):
    about, network = model_of(ResNet18(width=2))
    push_model((network.state_dict(), about), Target("me/letters"))
    model = HubModel.from_pretrained("me/letters")
    model.save_pretrained(tmp_path / "saved")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "saved" / name).read_bytes() == (local_copy("hf://me/letters") / name).read_bytes()
    assert ModelCard.load(tmp_path / "saved" / "README.md").data.library_name == "wsl"
    shutil.copy(tmp_path / "saved" / "model.safetensors", tmp_path / "model.safetensors")
    assert torch.equal(HubModel.from_file(tmp_path / "model.safetensors")(images), network(images))
    model.push_to_hub("me/again")
    assert 'from_pretrained("me/again")' in fake_hub.repositories["model", "me/again"].files["README.md"].decode()
    assert "(model) to the model repository me/third" in done(
        "push", tmp_path / "saved", "--to", "me/third", "--dry-run"
    )
