"""Low-rank adapters: a zoo of changes B A on a frozen network."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from tests.conftest import plan_row
from wsl.errors import ConfigError, DataError
from wsl.evaluation.finetuning import fine_tuned
from wsl.evaluation.settings import FineTuning
from wsl.images.packing import pack_class
from wsl.images.reading import join_task
from wsl.images.settings import Packing
from wsl.images.tasks import TaskImages
from wsl.runs.run import Run
from wsl.sampling.loading import Attainable
from wsl.sampling.peft_files import write_adapter
from wsl.weights.coefficients import encode_part, load_linear, read_coefficients
from wsl.weights.pca import fit_parameters
from wsl.weights.pca_settings import PcaSettings
from wsl.zoo.architectures._lora_modules import adapted_modules, factors
from wsl.zoo.architectures.lora import Lora
from wsl.zoo.architectures.vit import Vit
from wsl.zoo.cohort import train_cohort
from wsl.zoo.index import open_zoo, read_weights, write_index
from wsl.zoo.member import read_member, write_members
from wsl.zoo.network import flatten, network_for, state_dict, whole_state, with_zero_head
from wsl.zoo.recognition import architecture_from
from wsl.zoo.settings import MemberTraining, Zoo
from wsl.zoo.start import load_start, write_start

SIZE, RANK = 8, 2
BASE = Vit(width=16, patch=4, depth=2, heads=2)
LORA = Lora(base=BASE, rank=RANK, alpha=6)
SHAPES = 2 * [(48, 16), (16, 16), (32, 16), (16, 32)]  # of the matrices of BASE
TASKS = ["012", "123", "230", "301"]


def start_file(path, base=BASE, size=SIZE):
    """Write a frozen network of which every parameter is random."""
    layout = base.layout(3, size)
    state = {
        name: value + 0.02 * torch.randn(value.shape)
        for name, value in network_for(layout).state_dict().items()
        if value.is_floating_point()
    }
    state |= {name: torch.tensor(3) for name in layout.counters}
    state = {name: value.abs() if name.endswith("running_var") else value for name, value in state.items()}
    write_start(path, with_zero_head(state, layout), layout, {})
    return path


def adapted(path, lora=LORA, size=SIZE):
    """A network with random factors on a random frozen network, and its layout."""
    layout = lora.started(lora.layout(3, size), start_file(path, lora.base, size))
    network = network_for(layout)
    lora.for_training(network)
    with torch.no_grad():
        for value in network.parameters():
            value.copy_(0.3 * torch.randn_like(value))
    return network, layout


def flat(network, layout):
    return flatten(network.architecture.snapshot(network), layout)[0]


@pytest.fixture(scope="module")
def lora_zoo(tmp_path_factory):
    """Four trained members on digits of 8 pixels: ``root``, ``packed``, ``start``, ``index``, ``layout``."""
    root = tmp_path_factory.mktemp("adapters")
    packed = {name: root / f"{name}.h5" for name in "0123"}
    for name, path in packed.items():
        pack_class(path, name, Packing(size=SIZE), seed=0)
    start = start_file(root / "start.safetensors")
    settings = MemberTraining(architecture=LORA, snapshots=[0, "max"])
    members = [root / "members" / f"{number:05d}.h5" for number in range(len(TASKS))]
    for number, (task, path) in enumerate(zip(TASKS, members, strict=True)):
        train_cohort(
            [packed[name] for name in task], path, [plan_row(number, task, learning_rate=0.02)], settings, start
        )
    write_index(members, root / "train.h5")
    with open_zoo(root / "train.h5") as zoo:
        return SimpleNamespace(root=root, packed=packed, start=start, index=root / "train.h5", layout=zoo.layout)


def test_a_network_does_not_depend_on_how_its_changes_are_factored(tmp_path):
    network, layout = adapted(tmp_path / "start.safetensors")
    network.eval()
    images = torch.randn(4, 3, SIZE, SIZE)
    with torch.no_grad():
        weights, logits = flat(network, layout), network(images)
        for module in adapted_modules(network).values():
            mixing = torch.randn(RANK, RANK) + 3 * torch.eye(RANK)
            module.lora_B.copy_(module.lora_B @ mixing)
            module.lora_A.copy_(torch.linalg.inv(mixing) @ module.lora_A)
        assert np.allclose(flat(network, layout), weights, atol=1e-5)
        assert torch.allclose(network(images), logits, atol=1e-4)
        assert logits.std() > 0.1


@pytest.mark.parametrize("shape", [(48, 16), (16, 32), (8, 6, 3, 3), (2, 1)])
def test_factors_have_the_nearest_product_of_their_rank(shape):
    rows = shape[0]
    columns = int(np.prod(shape[1:]))
    product = (torch.randn(rows, RANK) @ torch.randn(RANK, columns)).view(shape)
    up, down = factors(product, RANK)
    assert up.shape == (rows, RANK) and down.shape == (RANK, columns)
    assert torch.allclose((up @ down).view(shape), product, atol=1e-5)
    other = torch.randn(rows, columns)
    left_out = np.linalg.svd(other.numpy(), compute_uv=False)[RANK:]
    up, down = factors(other, RANK)
    assert torch.linalg.norm(other - up @ down).item() == pytest.approx(np.linalg.norm(left_out), abs=1e-4)


def test_training_changes_adapters_and_head_alone(lora_zoo):
    frozen = load_start(lora_zoo.start)
    with open_zoo(lora_zoo.index) as zoo:
        weights, snapshots = read_weights(zoo), zoo.snapshots
    assert zoo.layout.size == weights.shape[1]
    first, last = (weights[np.flatnonzero(snapshots["snapshot"] == name)] for name in ("epoch0", "max"))
    assert not first.any()  # of products and head
    for row in last:
        whole = whole_state(row, lora_zoo.layout)
        assert whole.keys() == frozen.keys()
        for name, value in whole.items():
            change = value - frozen[name]
            if f"{name.removesuffix('.weight')}.change" in {entry.name for entry in lora_zoo.layout.entries}:
                values = torch.linalg.svdvals(change)
                assert values[0] > 1e-3 and values[RANK:].max() < 1e-5
            elif not name.startswith("head."):
                assert torch.equal(value, frozen[name])
    assert snapshots.groupby("snapshot")["train_loss"].mean().diff().iloc[-1] < 0  # epoch0, then max


def test_members_are_compressed_and_decoded_by_pca(lora_zoo):
    fitted = [lora_zoo.root / "pca" / f"{entry.name}.h5" for entry in lora_zoo.layout.entries]
    settings = PcaSettings(variance_threshold=1e-12, dimension_limit=4, components=8)
    fit_parameters(lora_zoo.index, fitted, [entry.name for entry in lora_zoo.layout.entries], settings)
    encode_part(lora_zoo.index, fitted, lora_zoo.root / "codes.h5", seed=0)
    with open_zoo(lora_zoo.index) as zoo:
        weights = read_weights(zoo)
    codes, _ = read_coefficients(lora_zoo.root / "codes.h5")
    decoded = load_linear(fitted, lora_zoo.layout).decode(codes[: len(weights)])
    assert np.allclose(decoded, weights, atol=1e-4) and abs(weights).max() > 0.1


def test_sampled_changes_get_the_rank_of_the_adapters(lora_zoo):
    with open_zoo(lora_zoo.index) as zoo:
        mean = read_weights(zoo)[zoo.trained].mean(axis=0)
    sampler = SimpleNamespace(sample=lambda *_: mean, recalibrate=True)
    attained = Attainable(sampler, lora_zoo.layout).sample("task", 0.1)
    names = [name for name, value in state_dict(attained, lora_zoo.layout).items() if name.endswith(".change")]
    before, after = (state_dict(values, lora_zoo.layout) for values in (mean, attained))
    assert any(torch.linalg.matrix_rank(before[name], rtol=1e-4) > RANK for name in names)
    assert all(torch.linalg.matrix_rank(after[name], rtol=1e-4) <= RANK for name in names)
    assert torch.equal(before["head.weight"], after["head.weight"])


def test_files_hold_factors_and_give_products(lora_zoo):
    members = [read_member(lora_zoo.root / "members" / f"{number:05d}.h5") for number in range(len(TASKS))]
    expected = np.concatenate([member.weights for member in members])
    with open_zoo(lora_zoo.index) as zoo:
        assert zoo.weights.shape == (len(expected), sum(RANK * sum(shape) for shape in SHAPES) + 3 * 16 + 3)
        assert np.array_equal(read_weights(zoo), expected)
        for columns in (slice(700, 2000), slice(10, 20), slice(4100, None), zoo.layout["head.bias"].columns):
            assert np.array_equal(read_weights(zoo, slice(1, 4), columns), expected[1:4, columns])
    first, none = members[0], slice(0)
    empty = replace(first, weights=first.weights[none], counters=first.counters[none], snapshots=first.snapshots[none])
    write_members(lora_zoo.root / "empty.h5", [replace(empty, diverged=True)])
    assert read_member(lora_zoo.root / "empty.h5").weights.shape == expected[:0].shape
    half = replace(members[0], weights=np.float16(members[0].weights))
    write_members(lora_zoo.root / "half.h5", [half])
    assert np.allclose(read_member(lora_zoo.root / "half.h5").weights, members[0].weights, atol=2e-3)


def test_fine_tuning_keeps_the_rank(lora_zoo):
    with open_zoo(lora_zoo.index) as zoo:
        weights = read_weights(zoo)[zoo.trained[0]]
    images, settings = TaskImages([*lora_zoo.packed.values()]), FineTuning(epochs=[1])
    tuned = fine_tuned([weights], join_task("123"), images, lora_zoo.layout, settings)[0][1]
    state = state_dict(tuned, lora_zoo.layout)
    assert not np.allclose(tuned, weights, atol=1e-3)
    assert max(torch.linalg.svdvals(state[name])[RANK:].max() for name in state if name.endswith(".change")) < 1e-5


def test_a_moved_zoo_finds_its_frozen_network_and_refuses_another(lora_zoo, tmp_path):
    shutil.copytree(lora_zoo.root, tmp_path / "moved")
    with open_zoo(tmp_path / "moved" / "train.h5") as zoo:
        layout = zoo.layout
    assert layout.frozen[0] == str(tmp_path / "moved" / "start.safetensors")
    network_for(layout)
    start_file(tmp_path / "moved" / "start.safetensors")
    with pytest.raises(DataError, match=r"moved/start\.safetensors is not the frozen network of these adapters"):
        network_for(layout)
    with pytest.raises(DataError, match="do not name the file of their frozen network"):
        network_for(layout._replace(frozen=None))


@pytest.mark.parametrize(
    ("lora", "size"),
    [
        (LORA, SIZE),
        (Lora(base=architecture_from({"name": "resnet18", "width": 2}), rank=2, targets=["conv1", "downsample.0"]), 16),
    ],
    ids=["vit", "convolutions"],
)
def test_files_for_peft_give_the_same_logits(tmp_path, lora, size):
    network, layout = adapted(tmp_path / "start.safetensors", lora, size)
    network.eval()
    write_adapter(tmp_path / "adapter", flat(network, layout), layout)
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    tensors = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert (config["peft_type"], config["r"]) == ("LORA", RANK)
    plain = network_for(lora.base.layout(3, size)).eval()
    plain.load_state_dict(load_start(tmp_path / "start.safetensors"))
    images = torch.randn(4, 3, size, size)
    (head,) = config["modules_to_save"]
    plain.get_submodule(head).load_state_dict(
        {key: tensors[f"base_model.model.{head}.{key}"] for key in ("weight", "bias")}
    )
    # As peft computes: the module's own outputs, plus those of A and then of B.
    for name in config["target_modules"]:
        module = plain.get_submodule(name)
        down, up = (tensors[f"base_model.model.{name}.lora_{one}.weight"] for one in "AB")

        def hook(module, inputs, output, down=down, up=up):
            if isinstance(module, torch.nn.Linear):
                extra = functional.linear(functional.linear(inputs[0], down), up)
            else:
                extra = functional.conv2d(functional.conv2d(inputs[0], down, None, module.stride, module.padding), up)
            return output + config["lora_alpha"] / config["r"] * extra

        module.register_forward_hook(hook)
    with torch.no_grad():
        expected = network(images)
        assert torch.allclose(plain(images), expected, atol=1e-4, rtol=1e-4) and expected.std() > 0.1
        merged = network_for(lora.base.layout(3, size)).eval()
        merged.load_state_dict(whole_state(flat(network, layout), layout))
        assert torch.allclose(merged(images), expected, atol=1e-6)


def test_batch_normalisation_stays_as_in_the_frozen_network(tmp_path):
    lora = Lora(base=architecture_from({"name": "resnet18", "width": 2}), rank=1, targets=["conv1"])
    network, layout = adapted(tmp_path / "start.safetensors", lora, 16)
    before = {name: value.clone() for name, value in network.named_buffers()}
    network.train()(torch.randn(8, 3, 16, 16)).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())
    assert layout.counters == () and not any(entry.running for entry in layout.entries)


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (None, ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"]),
        (["qkv"], ["attn.qkv"]),
        (["attn.qkv", "fc1"], ["attn.qkv", "mlp.fc1"]),
        (r"blocks\.\d\.mlp\..*", ["mlp.fc1", "mlp.fc2"]),
    ],
)
def test_targets_choose_modules_as_in_peft(targets, expected):
    layout = Lora(base=BASE, rank=1, targets=targets).layout(3, SIZE)
    changed = [entry.name.removesuffix(".change") for entry in layout.entries if entry.name.endswith(".change")]
    assert changed == [f"blocks.{block}.{name}" for block in range(2) for name in expected]
    assert layout.head == ("head.weight", "head.bias")


@pytest.mark.parametrize("targets", [["attn.query"], "mlp", ["qkv", "head"]])
def test_a_target_without_a_module_is_refused_with_the_modules(targets):
    with pytest.raises(
        ConfigError, match=r"^zoo\.adapter\.lora\.targets: .* choose from .*blocks\.0\.attn\.qkv, block"
    ):
        Lora(base=BASE, rank=1, targets=targets).layout(3, SIZE)


def test_adapters_need_a_trained_backbone():
    adapter = {"lora": {"rank": 2}}
    with pytest.raises(ValueError, match="adapter: init: shared has no trained backbone"):
        Zoo(architecture="vit", init="shared", adapter=adapter)
    with pytest.raises(ValueError, match=r"adapter: \{lora"):
        Zoo(architecture={"name": "lora", "base": "vit"})
    with pytest.raises(ValueError, match="rank: adapters need one"):
        Zoo(architecture="vit", init="finetuned", backbone={"classes": 2}, adapter={"lora": {"targets": ["qkv"]}})
    zoo = Zoo(architecture="vit", init="finetuned", backbone={"classes": 2}, adapter=adapter)
    assert zoo.member_training().architecture == Lora(base=Vit(), rank=2)


def test_a_run_plans_adapters_on_a_whole_start_and_refuses_what_needs_symmetries():
    config = {
        "run": "adapters",
        "images": {"source": "digits", "size": SIZE},
        "zoo": {
            "architecture": {"name": "vit", "width": 16},
            "init": "finetuned",
            "backbone": {"classes": 3},
            "adapter": {"lora": {"rank": 2, "targets": ["fc1"]}},
        },
    }
    run = Run(config)
    assert [entry.name for entry in run.layout.entries][-3:] == ["blocks.1.mlp.fc1.change", "head.weight", "head.bias"]
    assert run.network_of(None).whole.architecture == run.config.zoo.architecture == Vit(width=16)
    assert run.training(run.members("train")[0]).keys() >= {"seed", "classes"}
    for weights in ({"align": True}, {"encoder": {"name": "contrastive", "permute": True}}):
        with pytest.raises(ConfigError, match="no permutation symmetry"):
            Run({**config, "weights": weights})
    config["zoo"]["adapter"]["lora"]["targets"] = ["query"]
    with pytest.raises(ConfigError, match=r"lora\.targets: query matches no module"):
        Run(config)
