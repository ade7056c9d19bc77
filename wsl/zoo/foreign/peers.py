"""Programs that read zoos in Ray Tune's layout: which networks their code builds, and from which hyper-parameters.

ModelZooDataset (Schürholt et al. 2022), SANE (2024) and SINE (Meynent et al. 2025) share one form. WeightCLIP (2026)
adds a narrow ResNet-18, calls its modules differently, and counts no dropout in the names of its small CNN.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from wsl.errors import DataError
from wsl.zoo.architectures.base import UNKNOWN, Architecture
from wsl.zoo.foreign.raytune import ALSO
from wsl.zoo.layout import Layout
from wsl.zoo.recognition import architecture_of

CNNS = {("cnn-small", 8, 6, 4): "CNN", ("cnn-small", 6, 9, 6): "CNN2", ("cnn-large", 16, 32, 15): "CNN3"}
LIBRARY = {"efficientnet_v2_s": 0.2, "efficientnet_v2_m": 0.3, "densenet121": 0.0, "densenet161": 0.0, "vit_b_16": 0.0}
# Types whose networks this project recognises; others go back as they came.
RECOGNISED = {*CNNS.values(), *LIBRARY, "MLP", "Resnet18", "ResNet18Slim"}
OTHERS = {"ResCNN", "CNN_more_layers", "CNN_residual", "CNN_more_layers_residual", "MiniAlexNet"}
OTHERS |= {f"Resnet{depth}" for depth in (34, 50, 101, 152)}
ACTIVATIONS = frozenset({"leakyrelu", "relu", "tanh", "sigmoid", "silu", "gelu"})
NEEDED = {"sgd": ("lr", "momentum", "wd"), "adam": ("lr", "wd"), "rms_prop": ("lr", "momentum", "wd")}


@dataclass(frozen=True)
class Peer:
    """A program, and how its form of a zoo differs."""

    title: str
    types: frozenset[str]  # values of `model::type` whose networks its code builds
    any_classes: bool = False  # whether its CNNs have as many outputs as `model::o_dim`, not always 10
    functional_dropout: bool = False  # whether its CNN has no modules of dropout, which changes names
    named_initialisation: bool = False  # whether its CNNs and MLPs need the name of an initialisation
    reads_test: bool = True  # whether its scripts read `test_acc`
    builds_optimizer: bool = True  # whether its code builds the network together with the optimiser
    percent: bool = False  # whether its zoos have accuracies in percent


_CNNS = frozenset({*CNNS.values(), "Resnet18"})
_SANE = frozenset({*_CNNS, "MLP", *OTHERS, *LIBRARY})
PEERS = {
    "modelzoo": Peer("ModelZooDataset", _CNNS),
    "sane": Peer("SANE", _SANE),
    "sine": Peer("SINE", _SANE | {"LeNet5"}),
    "weightclip": Peer(
        "WeightCLIP",
        (_SANE - {*LIBRARY}) | {"ResNet18Slim"},
        any_classes=True,
        functional_dropout=True,
        named_initialisation=True,
        reads_test=False,
        builds_optimizer=False,
        percent=True,
    ),
}


class PeerNetwork(NamedTuple):
    """A network as another program describes it."""

    params: dict[str, Any]  # `model::` keys of params.json
    names: dict[str, str]  # of parameters in its state dicts, by ours; those that are equal may be missing


def network_for_peer(layout: Layout, plan: Mapping[str, Any], peer: Peer) -> PeerNetwork:
    """Return a network as another program's code builds it.

    Args:
        layout: of the network.
        plan: of a member, with the hyper-parameters that an import found.
        peer: the program.

    Raises:
        DataError: its code cannot build the network; the message gives the reason.
    """
    try:
        architecture = architecture_of(layout)
    except DataError:
        architecture = None
    describe = DESCRIBED.get(architecture.name) if architecture else _unknown
    if describe is None:
        raise _lacking(f"its code has no network like {architecture}")
    found = describe(architecture, layout, plan, peer)
    came = as_they_came(plan, "model::")
    if came.get("model::type") != found.params["model::type"]:
        return found
    ignored = {"model::nlin": plan["model::nlin"]} if "model::nlin" in plan else {}  # by networks with ReLU
    return found._replace(params={**came, **found.params, **ignored})


def as_they_came(plan: Mapping[str, Any], start: str = "") -> dict[str, Any]:
    """Return the hyper-parameters whose names in Ray Tune's layout have ``::`` and begin with ``start``."""
    named = {theirs: plan[ours] for theirs, ours in ALSO.items() if ours in plan}
    came = {**named, **{key: value for key, value in plan.items() if "::" in key}}
    return {key: value for key, value in came.items() if "::" in key and key.startswith(start) and value != UNKNOWN}


def check_optimizer(params: Mapping[str, Any]) -> None:
    """Refuse hyper-parameters from which a peer's code cannot build the optimiser.

    Raises:
        DataError: a value is missing.
    """
    for key in NEEDED.get(params["optim::optimizer"], ()):
        if params[f"optim::{key}"] is None:
            raise DataError(
                f"its code builds the optimiser too, and needs optim::{key}, which these members lack; add it to "
                "params.json, or to the CSV as a column, and import the zoo again"
            )


def _cnn(architecture: Architecture, layout: Layout, plan: Mapping[str, Any], peer: Peer) -> PeerNetwork:
    kind = CNNS.get((architecture.name, *architecture.filters))
    if kind is None:
        filters = " or ".join(", ".join(map(str, key[1:])) for key in CNNS if key[0] == architecture.name)
        raise _lacking(f"its {architecture.name} has the filters {filters}, not {architecture.filters}")
    if architecture.side(layout.image_size) != architecture.side(architecture.published):
        raise _lacking(f"its {kind} is made for {architecture.published} pixels, not {layout.image_size}")
    if layout.classes != 10 and not peer.any_classes:
        raise _lacking(f"its {kind} always has 10 outputs, not {layout.classes}")
    params = {"model::type": kind, "model::channels_in": architecture.channels}
    params |= _common(layout, plan, peer) | {"model::o_dim": layout.classes}
    counted = 0.0 if kind == "CNN" and peer.functional_dropout else params["model::dropout"]
    theirs = architecture.model_copy(update={"dropout": counted}).layout(layout.classes, layout.image_size)
    return PeerNetwork(
        params, {entry.name: other.name for entry, other in zip(layout.entries, theirs.entries, strict=True)}
    )


def _mlp(architecture: Architecture, layout: Layout, plan: Mapping[str, Any], peer: Peer) -> PeerNetwork:
    if "MLP" not in peer.types:
        raise _lacking("its code has no MLP")
    inputs = architecture.channels * layout.image_size**2
    params = {"model::type": "MLP", "model::channels_in": architecture.channels, "model::i_dim": inputs}
    params |= {"model::h_dim": architecture.widths, "model::o_dim": layout.classes, "model::use_bias": True}
    return PeerNetwork(params | _common(layout, plan, peer, frozenset({"elu", "celu"})), {})


def _resnet18(architecture: Architecture, layout: Layout, plan: Mapping[str, Any], peer: Peer) -> PeerNetwork:
    if architecture.stem != 3:
        raise _lacking(f"its ResNet-18 has the stem 3, not {architecture.stem}")
    params = {"model::channels_in": layout["conv1.weight"].shape[1], "model::o_dim": layout.classes}
    params |= {"model::nlin": layout.activation, "model::dropout": _known(plan, "dropout", 0.0)}
    params |= {"model::init_type": _known(plan, "initialisation")}
    if "ResNet18Slim" in peer.types:
        _check_activation(layout, ACTIVATIONS)
        params |= {"model::type": "ResNet18Slim", "model::width_mult": architecture.width / 64}
        return PeerNetwork(params, {name: name.replace("downsample", "shortcut") for name in _downsampling(layout)})
    if (architecture.width, layout.activation) != (64, "relu"):
        raise _lacking(f"its ResNet-18 has width 64 and relu, not {architecture.width} and {layout.activation}")
    return PeerNetwork({**params, "model::type": "Resnet18"}, {})


def _torchvision(architecture: Architecture, layout: Layout, plan: Mapping[str, Any], peer: Peer) -> PeerNetwork:
    kind = architecture.model
    if kind not in peer.types & set(LIBRARY):
        raise _lacking(f"its code does not build {kind} with torchvision's names and shapes")
    if kind == "vit_b_16" and layout.image_size != 224:
        raise _lacking(f"its vit_b_16 is made for 224 pixels, not {layout.image_size}")
    params = {"model::type": kind, "model::channels_in": 3, "model::o_dim": layout.classes}
    return PeerNetwork(params | {"model::dropout": LIBRARY[kind], "model::nlin": None, "model::init_type": None}, {})


def _unknown(_architecture: None, layout: Layout, plan: Mapping[str, Any], peer: Peer) -> PeerNetwork:
    """Return the network of an imported zoo as it came, if the peer's code has its type."""
    if plan.get("model_type") not in peer.types - RECOGNISED:
        raise _lacking("its code has no network like these, which have no known architecture")
    missing = dict.fromkeys(("model::nlin", "model::dropout", "model::init_type"))
    return PeerNetwork({**missing, **as_they_came(plan, "model::"), "model::o_dim": layout.classes}, {})


Describe = Callable[[Any, Layout, Mapping[str, Any], Peer], PeerNetwork]
DESCRIBED: dict[str, Describe] = {"cnn-small": _cnn, "cnn-large": _cnn, "mlp": _mlp, "resnet18": _resnet18}
DESCRIBED |= {"torchvision": _torchvision}


def _common(
    layout: Layout, plan: Mapping[str, Any], peer: Peer, further: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return the hyper-parameters that CNNs and MLPs share."""
    _check_activation(layout, ACTIVATIONS | further)
    dropout, initialisation = _known(plan, "dropout"), _known(plan, "initialisation")
    if dropout is None:
        raise DataError("the rate of dropout of these networks is not known; " + _ADD.format("dropout", "dropout"))
    if initialisation is None and peer.named_initialisation:
        raise DataError(
            "its code needs the name of the initialisation, and that of these networks has none or is not known; if "
            "it has one, " + _ADD.format("init_type", "initialisation")
        )
    return {"model::nlin": layout.activation, "model::dropout": dropout, "model::init_type": initialisation}


def _lacking(reason: str) -> DataError:
    return DataError(f"{reason}; export it without --for, for your own code or a later import")


_ADD = "add it to the zoo (`model::{}` in params.json, or a column `{}` of a CSV) and import the zoo again"


def _check_activation(layout: Layout, known: frozenset[str]) -> None:
    if layout.activation == UNKNOWN:
        raise DataError("the activation of these networks is not known; " + _ADD.format("nlin", "activation"))
    if layout.activation not in known:
        raise _lacking(f"its code has no activation {layout.activation} for this network")


def _known(plan: Mapping[str, Any], key: str, default: Any = None) -> Any:
    return default if plan.get(key) in (None, UNKNOWN) else plan[key]


def _downsampling(layout: Layout) -> list[str]:
    return [name for name in (*(entry.name for entry in layout.entries), *layout.counters) if "downsample" in name]
