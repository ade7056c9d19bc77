"""Shared starts of members: random weights, or the body of a checkpoint with a head of zeros."""

import os

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch.optim.swa_utils import AveragedModel
from torchvision.models import resnet18 as torchvision_resnet18

from tests.networks import features_of, resnet18, resnet18_layout, resnet18_network
from wsl.errors import ConfigError
from wsl.files.tensors import read_tensors
from wsl.jobs.job import Job
from wsl.zoo.layout import layout_to_text
from wsl.zoo.network import features_and_logits, network_for, with_zero_head
from wsl.zoo.settings import Network
from wsl.zoo.start import import_backbone, load_start, random_start


def used(width, classes=7):
    """Return a network of which every parameter and buffer differs from its initial value."""
    network = resnet18(width, classes)
    with torch.no_grad():
        for value in network.state_dict().values():
            value.add_(torch.randint(1, 9, value.shape) if value.dtype == torch.int64 else torch.rand(value.shape))
    return network.eval()


def outputs(state, width, classes, images):
    network = resnet18(width, classes)
    network.load_state_dict(state, strict=True)
    with torch.no_grad():
        return features_and_logits(network.eval(), images)


def test_a_random_start_is_a_network_as_torch_initialises_it(tmp_path):
    random_start(tmp_path / "a.safetensors", resnet18_network(2, 3), Job(seed=5))
    state, about = read_tensors(tmp_path / "a.safetensors")
    torch.manual_seed(5)
    expected = resnet18(2, 3).state_dict()
    assert set(state) == set(expected)
    assert all(torch.equal(state[name], value) for name, value in expected.items())
    assert about == {"regime": "shared", "seed": 5, "layout": layout_to_text(resnet18_layout(2, 3))}
    random_start(tmp_path / "b.safetensors", resnet18_network(2, 3), Job(seed=5))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    random_start(tmp_path / "c.safetensors", resnet18_network(2, 3), Job(seed=6))
    assert not torch.equal(load_start(tmp_path / "c.safetensors")["conv1.weight"], state["conv1.weight"])


@pytest.mark.parametrize("kind", ["data parallel", "model", "compiled", "averaged", "model.", "shortcut"])
def test_wrappers_of_training_scripts_are_removed(tmp_path, kind):
    network, path = used(2), tmp_path / "wrapped.pt"
    state = network.state_dict()
    wrapped = {
        "data parallel": {"state_dict": torch.nn.DataParallel(network).state_dict()},
        "model": {"model": state, "optimizer": torch.optim.SGD(network.parameters()).state_dict()},
        "compiled": torch.compile(network).state_dict(),
        "averaged": AveragedModel(network).state_dict(),
        "model.": {"state_dict": {"model." + name: value for name, value in state.items()}},
        "shortcut": {name.replace("downsample", "shortcut"): value for name, value in state.items()},
    }
    torch.save(wrapped[kind], path)
    import_backbone(path, tmp_path / "start.safetensors", resnet18_network(2, 3), str(path))
    start = load_start(tmp_path / "start.safetensors")
    assert start.keys() == state.keys()
    assert all(torch.equal(start[name], value) for name, value in state.items() if not name.startswith("fc."))


@pytest.mark.parametrize("kind", ["plain.pt", "nested.pth", "halves.pt", "plain.safetensors", "without-suffix"])
def test_a_checkpoints_body_is_used_without_its_head(tmp_path, kind):
    network, path = used(2), tmp_path / kind
    state = network.state_dict()
    if kind.startswith("halves"):
        state = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    if kind in ("plain.safetensors", "without-suffix"):
        save_file(state, path)
    else:
        torch.save({"epoch": 90, "state_dict": state} if kind.startswith("nested") else state, path)
    import_backbone(path, tmp_path / "start.safetensors", resnet18_network(2, 3), str(path))
    start, about = read_tensors(tmp_path / "start.safetensors")
    assert about.pop("layout") == layout_to_text(resnet18_layout(2, 3))
    assert about == {"regime": "finetuned", "checkpoint": str(path)}
    assert start["fc.weight"].shape == (3, 16) and start["fc.bias"].shape == (3,)
    for name, value in state.items():
        if not name.startswith("fc."):
            assert torch.equal(start[name].double(), value.double()), name
    images = torch.randn(4, 3, 32, 32)
    features, logits = outputs(start, 2, 3, images)
    with torch.no_grad():
        assert torch.allclose(features, features_of(network, images), rtol=1e-2)
    assert features.abs().max() > 0 and torch.equal(logits, torch.zeros(4, 3))


def test_torchvisions_own_network_fits_width_64_even_without_its_counters(tmp_path):
    theirs = torchvision_resnet18().eval()
    with torch.no_grad():
        theirs.bn1.running_mean.uniform_()
        theirs.layer4[1].bn2.running_var.uniform_(0.5, 2)
    old = {name: value for name, value in theirs.state_dict().items() if not name.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "old.pth")
    import_backbone(tmp_path / "old.pth", tmp_path / "start.safetensors", resnet18_network(64, 3), "old")
    start, images = load_start(tmp_path / "start.safetensors"), torch.randn(2, 3, 64, 64)
    theirs.fc = torch.nn.Identity()
    with torch.no_grad():
        assert torch.allclose(outputs(start, 64, 3, images)[0], theirs(images), atol=1e-5)
    assert start["bn1.num_batches_tracked"].item() == 0


def test_timms_resnet18_has_the_required_names(tmp_path):
    torch.save(timm.create_model("resnet18", pretrained=False).state_dict(), tmp_path / "timm.pt")
    import_backbone(tmp_path / "timm.pt", tmp_path / "start.safetensors", resnet18_network(64, 3), "timm")
    resnet18(64, 3).load_state_dict(load_start(tmp_path / "start.safetensors"), strict=True)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            resnet18(4, 3).state_dict(),
            r"conv1\.weight has shape \(4, 3, 7, 7\).*resnet18, width 2, stem 7.* needs \(2, 3, 7, 7\)",
        ),
        (
            {"trunk." + name: value for name, value in resnet18(4, 3).state_dict().items()},
            r"conv1\.weight is missing.*by order: in order, trunk\.conv1\.weight \(4, 3, 7, 7\) would be conv1\.weight",
        ),
        ({"fc.weight": torch.zeros(3, 16)}, r"conv1\.weight is missing.*choose a checkpoint that fits"),
    ],
    ids=["wrong width", "other names", "head alone"],
)
def test_a_checkpoint_that_does_not_fit_is_named_with_parameter_and_width(tmp_path, state, message):
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(ConfigError, match=rf"^zoo\.backbone\.checkpoint: in .*other\.pt {message}"):
        import_backbone(tmp_path / "other.pt", tmp_path / "start.safetensors", resnet18_network(2, 3), "other.pt")
    assert not (tmp_path / "start.safetensors").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_a_checkpoint_with_a_non_finite_weight_is_named_with_the_parameter(tmp_path, value):
    state = resnet18(2, 3).double().state_dict()
    state["layer3.0.conv2.weight"][1, 0, 2, 2] = value  # 1e300 is finite only in float64
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(
        ConfigError, match=r"^zoo\.backbone\.checkpoint: in .*other\.pt layer3\.0\.conv2\.weight is not finite"
    ):
        import_backbone(tmp_path / "other.pt", tmp_path / "start.safetensors", resnet18_network(2, 3), "other.pt")
    assert not (tmp_path / "start.safetensors").exists()


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path):
    path = tmp_path / "hostile.pt"
    torch.save({**resnet18(2, 3).state_dict(), "epoch": Hostile(str(tmp_path / "harm"))}, path)
    with pytest.raises(ConfigError, match=r"^zoo\.backbone\.checkpoint: .*hostile\.pt cannot be read"):
        import_backbone(path, tmp_path / "start.safetensors", resnet18_network(2, 3), str(path))
    assert not (tmp_path / "harm").exists()
    torch.load(path, weights_only=False)
    assert (tmp_path / "harm").exists()  # the code works


@pytest.mark.parametrize("content", [b"junk" * 100, b"", "a list"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_file_of_something_else_is_refused(tmp_path, content, suffix):
    path = tmp_path / f"broken{suffix}"
    torch.save([1, 2], path) if content == "a list" else path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"^zoo\.backbone\.checkpoint: .*broken.* cannot be read"):
        import_backbone(path, tmp_path / "start.safetensors", resnet18_network(2, 3), str(path))


def test_a_head_of_zeros_has_any_number_of_classes():
    state = with_zero_head(used(2, classes=7).state_dict(), resnet18_layout(2, 5))
    assert torch.equal(outputs(state, 2, 5, torch.randn(3, 3, 32, 32))[1], torch.zeros(3, 5))


def renamed(network):
    """The state dict of a network under names without meaning, module by module."""
    state, modules = {}, {}
    for name, value in network.state_dict().items():
        module, _, kind = name.rpartition(".")
        state[f"part{modules.setdefault(module, len(modules))}.{kind}"] = value
    return state


@pytest.mark.parametrize("other_names", [False, True])
def test_a_librarys_classifier_is_matched_by_names_or_by_order_and_shapes(tmp_path, caplog, other_names):
    theirs, images = timm.create_model("resnet10t", pretrained=False, num_classes=7).eval(), torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        for value in theirs.state_dict().values():
            value.add_(torch.rand(value.shape).to(value.dtype))
    network = Network(architecture="timm:resnet10t", classes=3, size=32)
    torch.save(renamed(theirs) if other_names else theirs.state_dict(), tmp_path / "theirs.pt")
    import_backbone(tmp_path / "theirs.pt", tmp_path / "start.safetensors", network, "theirs")
    ours = network_for(network.layout).eval()
    ours.load_state_dict(load_start(tmp_path / "start.safetensors"))
    with torch.no_grad():
        assert torch.equal(features_of(ours, images), theirs.forward_head(theirs.forward_features(images), True))
    assert ("by order and shapes" in caplog.text) == other_names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: dict(sorted(state.items())), "sorted by name"),
        (lambda state: dict(reversed(state.items())), r"in order, part\d+\.bias"),
        (
            lambda state: {name: value for name, value in state.items() if name != "part3.weight"},
            "floating-point tensors",
        ),
        (lambda state: {name.replace("1.running", "0.running"): value for name, value in state.items()}, "another"),
        (
            lambda state: {name.replace("1.running", "99.running"): value for name, value in state.items()},
            "several mod",
        ),
        (lambda state: {name.replace("weight", "gamma"): value for name, value in state.items()}, "another"),
    ],
    ids=["sorted", "reversed", "one missing", "one module of two", "two modules of one", "other kinds"],
)
def test_an_ambiguous_order_is_refused(tmp_path, change, message):
    torch.save(change(renamed(resnet18(2, 3))), tmp_path / "other.pt")
    with pytest.raises(ConfigError, match=rf"conv1\.weight is missing.*could not be matched by order: .*{message}"):
        import_backbone(tmp_path / "other.pt", tmp_path / "start.safetensors", resnet18_network(2, 3), "other.pt")
