"""The zoos that PyPI's wsl-modelzoo downloads, written as it lays them out."""

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torchvision import models

from tests.zoo.foreign import public
from wsl.errors import ConfigError, DataError
from wsl.zoo.architectures.base import ARCHITECTURES
from wsl.zoo.foreign.account import in_words
from wsl.zoo.foreign.exporting import export_zoo
from wsl.zoo.foreign.importing import import_zoo
from wsl.zoo.foreign.networks import Hints, as_known
from wsl.zoo.foreign.options import ImportOptions
from wsl.zoo.member import read_member
from wsl.zoo.network import network_for, state_dict

HERE = Path("here")
ALL = ImportOptions(shares=(1, 0, 0))


def members(out):
    return [read_member(path) for path in sorted((out / "members").iterdir())]


def outputs(member, row, images):
    network = network_for(member.layout).eval()
    network.load_state_dict(state_dict(member.weights[row], member.layout, member.counters[row]))
    with torch.no_grad():
        return network(images)


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    """Downloads of several zoos below one folder."""
    root = tmp_path_factory.mktemp("downloads")
    public.mnist(root)
    place = Path("eurosat-modelzoo/cnn-small_eurosat/tune_zoo_eurosat_cnn_kaiming_uniform")
    public.core_zoo(root, place, [(public.cnn_small(channels=3), {"model::nlin": "relu"})])
    public.vit_pretrained(root)
    public.vit_fine_tuned(root)
    return root


def test_a_download_of_several_zoos_lists_them(download, tmp_path):
    with pytest.raises(DataError, match="holds 4 zoos; name the folder of one of them:") as refused:
        import_zoo(download, tmp_path / "out")
    lines = str(refused.value).splitlines()[1:]
    assert (
        lines[0].strip() == f"{download}/core-modelzoo/cnn-small_mnist/tune_zoo_mnist_uniform: 2 runs, CNN, 10 classes"
    )
    assert lines[1].strip().endswith("tune_zoo_eurosat_cnn_kaiming_uniform: 1 run, CNN, 10 classes")
    assert lines[2].strip().endswith("vit-modelzoo/vit_cifar100_finetuned: 2 runs, vit_s_16, CIFAR100")
    assert lines[3].strip().endswith("vit-modelzoo/vit_imagenet_pretrained: 1 run, vit_s_16, ImageNet1K")
    # Each line is a folder that can be imported.
    for line in lines:
        options = ImportOptions(shares=(1, 0, 0), validation="test")
        import_zoo(line.split(":")[0].strip(), tmp_path / line.split("/")[-1], options)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_a_zoo_is_found_at_every_level(download, tmp_path, level):
    zoo = download / "core-modelzoo/cnn-small_mnist/tune_zoo_mnist_uniform"
    run = sorted(zoo.glob("NN*"))[0]
    done = import_zoo(Path(*run.parts[: len(download.parts) + level]), tmp_path / "out", ALL)
    assert done.parts == {"train": 1 if level == 4 else 2}
    member = members(tmp_path / "out")[0]
    assert member.plan["source"] == run.name and member.snapshots["epoch"].tolist() == [0, 10, 20]


def test_a_single_run_is_for_training(download, tmp_path):
    run = sorted((download / "core-modelzoo/cnn-small_mnist/tune_zoo_mnist_uniform").glob("NN*"))[0]
    assert import_zoo(run, tmp_path / "out").parts == {"train": 1}


def test_the_small_cnn_comes_in_with_activation_and_hyper_parameters(tmp_path):
    done = import_zoo(public.mnist(tmp_path), tmp_path / "out", ALL)
    assert in_words("out", done)[-1] == (
        "recognised: cnn-small, dropout 0.0, initialisation uniform, channels 1, filters [8, 6, 4], 10 classes, "
        "head module_list.11, activation tanh; results joined to weights by the checkpoint's number"
    )
    for seed, member in enumerate(members(tmp_path / "out")):
        torch.manual_seed(seed)
        theirs, images = public.cnn_small().eval(), torch.randn(4, 1, 28, 28)
        for row, number in enumerate((0, 10, 20)):
            assert torch.allclose(outputs(member, row, images), theirs(images) + number, atol=1e-5)
        losses = member.snapshots["validation_loss"].tolist()
        assert losses == [public.loss_of(seed + 1, epoch) for epoch in (0, 10, 20)] and len(member.history) == 51
        assert (member.plan["learning_rate"], member.plan["max_epoch"]) == (1e-4, 50)


@pytest.mark.parametrize(
    "numbers", [[0], [7], [0, 5, 7], [*range(11)], [*range(26)], [0, 10, 20, *range(30, 46)], [50]]
)
def test_any_choice_of_checkpoints_is_joined_to_its_results(tmp_path, numbers):
    """The results are of Ray 1.8, which numbered checkpoints by iteration."""
    runs = [(nn.Linear(2, 10), {})]
    zoo = public.core_zoo(tmp_path, "zoo", runs, checkpoints=numbers)
    import_zoo(zoo, tmp_path / "out", ALL)
    (member,) = members(tmp_path / "out")
    assert member.snapshots["validation_loss"].tolist() == [public.loss_of(1, number) for number in numbers]


def test_a_zoo_of_several_networks_names_the_option_that_chooses(tmp_path):
    about = [("tanh", 0.0), ("tanh", 0.5), ("relu", 0.0), ("relu", 0.5)] * 2
    runs = [
        (public.cnn_small(activation, dropout), {"model::nlin": activation, "model::dropout": dropout})
        for activation, dropout in about
    ]
    zoo = public.core_zoo(tmp_path, public.CORE / "cnn-small_mnist/tune_zoo_mnist_hyperparameter_10_fixed_seeds", runs)
    done = import_zoo(zoo, tmp_path / "first", ALL)
    assert done.parts == {"train": 2} and done.recognised["activation"] == "tanh"
    ways = [f"--only activation={one} --only dropout={other}" for one, other in about[1:4]]
    assert done.others == dict.fromkeys(ways, 2)
    only = ImportOptions(shares=(1, 0, 0), only=["dropout=0"])
    done = import_zoo(zoo, tmp_path / "still", only)
    assert done.others == {"--only activation=relu": 2} and len(done.left_out) == 4
    assert "to import them by themselves: --only activation=relu (2 runs)" in in_words("x", done)[1]
    only = ImportOptions(shares=(1, 0, 0), only=["dropout=0.50", "activation=relu"])
    done = import_zoo(zoo, tmp_path / "relu", only)
    assert done.parts == {"train": 2} and (done.recognised["activation"], done.recognised["dropout"]) == ("relu", 0.5)
    # Stages that do not run networks take all activations.
    mixed = ImportOptions(shares=(1, 0, 0), only=["dropout=0"], known=["activation=unknown"])
    done = import_zoo(zoo, tmp_path / "mixed", mixed)
    assert done.parts == {"train": 4} and done.recognised["activation"] == "unknown"
    assert {member.plan["activation"] for member in members(tmp_path / "mixed")} == {"tanh", "relu"}
    with pytest.raises(DataError, match=r"no run has activation=elu; there are tanh \(4 runs\), relu \(4 runs\)"):
        import_zoo(zoo, tmp_path / "none", ImportOptions(only=["activation=elu"]))
    with pytest.raises(DataError, match="no run has a hyper-parameter nlin; there are activation, dropout"):
        import_zoo(zoo, tmp_path / "none", ImportOptions(only=["nlin=elu"]))
    with pytest.raises(DataError, match="--set: nlin is not a setting that weights do not show; there are activation"):
        import_zoo(zoo, tmp_path / "none", ImportOptions(known=["nlin=elu"]))


def test_sparsified_networks_keep_their_names_and_need_test_results(tmp_path):
    layers = [nn.Flatten(), public.Sparse(16, 20), nn.Tanh(), public.Sparse(20, 10)]
    zoo = public.core_zoo(
        tmp_path,
        public.CORE / "cnn-small_mnist_sparsified" / "cnn-small_mnist_ard_vd",
        [(public.Sequence(*layers), {}), (public.Sequence(*layers, nn.Identity()), {"seed": 5})],
        epochs=26,
        kind="CNN_ARD",
    )
    for path in zoo.glob("*/result.json"):
        path.write_text(path.read_text().replace("val_", "other_"))
    with pytest.raises(DataError, match="--validation test"):
        import_zoo(zoo, tmp_path / "none")
    done = import_zoo(zoo, tmp_path / "out", ImportOptions(shares=(1, 0, 0), validation="test"))
    assert (done.recognised["architecture"], done.recognised["head"]) == ("other", "module_list.3")
    assert done.recognised["classes"] == 10 and len(members(tmp_path / "out")[0].layout.head) == 3


def test_a_perceptron_without_biases_is_of_no_known_architecture(tmp_path):
    runs = []
    for seed in range(2):
        torch.manual_seed(seed)
        layers = nn.Flatten(), nn.Linear(64, 20, bias=False), nn.ReLU(), nn.Linear(20, 10, bias=False)
        runs.append((public.Sequence(*layers), {"model::nlin": "relu"}))
    done = import_zoo(public.core_zoo(tmp_path, "zoo", runs, kind="MLP"), tmp_path / "out", ALL)
    assert done.recognised["architecture"] == "other" and done.recognised["head"] == "module_list.3"
    assert done.parts == {"train": 2}


@pytest.mark.parametrize(
    "level", ["", "sl_seed_42_imagenet", "sl_seed_42_imagenet/sl_seed_42_ft_cifar100_seed_7_FCMLP_*"]
)
def test_fine_tuned_transformers_are_found_at_every_level(tmp_path, level):
    """Checkpoints 0, 2, 5 are of iterations 1, 3, 6."""
    zoo, networks = public.vit_fine_tuned(tmp_path)
    place = next(zoo.glob(level)) if level else zoo
    done = import_zoo(place, tmp_path / "out", ImportOptions(shares=(1, 0, 0), validation="test"))
    assert done.parts == {"train": 1 if level else 2}
    assert in_words("out", done)[-1] == (
        "recognised: vit, patch 4, width 12, depth 2, heads 6, mlp_ratio 4.0, dropout 0.0, 5 classes, head head, "
        "activation gelu; results joined to weights by the checkpoint's number, which counts results from 0"
    )
    images = torch.randn(3, 3, 8, 8)
    for member in members(tmp_path / "out"):
        theirs = next(network for name, network in networks.items() if name.endswith(member.plan["source"]))
        for row, number in enumerate((0, 2, 5)):
            assert torch.allclose(outputs(member, row, images), theirs(images) + number, atol=1e-5)
            assert member.snapshots["validation_loss"][row] == public.loss_of(member.plan["seed"], number + 1)
        known = ("pretraining_seed", "pretraining_mode", "head_seed", "head_mlp", "dataset", "optimizer", "max_epoch")
        assert [member.plan[key] for key in known] == [member.plan["seed"], "sl", 7, 0, "CIFAR100", "adamw", 6]


def test_heads_with_a_hidden_layer_are_zoos_of_their_own(tmp_path):
    zoo, networks = public.vit_fine_tuned(tmp_path, heads=(None, 9))
    done = import_zoo(zoo, tmp_path / "out", ImportOptions(shares=(1, 0, 0), validation="test"))
    assert done.parts == {"train": 2} and done.others == {"--only head_mlp=1": 2}
    options = ImportOptions(shares=(1, 0, 0), validation="test", only=["head_mlp=true"])
    done = import_zoo(zoo, tmp_path / "deep", options)
    assert (done.recognised["head_hidden"], done.recognised["head"]) == (9, "head.2")
    images = torch.randn(3, 3, 8, 8)
    for member in members(tmp_path / "deep"):
        assert torch.allclose(outputs(member, 0, images), networks[member.plan["source"]](images), atol=1e-5)


def test_heads_that_nothing_shows_are_asked_for(tmp_path):
    zoo = public.vit_pretrained(tmp_path, (42, 2517), **{"model::type": "vit_of_mine"})
    options = {"shares": (1, 0, 0), "validation": "test"}
    done = import_zoo(zoo, tmp_path / "out", ImportOptions(**options))
    assert done.recognised["heads"] == "unknown"
    assert "not known: heads; stages that run networks need it: import again with --set heads=..." in in_words("", done)
    member = members(tmp_path / "out")[0]
    with pytest.raises(DataError, match=r"number of attention heads .* is not known; .* --set heads=N"):
        network_for(member.layout)
    with pytest.raises(ConfigError, match="heads: not given; give the number of attention heads"):
        ARCHITECTURES["vit"](heads=None).check(8)
    done = import_zoo(zoo, tmp_path / "given", ImportOptions(known=["heads=3"], **options))
    member, images = members(tmp_path / "given")[0], torch.randn(3, 3, 8, 8)
    torch.manual_seed(member.plan["seed"])
    theirs = public.Transformer(num_heads=3).eval()
    assert torch.allclose(outputs(member, 0, images), theirs(images), atol=1e-5)


def test_the_published_transformer_is_recognised_by_shapes():
    with torch.device("meta"):
        state = timm.create_model("vit_small_patch16_224", num_classes=100).state_dict()
    shapes = {f"vit.{name}": tuple(value.shape) for name, value in state.items()}
    names = ARCHITECTURES["vit"].own_names(shapes)
    found = ARCHITECTURES["vit"].recognise({names[name]: shape for name, shape in shapes.items()})
    settings = {"patch": 16, "width": 384, "depth": 12, "heads": None, "mlp_ratio": 4.0, "dropout": None}
    assert found.architecture.model_dump() == settings and (found.classes, found.size) == (100, 224)


def test_listings_in_place_of_pretrained_checkpoints_are_named(tmp_path):
    """As wsl-modelzoo 0.1.1 saves them."""
    zoo = public.vit_pretrained(tmp_path)
    path = next(zoo.glob("*/checkpoint_000000"))
    (path / "checkpoints").unlink()
    path.rmdir()
    path.write_text(json.dumps([{"name": "checkpoints", "type": "file"}]))
    with pytest.raises(DataError, match=r"checkpoint_000000 is a file, not a folder.* rename the file, and download"):
        import_zoo(zoo, tmp_path / "out", ImportOptions(validation="test"))
    path.rename(path.with_suffix(".listing"))
    import_zoo(zoo, tmp_path / "out", ImportOptions(validation="test"))
    assert members(tmp_path / "out")[0].snapshots["epoch"].tolist() == [6]


@pytest.mark.parametrize(
    ("make", "model", "found"),
    [
        (lambda: timm.create_model("test_efficientnet", num_classes=3), "timm:test_efficientnet", "timm"),
        (lambda: timm.create_model("test_vit", num_classes=3), "Test-ViT", "timm"),
        (lambda: models.shufflenet_v2_x0_5(num_classes=3), "Shufflenet_v2_x0_5", "torchvision"),
        (lambda: models.shufflenet_v2_x0_5(num_classes=3), "shufflenet_v2_x1_0", None),
        (lambda: models.shufflenet_v2_x0_5(num_classes=3), None, None),
    ],
)
def test_networks_of_libraries_are_recognised_by_name_and_strict_shapes(make, model, found):
    with torch.device("meta"):
        state = make().state_dict()
    _, layout = as_known(HERE, state, Hints(model=model, activation="relu"))
    assert (json.loads(layout.architecture)["name"] if layout.architecture else None) == found
    assert layout.classes == 3
    if found:
        assert network_for(layout).state_dict().keys() == state.keys()


def test_two_architectures_in_one_folder_are_chosen_by_their_type(tmp_path):
    runs = [(nn.Linear(4, 10), {"model::type": "MLP"}), (nn.Linear(6, 10), {"model::type": "CNN2"})] * 2
    zoo = public.core_zoo(tmp_path, "zoo", runs, checkpoints=[50])
    for path, factor in zip(sorted(zoo.glob("*/checkpoint_000050/checkpoints")), (1, 1, 2, 2), strict=True):
        torch.save({name: value * factor for name, value in torch.load(path).items()}, path)
    done = import_zoo(zoo, tmp_path / "out", ALL)
    assert done.parts == {"train": 2} and done.others == {"--only model_type=CNN2": 2}
    done = import_zoo(zoo, tmp_path / "others", ImportOptions(shares=(1, 0, 0), only=["model_type=cnn2"]))
    assert done.parts == {"train": 2} and members(tmp_path / "others")[0].layout.size == 70


@pytest.mark.parametrize(
    ("make", "known"),
    [
        (lambda: public.Transformer(10, num_heads=3), "heads=3"),
        (lambda: timm.create_model("test_efficientnet", num_classes=10), "model_type=test_efficientnet"),
    ],
)
def test_an_export_of_an_import_has_the_same_architecture(tmp_path, make, known):
    zoo = public.core_zoo(tmp_path, "zoo", [(make(), {})], checkpoints=[50], kind="mine")
    import_zoo(zoo, tmp_path / "first", ImportOptions(known=[known]))
    export_zoo([tmp_path / "first" / "train.h5"], tmp_path / "export")
    import_zoo(tmp_path / "export", tmp_path / "second")
    first, second = (members(tmp_path / name)[0] for name in ("first", "second"))
    assert second.layout == first.layout and np.array_equal(second.weights, first.weights)
    network_for(second.layout)
