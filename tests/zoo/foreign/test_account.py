"""What an import recognised, joined and ignored, in import.json and in its last line."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.zoo.foreign.conftest import folder_of
from wsl.errors import ConfigError, DataError
from wsl.evaluation.outputs import Runner
from wsl.weights.alignment import align_part
from wsl.weights.orders import reorder_weights
from wsl.zoo.architectures.cnn_small import CnnSmall
from wsl.zoo.foreign.account import in_words
from wsl.zoo.foreign.importing import ImportOptions, import_zoo
from wsl.zoo.index import open_zoo
from wsl.zoo.member import read_member
from wsl.zoo.network import network_for

ALL = (1, 0, 0)


def first(out):
    return read_member(sorted((out / "members").iterdir())[0])


def every_second(zoos, zoo, named=False):
    """Write runs of six epochs, of which newer versions of Ray saved every second one: checkpoints 0, 1, 2."""
    for seed in range(3):
        states = zoos.states(zoos.small_cnn, seed, 3)
        weights = {f"checkpoint_{place:06d}": state for place, state in enumerate(states)}
        lines = [{**zoos.results(seed, epoch), "training_iteration": epoch} for epoch in range(6)]
        for epoch, line in enumerate(lines):
            line["checkpoint_dir_name"] = f"checkpoint_{epoch // 2:06d}" if named and not epoch % 2 else None
        zoos.write_run(zoo / f"NN_tune_trainable_{seed}", weights, lines, {"seed": seed})


@pytest.mark.parametrize(
    ("named", "options", "way"),
    [
        (True, {}, "by the checkpoint's name in the results"),
        (False, {"every": 2}, "by --every 2"),
        (False, {"saved_epochs": [0, 2, 4]}, "by --saved-epochs 0,2,4"),
    ],
)
def test_every_second_epoch_is_joined_to_its_results(zoos, tmp_path, named, options, way):
    every_second(zoos, tmp_path / "zoo", named)
    done = import_zoo(tmp_path / "zoo", tmp_path / "out", ImportOptions(shares=ALL, **options))
    assert done.joined == {way: 3} and in_words("out", done)[-1].endswith(f"results joined to weights {way}")
    member = first(tmp_path / "out")
    assert member.snapshots["epoch"].tolist() == [0, 2, 4]
    assert member.snapshots["validation_loss"].tolist() == [zoos.results(0, epoch)["val_loss"] for epoch in (0, 2, 4)]
    for row, state in zip(member.weights, zoos.states(zoos.small_cnn, 0, 3), strict=True):
        assert np.array_equal(row[: state["module_list.0.weight"].numel()], state["module_list.0.weight"].flatten())


def test_ambiguous_epochs_are_requested_without_a_suggestion(zoos, tmp_path):
    every_second(zoos, tmp_path / "zoo")
    with pytest.raises(DataError, match=r"none of 3 runs can be read; .*nothing shows which belong") as refused:
        import_zoo(tmp_path / "zoo", tmp_path / "out")
    assert "--epochs" not in str(refused.value) and not (tmp_path / "out").exists()


def test_trials_of_one_start_are_copies_before_training_and_kept_after(zoos, tmp_path, caplog):
    zoo = tmp_path / "zoo"
    for seed in range(4):
        zoos.ray_run(zoo, seed, zoos.small_cnn, epochs=(0, 10))
    start = folder_of(zoo, 0) / "checkpoint_000000" / "checkpoints"
    for seed in (1, 2, 3):
        shutil.copy(start, folder_of(zoo, seed) / "checkpoint_000000" / "checkpoints")
    assert import_zoo(zoo, tmp_path / "both", ImportOptions(shares=ALL)).parts == {"train": 4}
    done = import_zoo(zoo, tmp_path / "start", ImportOptions(shares=ALL, epochs=[0]))
    assert done.parts == {"train": 1} and len(done.skipped) == 3
    assert "the same weights as" in caplog.text and "import a later epoch too" in caplog.text
    with pytest.raises(ConfigError, match=r"validation part empty.*3 runs were left out: .*the same weights as"):
        import_zoo(zoo, tmp_path / "none", ImportOptions(shares=(1, 1, 1), epochs=[0]))
    assert "delete" not in caplog.text


def test_no_run_needs_to_be_deleted(zoos, ray, tmp_path):
    """Every faulty run can be left out by its name, and strict imports accept the others."""
    bad = [folder_of(ray, seed) for seed in (1, 2)]
    (bad[0] / "result.json").write_text("")
    shutil.rmtree(bad[1] / "checkpoint_000010")
    with pytest.raises(DataError, match=rf"--leave-out {bad[0].name}"):
        import_zoo(ray, tmp_path / "strict", ImportOptions(strict=True))
    names = [bad[0].name, "*_seed=2_*"]
    done = import_zoo(ray, tmp_path / "out", ImportOptions(shares=ALL, strict=True, leave_out=names))
    assert done.parts == {"train": 2} and done.left_out == [path.name for path in bad] and not done.skipped
    assert "2 runs left out, 2 as asked" in in_words("out", done)[0]
    # Numbers stay those of the whole zoo.
    assert [path.stem for path in sorted((tmp_path / "out" / "members").iterdir())] == ["00000", "00003"]


def test_a_run_that_is_left_out_does_not_define_the_layout(zoos, ray, tmp_path):
    odd = folder_of(ray, 0)
    shutil.rmtree(odd)
    zoos.ray_run(ray, 0, zoos.small_cnn)
    path = odd / "checkpoint_000010" / "checkpoints"
    torch.save({name: value * np.nan for name, value in torch.load(path).items()}, path)
    done = import_zoo(ray, tmp_path / "out", ImportOptions(shares=ALL))
    assert done.parts == {"train": 3} and list(done.skipped) == [odd.name] and "NaN" in done.skipped[odd.name]


def test_import_json_has_all_options_and_the_result(ray, tmp_path):
    options = {"classes": ["a", "b", "c"], "epochs": [10], "validation": "test", "shares": (1, 0, 0), "seed": 5}
    import_zoo(ray, tmp_path / "out", ImportOptions(**options))
    about = json.loads((tmp_path / "out" / "import.json").read_text())
    kept = {**options, "shares": [1, 0, 0], "accuracies": "auto", "strict": False, "head": None, "leave_out": []}
    kept |= {"only": [], "known": []}
    assert about["options"] == {**kept, "every": None, "saved_epochs": None}
    assert about["recognised"]["architecture"] == "resnet18" and about["last_epochs"] == {"10": 4}


def test_recognised_and_ignored_content_is_reported(zoos, ray, tmp_path):
    for seed in range(3):
        path = folder_of(ray, seed) / "checkpoint_000010" / "checkpoints"
        torch.save({"model": torch.load(path), "optimizer": {"state": {}}, "epoch": 3}, path)
    done = import_zoo(ray, tmp_path / "out", ImportOptions(shares=ALL))
    assert done.ignored == {"optimizer": 3, "epoch": 3} and done.taken == {"model": 3}
    assert in_words("out", done)[-1] == (
        "recognised: resnet18, width 2, stem 3, 3 classes, head fc; results joined to weights by the checkpoint's "
        "number; weights under model; ignored in their files: epoch, optimizer"
    )


def table_of(zoo, names):
    lines = [f"{name},5,0.5,0.8" for name in names]
    (zoo / "zoo.csv").write_text("\n".join(["file,epoch,val_loss,val_acc", *lines]))


def test_formats_may_be_mixed_and_give_the_same_head(tmp_path):
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    states = []
    for seed in range(4):
        torch.manual_seed(seed)
        network = nn.ModuleDict(
            {"conv": nn.Conv2d(3, 4, 3), "hidden": nn.Linear(4, 16), "classifier": nn.Linear(16, 10)}
        )
        states.append(network.state_dict())
        save_file(states[-1], zoo / f"{seed}.safetensors") if seed % 2 else torch.save(states[-1], zoo / f"{seed}.pt")
    table_of(zoo, ["0.pt", "1.safetensors", "2.pt", "3.safetensors"])
    done = import_zoo(zoo, tmp_path / "out", ImportOptions(shares=ALL))
    assert done.recognised["classes"] == 10 and done.recognised["head"] == "classifier" and not done.skipped
    for number, state in enumerate(states):
        member = read_member(tmp_path / "out" / "members" / f"{number:05d}.h5")
        split = member.layout.split(member.weights[0])
        assert all(np.array_equal(split[name], value) for name, value in state.items())


def test_reordering_the_classes_of_a_sparsified_network_reorders_its_outputs(tmp_path):
    """ModelZooDataset's ARD networks: each module has log-variances of the shape of its weights."""
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    for seed in range(3):
        torch.manual_seed(seed)
        state = {}
        for place, (into, out) in {"8": (12, 20), "11": (20, 4)}.items():
            name = f"module_list.{place}"
            state |= {f"{name}.weight": torch.randn(out, into), f"{name}.bias": torch.randn(out)}
            state[f"{name}.log_sigma2"] = torch.randn(out, into)
        torch.save(state, zoo / f"{seed}.pt")
    table_of(zoo, ["0.pt", "1.pt", "2.pt"])
    import_zoo(zoo, tmp_path / "out", ImportOptions(shares=ALL))
    member, order = first(tmp_path / "out"), (2, 0, 3, 1)
    features = torch.randn(5, 20)

    def outputs(weights):
        parts = {name: torch.from_numpy(value) for name, value in member.layout.split(weights).items()}
        weight, bias, log_sigma = (parts[f"module_list.11.{key}"] for key in ("weight", "bias", "log_sigma2"))
        return features @ weight.T + bias, features**2 @ log_sigma.exp().T

    before, after = outputs(member.weights[0]), outputs(reorder_weights(member.weights[0], member.layout, order))
    for values, reordered in zip(before, after, strict=True):
        assert torch.allclose(values[:, list(order)], reordered)


def test_the_number_of_classes_may_be_given(ray, tmp_path):
    assert import_zoo(ray, tmp_path / "out", ImportOptions(shares=ALL, classes=3)).recognised["classes"] == 3
    assert first(tmp_path / "out").plan["classes"] == ["0", "1", "2"]
    with pytest.raises(DataError, match=r"distinguishes 3 classes, not 4; correct --classes, or name .* by --head"):
        import_zoo(ray, tmp_path / "none", ImportOptions(classes=4))
    with pytest.raises(DataError, match="the head of resnet18 is fc, not layer1; omit --head"):
        import_zoo(ray, tmp_path / "none", ImportOptions(head="layer1"))


def test_networks_of_an_activation_that_is_not_offered_are_aligned_but_never_run(zoos, tmp_path):
    for seed in range(3):
        zoos.ray_run(tmp_path / "zoo", seed, **{"model::nlin": "elu", "model::type": "ResNet18Slim"})
    done = import_zoo(tmp_path / "zoo", tmp_path / "out", ImportOptions(shares=(1, 1, 1)))
    assert done.recognised["activation"] == "elu" and "activation elu" in in_words("x", done)[-1]
    with open_zoo(tmp_path / "out" / "train.h5") as zoo, pytest.raises(DataError, match="trained with elu"):
        Runner(zoo.layout)
    align_part(tmp_path / "out" / "test.h5", tmp_path / "out" / "train.h5", tmp_path / "aligned.h5", seed=0)
    with open_zoo(tmp_path / "aligned.h5") as aligned:
        assert aligned.layout.activation == "elu"


@pytest.mark.parametrize(
    ("kind", "given", "activation"),
    [("ResNet18Slim", "ReLU", "relu"), ("ResNet18Slim", "gelu", "gelu"), ("Resnet18", "gelu", "relu")],
)
def test_activations_come_from_hyper_parameters_unless_their_network_ignores_them(
    zoos, tmp_path, kind, given, activation
):
    for seed in range(3):
        zoos.ray_run(tmp_path / "zoo", seed, **{"model::nlin": given, "model::type": kind})
    done = import_zoo(tmp_path / "zoo", tmp_path / "out", ImportOptions(shares=ALL))
    assert done.recognised["activation"] == activation
    with open_zoo(tmp_path / "out" / "train.h5") as zoo:
        assert Runner(zoo.layout) and zoo.layout.activation == activation


@pytest.mark.parametrize("known", [True, False])
def test_their_small_cnn_is_recognised_with_what_hyper_parameters_give(zoos, tmp_path, known):
    about = {"model::type": "CNN", "model::init_type": "uniform", "model::dropout": 0.2}
    about |= {"model::nlin": "tanh"} if known else {}
    make = lambda: network_for(CnnSmall(channels=1, dropout=0.2).layout(10, 28))  # noqa: E731
    for seed in range(3):
        zoos.ray_run(tmp_path / "zoo", seed, make, **about)
    done = import_zoo(tmp_path / "zoo", tmp_path / "out", ImportOptions(shares=ALL))
    assert (done.recognised["architecture"], done.recognised["parameters"]) == ("cnn-small", 2464)
    assert done.recognised["activation"] == ("tanh" if known else "unknown")
    plan = first(tmp_path / "out").plan
    assert (plan["initialisation"], plan["dropout"], plan["channels"]) == ("uniform", 0.2, 1)
    with open_zoo(tmp_path / "out" / "train.h5") as zoo:
        if known:
            Runner(zoo.layout)
        else:
            with pytest.raises(DataError, match="is not known"):
                Runner(zoo.layout)
