"""Exports for other programs: their own networks, built here from torch's modules, load them and give equal outputs.

Names of parameters, keys of params.json and the order of lines are those that the loaders of ModelZooDataset, SANE,
SINE and WeightCLIP read.
"""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from wsl.errors import DataError
from wsl.zoo.foreign.exporting import export_zoo
from wsl.zoo.foreign.importing import ImportOptions, import_zoo
from wsl.zoo.member import Member, read_member, write_members
from wsl.zoo.network import flatten, network_for, state_dict
from wsl.zoo.settings import MemberTraining

ALL = ["modelzoo", "sane", "sine", "weightclip"]
CNN = {"name": "cnn-small", "channels": 1, "activation": "tanh", "dropout": 0.1}
SLIM = {"name": "resnet18", "width": 2, "stem": 3}


@pytest.fixture
def member(tmp_path):
    """Write a member of random weights after epochs 1 and 3: ``member(kind, size, classes, **changes to its plan)``."""

    def write(kind, size: int, classes: int, number: int = 4, **changes):
        architecture = MemberTraining(architecture=kind).architecture
        layout = architecture.layout(classes, size)
        states = [flatten(network_for(layout).state_dict(), layout) for _ in range(2)]
        history = pd.DataFrame({"epoch": [1, 2, 3], "train_loss": [3.0, 2.0, 1.0], "train_accuracy": [0.1, 0.2, 0.3]})
        history = history.assign(validation_loss=[3.5, 2.5, 1.5], validation_accuracy=[0.11, 0.21, 0.29])
        snapshots = history.iloc[[0, 2]].reset_index(drop=True)
        snapshots.insert(0, "snapshot", ["epoch1", "max"])
        plan = {"member": number, "classes": [f"c{i}" for i in range(classes)], "seed": 70 + number, "early_epoch": 1}
        plan |= {"optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.9, "weight_decay": 0.0, "batch_size": 8}
        plan |= {"max_epoch": 3, "schedule": "constant", **architecture.columns(), **changes}
        weights, counters = (np.array(values) for values in zip(*states, strict=True))
        path = tmp_path / f"{number}.h5"
        write_members(path, [Member(plan, weights, counters, snapshots, history, False, layout)])
        return path

    return write


def listed(channels, filters, kernels, pooled, features, classes, activation, dropout):
    """A network of the model-zoo papers; ``dropout``: whether its modules are in the list."""
    layers, inputs = [], channels
    for place, (outputs, kernel) in enumerate(zip(filters, kernels, strict=True)):
        pool = place < pooled
        layers += [nn.Conv2d(inputs, outputs, kernel), *[nn.MaxPool2d(2, 2)] * pool, activation()]
        layers += [nn.Dropout(0.1)] * (pool and dropout)
        inputs = outputs
    layers += [nn.Flatten(), nn.Linear(features, 20), activation(), *[nn.Dropout(0.1)] * dropout]
    return nn.ModuleList([*layers, nn.Linear(20, classes)])


def mlp():
    return nn.ModuleList([nn.Linear(64, 5), nn.Sigmoid(), nn.Linear(5, 4), nn.Sigmoid(), nn.Linear(4, 3)])


SMALL = ((5, 5, 2), 2)
CASES = {
    "CNN": (CNN, 28, 10, ALL[:3], lambda zoos: listed(1, (8, 6, 4), *SMALL, 36, 10, nn.Tanh, True)),
    "CNN, dropout without modules": (
        *(CNN, 28, 10, ALL[3:]),
        lambda zoos: listed(1, (8, 6, 4), *SMALL, 36, 10, nn.Tanh, False),
    ),
    "CNN2": (
        *({"name": "cnn-small", "filters": [6, 9, 6], "dropout": 0.1}, 28, 10, ALL),
        lambda zoos: listed(3, (6, 9, 6), *SMALL, 54, 10, nn.LeakyReLU, True),
    ),
    "CNN3": (
        *({"name": "cnn-large", "activation": "gelu"}, 32, 10, ALL),
        lambda zoos: listed(3, (16, 32, 15), (3, 3, 3), 3, 60, 10, nn.GELU, True),
    ),
    "CNN3, any classes": (
        *({"name": "cnn-large", "activation": "silu"}, 32, 4, ALL[3:]),
        lambda zoos: listed(3, (16, 32, 15), (3, 3, 3), 3, 60, 4, nn.SiLU, True),
    ),
    "MLP": (
        *({"name": "mlp", "widths": [5, 4], "activation": "sigmoid", "channels": 1}, 8, 3, ALL[1:]),
        lambda zoos: mlp(),
    ),
    "ResNet18Slim": (SLIM, 8, 3, ALL[3:], lambda zoos: zoos.SlimResNet(2, 3)),
}
PARAMS = {
    "CNN": {"channels_in": 1, "nlin": "tanh", "dropout": 0.1, "init_type": "kaiming_uniform", "o_dim": 10},
    "CNN2": {"channels_in": 3, "nlin": "leakyrelu", "dropout": 0.1, "init_type": "kaiming_uniform", "o_dim": 10},
    "CNN3": {"channels_in": 3, "nlin": "gelu", "dropout": 0.0, "init_type": "kaiming_uniform", "o_dim": 10},
    "CNN3, any classes": {"channels_in": 3, "nlin": "silu", "o_dim": 4},
    "MLP": {"i_dim": 64, "h_dim": [5, 4], "o_dim": 3, "nlin": "sigmoid", "use_bias": True, "dropout": 0.0},
    "ResNet18Slim": {"channels_in": 3, "o_dim": 3, "nlin": "relu", "dropout": 0.0, "width_mult": 1 / 32},
}


def only_run(zoo):
    (run,) = zoo.iterdir()
    return run, json.loads((run / "params.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_their_networks_load_an_export_and_give_equal_outputs(case, zoos, member, tmp_path):
    kind, size, classes, peers, build = CASES[case]
    path = member(kind, size, classes)
    before, network, images = read_member(path), build(zoos).eval(), torch.randn(2, 3, size, size)
    prefix = "module_list." if isinstance(network, nn.ModuleList) else ""
    hidden = images.mean(1, keepdim=True) if before.plan.get("channels") == 1 else images
    hidden = hidden.flatten(1) if case == "MLP" else hidden
    ours = network_for(before.layout).eval()
    for peer in peers:
        export_zoo([path], tmp_path / peer, peer)
        run, params = only_run(tmp_path / peer)
        assert params["model::type"] == case.partition(",")[0]
        expected = {f"model::{key}": value for key, value in PARAMS.get(case, {}).items()}
        assert {key: params[key] for key in expected} == expected
        for row, epoch in enumerate((1, 3)):
            state = torch.load(run / f"checkpoint_{epoch:06d}" / "checkpoints", weights_only=True)
            assert all(name.startswith(prefix) for name in state)
            network.load_state_dict({name.removeprefix(prefix): value for name, value in state.items()}, strict=True)
            ours.load_state_dict(state_dict(before.weights[row], before.layout, before.counters[row]))
            theirs = hidden
            for module in network if prefix else [network]:
                theirs = module(theirs)
            assert torch.allclose(theirs, ours(images), atol=1e-5)
        import_zoo(tmp_path / peer, tmp_path / f"{peer}-back", ImportOptions(shares=(1, 0, 0)))
        same(before, read_member(tmp_path / f"{peer}-back" / "members" / "00004.h5"))


def same(member, copy):
    assert np.array_equal(member.weights, copy.weights) and np.array_equal(member.counters, copy.counters)
    assert copy.layout == member.layout and copy.history.equals(member.history)
    assert copy.snapshots.equals(member.snapshots)
    assert {**copy.plan, "source": ""} == {**member.plan, "source": ""}


@pytest.mark.parametrize("kind", [{"name": "vit", "patch": 2, "width": 4}, {"name": "cnn-small", "filters": [1, 2, 3]}])
def test_networks_that_nobody_else_has_are_restored_with_their_settings(kind, member, tmp_path):
    path = member(kind, 30, 3)  # the shapes of the CNN are those for 28 pixels
    export_zoo([path], tmp_path / "theirs")
    import_zoo(tmp_path / "theirs", tmp_path / "ours", ImportOptions(shares=(1, 0, 0)))
    same(read_member(path), read_member(tmp_path / "ours" / "members" / "00004.h5"))


@pytest.mark.parametrize("peer", [None, *ALL])
def test_a_line_of_results_is_at_the_position_of_its_epoch(peer, member, tmp_path):
    paths = [member(CNN, 28, 10), member(CNN, 28, 10, number=9)]
    export_zoo(paths, tmp_path / "theirs", peer)
    runs = sorted(path.name for path in (tmp_path / "theirs").iterdir())
    assert runs == ["NN_tune_trainable_seed=74_00000_0", "NN_tune_trainable_seed=79_00001_1"]
    run, unit = tmp_path / "theirs" / runs[0], 100 if peer == "weightclip" else 1
    lines = [json.loads(line) for line in (run / "result.json").read_text().splitlines()]
    assert [line["training_iteration"] for line in lines] == [0, 1, 2, 3]
    assert [line["checkpoint_dir_name"] for line in lines] == [None, "checkpoint_000001", None, "checkpoint_000003"]
    for key, values in {"train_acc": [0.1, 0.2, 0.3], "val_acc": [0.11, 0.21, 0.29]}.items():
        assert np.isnan(lines[0][key]) and [line[key] for line in lines[1:]] == [value * unit for value in values]
    assert [line["val_loss"] for line in lines[1:]] == [3.5, 2.5, 1.5] and np.isnan(lines[3]["test_acc"])
    config = lines[3]["config"]
    assert config["optim::wd"] == 0.0 and config["training::batchsize"] == 8 and config["model::type"] == "CNN"
    assert not any(key.startswith("wsl::") for key in config) and lines[3]["trial_id"] == "wsl_00000"
    assert pd.read_csv(run / "progress.csv")["val_acc"].iloc[-1] == pytest.approx(0.29 * unit)


def test_test_accuracies_of_a_run_are_added(member, tmp_path):
    path, table = member(CNN, 28, 10), tmp_path / "accuracies.csv"
    rows = ["member,snapshot,test_accuracy", "4,epoch1,0.1", "4,max,0.30000000000000004"]
    table.write_text("\n".join(rows[:2]))
    with pytest.raises(DataError, match=r"lacks member 4, snapshot max .*4\.h5\); give the table"):
        export_zoo([path], tmp_path / "theirs", "sane", table)
    table.write_text("\n".join(rows))
    assert export_zoo([path], tmp_path / "theirs", "sane", table) == (1, [1, 3], True)
    run, _ = only_run(tmp_path / "theirs")
    accuracies = [json.loads(line)["test_acc"] for line in (run / "result.json").read_text().splitlines()]
    assert np.array_equal(accuracies, [np.nan, 0.1, np.nan, 0.30000000000000004], equal_nan=True)
    import_zoo(tmp_path / "theirs", tmp_path / "ours", ImportOptions(shares=(1, 0, 0)))
    copy = tmp_path / "ours" / "members" / "00004.h5"
    assert read_member(copy).snapshots["test_accuracy"].tolist() == [0.1, 0.30000000000000004]
    with pytest.raises(DataError, match="has results on test images already; leave out --test-accuracies"):
        export_zoo([copy], tmp_path / "again", "sane", table)
    table.write_text("member,accuracy\n4,1")
    with pytest.raises(DataError, match=r"is not a table of member, snapshot and test_accuracy"):
        export_zoo([path], tmp_path / "again", "sane", table)


@pytest.mark.parametrize(
    ("kind", "size", "classes", "peer", "message"),
    [
        (CNN, 28, 5, "sane", r"4\.h5: SANE cannot read this member: its CNN always has 10 outputs, not 5"),
        ({**CNN, "filters": [4, 4, 4]}, 28, 10, "weightclip", "filters 8, 6, 4 or 6, 9, 6, not"),
        (CNN, 48, 10, "sine", "its CNN is made for 28 pixels, not 48"),
        ({**CNN, "initialisation": None}, 28, 10, "weightclip", r"name of the initialisation.*model::init_type"),
        ({"name": "mlp", "widths": [3]}, 8, 3, "modelzoo", "ModelZooDataset cannot .* no MLP"),
        (SLIM, 8, 3, "sane", "width 64 and relu, not 2 and relu"),
        ({**SLIM, "stem": 7}, 8, 3, "weightclip", "has the stem 3, not 7"),
        ({"name": "vit", "patch": 2, "width": 4}, 8, 3, "sine", "no network like vit, patch 2"),
        ("torchvision:shufflenet_v2_x0_5", 32, 3, "sane", "does not build shufflenet_v2_x0_5"),
    ],
)
def test_what_a_program_cannot_build_is_refused_by_name(kind, size, classes, peer, message, member, tmp_path):
    with pytest.raises(DataError, match=message):
        export_zoo([member(kind, size, classes)], tmp_path / "theirs", peer)
    assert not (tmp_path / "theirs").exists()


def test_hyper_parameters_that_their_code_needs_are_requested(member, tmp_path):
    with pytest.raises(DataError, match=r"builds the optimiser too, and needs optim::momentum"):
        export_zoo([member(CNN, 28, 10, momentum=None)], tmp_path / "theirs", "sine")
    with pytest.raises(DataError, match=r"rate of dropout .* not known; .*model::dropout"):
        export_zoo([member(CNN, 28, 10, dropout="unknown")], tmp_path / "theirs", "weightclip")


def test_what_an_import_read_goes_back_as_it_came(zoos, tmp_path):
    """SINE's LeNet5 stands for networks without a known architecture."""
    keys = {"model::type": "LeNet5", "model::channels_in": 3, "model::init_type": "uniform", "model::nlin": "tanh"}
    keys |= {"optim::nesterov": True, "training::start_epoch": 1, "model::dropout": 0.2, "optim::wd": 1e-3}
    keys |= {"model::o_dim": 3}
    zoos.ray_run(tmp_path / "zoo", 3, zoos.small_cnn, **keys)
    import_zoo(tmp_path / "zoo", tmp_path / "ours", ImportOptions(shares=(1, 0, 0)))
    files = [tmp_path / "ours" / "train.h5"]
    for peer in (None, "sine"):
        export_zoo(files, tmp_path / f"{peer}", peer)
        run, params = only_run(tmp_path / f"{peer}")
        assert {key: params[key] for key in keys} == keys
        state = torch.load(run / "checkpoint_000010" / "checkpoints", weights_only=True)
        zoos.small_cnn().load_state_dict(state, strict=True)
        line = json.loads((run / "result.json").read_text().splitlines()[10])
        theirs = zoos.results(3, 10)
        assert {key: line[key] for key in theirs} == theirs
    with pytest.raises(DataError, match=r"SANE cannot read .* no known architecture"):
        export_zoo(files, tmp_path / "sane", "sane")


def test_weightclips_zoo_goes_back_with_its_names(zoos, tmp_path):
    zoos.weightclip_run(tmp_path / "zoo", 3, lambda: zoos.SlimResNet(2, 3))
    import_zoo(tmp_path / "zoo", tmp_path / "ours", ImportOptions(shares=(1, 0, 0)))
    export_zoo([tmp_path / "ours" / "train.h5"], tmp_path / "theirs", "weightclip")
    run, params = only_run(tmp_path / "theirs")
    assert params["model::type"] == "ResNet18Slim" and params["model::width_mult"] == 1 / 32
    original = tmp_path / "zoo" / "NN_tune_trainable_seed=3"
    for name in ("checkpoint_000003", "checkpoint_000004"):
        before, after = (torch.load(path / name / "checkpoints", weights_only=True) for path in (original, run))
        assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    line = json.loads((run / "result.json").read_text().splitlines()[4])
    theirs = zoos.results(3, 4, 100.0)
    assert {key: line[key] for key in theirs} == pytest.approx(theirs)


def test_dropout_without_modules_is_imported_and_goes_to_either_form(zoos, tmp_path):
    """WeightCLIP's CNN has dropout as a function, and the others' as modules, which count in names."""
    built = lambda dropout: listed(1, (8, 6, 4), *SMALL, 36, 10, nn.Tanh, dropout)  # noqa: E731
    theirs = nn.Module()
    theirs.module_list = built(False)
    keys = {"model::type": "CNN", "model::channels_in": 1, "model::nlin": "tanh", "model::dropout": 0.2}
    zoos.ray_run(tmp_path / "zoo", 3, lambda: theirs, **keys, **{"optim::wd": 0.0, "model::init_type": "uniform"})
    import_zoo(tmp_path / "zoo", tmp_path / "ours", ImportOptions(shares=(1, 0, 0)))
    for peer in ("weightclip", "sane"):
        export_zoo([tmp_path / "ours" / "train.h5"], tmp_path / peer, peer)
        run, params = only_run(tmp_path / peer)
        assert {key: params[key] for key in keys} == keys
        state = torch.load(run / "checkpoint_000010" / "checkpoints", weights_only=True)
        state = {name.removeprefix("module_list."): value for name, value in state.items()}
        built(peer == "sane").load_state_dict(state, strict=True)


def test_a_damaged_description_is_refused_and_an_unknown_one_is_not_used(member, tmp_path):
    export_zoo([member(SLIM, 8, 3)], tmp_path / "theirs")
    run, params = only_run(tmp_path / "theirs")
    layout = params["wsl::layout"]
    names = [[name, shape] if name != "fc.bias" else [name, [4]] for name, shape in layout["entries"]]
    changes = [({"entries": names}, "not those that wsl::layout"), ({"entries": [1]}, "is damaged")]
    changes += [({"head": ["nobody"]}, "not those"), ({"entries": layout["entries"][1:]}, "not those")]
    for change, message in changes:
        (run / "params.json").write_text(json.dumps({**params, "wsl::layout": {**layout, **change}}))
        with pytest.raises(DataError, match=f"{message}.*export the zoo again, or leave the run out by --leave-out"):
            import_zoo(tmp_path / "theirs", tmp_path / "ours", ImportOptions(shares=(1, 0, 0), strict=True))
    own = {**layout, "architecture": '{"name": "of-a-plug-in-that-is-not-loaded"}'}
    (run / "params.json").write_text(json.dumps({**params, "wsl::layout": own}))
    done = import_zoo(tmp_path / "theirs", tmp_path / "ours", ImportOptions(shares=(1, 0, 0)))
    assert done.recognised["architecture"] == "resnet18"
