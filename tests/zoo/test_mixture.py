"""Mixed zoos: names of architectures, exact shares, and what such a run refuses or trains."""

from collections import Counter
from itertools import pairwise

import pytest

from tests.networks import resnet18_layout
from wsl.config.schema import load_config
from wsl.errors import ConfigError
from wsl.runs.disk import disk_needs
from wsl.runs.run import Run
from wsl.zoo.architectures.base import ARCHITECTURES
from wsl.zoo.mixture import labelled, with_architectures

LIST = [{"width": 2}, {"name": "resnet18", "width": 4}, "mlp"]
MIXED = {
    "run": "mixed",
    "seed": 7,
    "images": {"source": "digits", "classes": 5, "size": 16},
    "zoo": {"architecture": LIST, "members": 24, "parts": {"train": 4, "validation": 2, "test": 2}},
    "weights": {"encoder": {"name": "sane", "size": 64, "latent": 4000}},
}


def changed(**sections):
    return MIXED | {key: {**MIXED.get(key, {}), **section} for key, section in sections.items()}


def test_labels_are_short_unique_and_names_of_files():
    resnet, mlp, timm = (ARCHITECTURES[name] for name in ("resnet18", "mlp", "timm"))
    networks = [resnet(width=4), resnet(width=8), mlp(widths=[8, 4]), mlp(widths=[8]), ARCHITECTURES["cnn-small"]()]
    networks += [timm(model="resnet10t"), timm(model="hf/x")]
    labels = labelled(networks)
    assert list(labels.values()) == networks
    assert list(labels)[:5] == ["resnet18-width-4", "resnet18-width-8", "mlp-widths-8-4", "mlp-widths-8", "cnn-small"]
    assert list(labels)[5:] == ["timm-resnet10t", "timm-hf-x"]
    assert list(labelled([resnet(width=4)])) == ["resnet18"]


def test_each_architecture_has_an_equal_share_of_every_part():
    plan = [{"member": i, "part": "test" if i % 4 == 3 else "train"} for i in range(120)]
    rows = with_architectures(3, plan, "abc")
    counts = Counter((row["part"], row["architecture"]) for row in rows)
    assert counts == {("train", label): 30 for label in "abc"} | {("test", label): 10 for label in "abc"}
    assert with_architectures(3, plan[:50], "abc") == rows[:50]
    assert [row["architecture"] for row in with_architectures(4, plan, "abc")] != [row["architecture"] for row in rows]
    train = [row["architecture"] for row in rows if row["part"] == "train"]
    assert any(a == b for a, b in pairwise(train))  # random, not in turn


def test_members_are_trained_with_their_own_architecture():
    run = Run(MIXED)
    labels = list(run.networks)
    assert labels == ["resnet18-width-2", "resnet18-width-4", "mlp"]
    for part in run.parts:
        assert len({len(run.members(part, label)) for label in labels}) == 1
        assert sorted(member for label in labels for member in run.members(part, label)) == run.members(part)
    for label in labels:
        (member, *_) = run.members("train", label)
        assert run.member_training(member).architecture == run.networks[label].architecture
    alone = Run({**MIXED, "zoo": {**MIXED["zoo"], "architecture": {"width": 2}}, "weights": {}})
    for member in run.members("train"):  # all else as in a zoo of one architecture
        assert run.training(member) == alone.training(member)


def test_disk_is_that_of_each_members_network():
    run = Run(MIXED)
    sizes = [resnet18_layout(2, 3).size, resnet18_layout(4, 3).size, 3 * 16 * 16 * 32 + 32 + 32 * 3 + 3]
    assert disk_needs(run)["zoo"] == 2 * 4 * 8 * sum(sizes)  # two snapshots of eight members each
    assert set(disk_needs(run)) == {"zoo", "images"}


# Messages and the keys that cause them.
REFUSED = {
    "weights.encoder: pca-ae takes networks of one architecture; choose sane or contrastive": {
        "weights": {"encoder": "pca-ae"}
    },
    "evaluation.bench.encoders.pca.encoder: pca takes networks of one": {
        "evaluation": {"bench": {"encoders": {"pca": {"encoder": "pca"}}}}
    },
    "weights.components: a mixed zoo has neither PCA nor samplers; remove it": {"weights": {"components": 4}},
    "weights.align: a mixed zoo has neither": {"weights": {"align": True}},
    "sampling: a mixed zoo has neither PCA nor samplers; remove it": {"sampling": {"samplers": ["projection"]}},
    "evaluation.properties: a mixed zoo has neither": {"evaluation": {"properties": True}},
    "zoo.cohort: members of one job have one architecture": {"zoo": {"cohort": 10, "members": 60}},
    "zoo.backbone.checkpoint: a checkpoint has one architecture": {
        "zoo": {"init": "finetuned", "backbone": {"checkpoint": "torchvision:ResNet18_Weights.IMAGENET1K_V1"}}
    },
    "zoo.backbone.teacher: a mixed zoo has no CLIP features": {
        "images": {"classes": 8},
        "zoo": {"init": "finetuned", "backbone": {"classes": 2, "teacher": 1}},
    },
    "weights.encoder.latent: 100 numbers, but networks of this zoo have": {
        "weights": {"encoder": {"name": "sane", "latent": 100}}
    },
    "zoo.architecture: a list needs two or more different entries": {"zoo": {"architecture": ["mlp", {"name": "mlp"}]}},
    "zoo.architecture.1.widht: unknown key; the keys here are name, width,": {
        "zoo": {"architecture": ["mlp", {"widht": 2}]}
    },
    "no validation member has the architecture": {"zoo": {"members": 9, "parts": {"train": 6, "validation": 1}}},
}


@pytest.mark.parametrize(("message", "changes"), REFUSED.items(), ids=REFUSED)
def test_what_needs_one_architecture_is_refused(message, changes):
    with pytest.raises(ConfigError) as refused:
        Run(changed(**changes))
    assert message in str(refused.value)


def test_a_list_of_architectures_is_read_back_as_it_was_written():
    config = load_config(MIXED)
    again = load_config(config.model_dump(mode="json"))
    assert again.zoo == config.zoo and again.zoo.architecture[1].width == 4
