"""Configs that are accepted, and messages about those that are refused."""

from pathlib import Path

import pytest
import yaml

from wsl.config.faults import describe_fault
from wsl.config.schema import Config, load_config
from wsl.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "config"


def config(path="", value=None):
    """A config with one key set, for example ``zoo.learning_rate.adam``."""
    raw = {"run": "test"}
    section, keys = raw, path.split(".")
    for key in keys[:-1]:
        section = section.setdefault(key, {})
    if path:
        section[keys[-1]] = value
    return raw


def test_defaults_are_a_whole_config():
    loaded = load_config(config())
    assert loaded.run == "test" and loaded.images.source.name == "digits"
    assert loaded.weights.encoder.hidden == []


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configs_are_accepted(path):
    assert load_config(yaml.safe_load(path.read_text())).run


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("wieghts", {}, "unknown key; the keys here are run, seed, beside, plugins, images"),
        ("zoo.wdith", 8, "unknown key; the keys here are architecture.*members"),
        ("zoo.learning_rate.rmsprop", 1, "unknown key; the keys here are adam, sgd"),
        ("weights.encoder.lattent", 9, "unknown key; the keys here are .*latent"),
    ],
)
def test_an_unknown_key_is_named_with_the_known_ones(key, value, remedy):
    with pytest.raises(ConfigError, match=rf"^the config cannot be run:\n  {key}: {remedy}"):
        load_config(config(key, value))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("run", 3, "string"),
        ("run", "a/b", "a/b"),
        ("seed", -1, "greater than or equal to 0"),
        ("zoo", None, "dictionary"),
        ("zoo.architecture.width", "wide", "integer"),
        ("zoo.architecture.width", 8.5, "integer"),
        ("zoo.architecture.width", True, "integer required"),
        ("zoo.architecture.widht", 3, "unknown key; the keys here are name, width, stem"),
        ("zoo.architecture", "resnet19", "unknown architecture 'resnet19'; did you mean resnet18"),
        ("zoo.members", 2, "greater than or equal to 3"),
        ("zoo.classes_per_task", 1, "greater than or equal to 2"),
        ("zoo.schedule", "linear", "'constant' or 'cosine'"),
        ("zoo.parts.test", 0, "greater than or equal to 1"),
        ("zoo.init", "pretrained", "'independent', 'shared' or 'finetuned'"),
        ("zoo.snapshots", "all", "'geometric'.*'all'"),
        ("zoo.backbone.classes", 0, "greater than or equal to 1"),
        ("zoo.backbone.teacher", -1, "greater than or equal to 0"),
        ("zoo.backbone.sha256", "f37072fd", "should match pattern"),
        ("datasets.sha256", "g" * 64, "should match pattern"),
        ("zoo.unseen.members", 0, "greater than or equal to 1"),
        ("weights.orders", 0, "greater than or equal to 1"),
        ("images.size", 4, "greater than or equal to 8"),
        ("images.validation_share", 1.5, "less than 1"),
        ("weights.encoder.hidden", 64, "list"),
        ("shared.losses.nt_xent.temperature", 0, "greater than 0"),
        ("shared.losses.nt_xent.temperature", float("inf"), "finite"),
        ("sampling.outcome", -1, "greater than or equal to 0"),
    ],
)
def test_a_wrong_value_is_named_with_the_requirement(key, value, message):
    with pytest.raises(ConfigError, match=rf"\n  {key}: .*{message}"):
        load_config(config(key, value))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("zoo.learning_rate.adam", "fast", "'fast' is not a number"),
        ("zoo.learning_rate.adam", 0, "0 is too small: it must be above 0"),
        ("zoo.learning_rate.adam", float("nan"), "finite"),
        ("zoo.learning_rate.adam", True, "valid number"),
        ("zoo.learning_rate.adam", {"unifrom": [1, 2]}, r"not a distribution; write a value, or one of \{choice"),
        ("zoo.learning_rate.adam", {"uniform": [0.1, 0.01]}, "lower bound 0.1 must be at most"),
        ("zoo.learning_rate.adam.uniform", [0.1], "required"),
        ("zoo.learning_rate.sgd", {"loguniform": [0, 0.1]}, "choose a lower bound above 0"),
        ("zoo.weight_decay", {"loguniform": [0, 0.1]}, "choose a lower bound above 0"),
        ("zoo.weight_decay", -0.1, "at least 0"),
        ("zoo.weight_decay.choice", [], "at least 1 item"),
        ("zoo.batch_size", 1, "at least 2"),
        ("zoo.batch_size", {"uniform": [8, 16]}, "needs integers: use {integers"),
        ("zoo.max_epoch", 7.5, "7.5 is not an integer"),
        ("zoo.max_epoch", {"normal": [10, -1], "clip": [5, 15]}, "deviation -1.0 is negative"),
        ("zoo.max_epoch", {"normal": [10, 1], "clip": [15, 5]}, "lower bound 15"),
        ("zoo.max_epoch", {"normal": [float("nan"), 1], "clip": [5, 15]}, "finite"),
    ],
)
def test_an_impossible_distribution_is_named_with_the_requirement(key, value, message):
    with pytest.raises(ConfigError, match=rf"\n  {key}.*: .*{message}"):
        load_config(config(key, value))


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("weights.encoder", {"name": "ae-pca"}, "hidden: without a hidden layer both stages of `ae-pca` are linear"),
        ("weights.encoder", {"name": "ae-pca", "hidden": [4], "share": 1.1}, "less than or equal to 1"),
        ("weights.encoder", {"name": "pca", "behaviour": 1}, "unknown key; the keys here are name, normalise"),
        ("weights", {"encoder": "pcaae"}, "unknown weight encoder 'pcaae'; did you mean pca-ae?"),
        ("zoo", {"early_epoch": 9, "max_epoch": 9}, "early_epoch can reach 9.*must come first"),
        ("zoo", {"optimizer": "rmsprop"}, "only adam and sgd"),
        ("zoo.backbone", {"sha256": "0" * 64}, "sha256: there is no checkpoint"),
        ("datasets", {"sha256": "0" * 64}, "sha256: there is no file of weights to check"),
        ("datasets", {"model": "hf-hub:me/it", "weights": "openai"}, "weights: hf-hub:me/it includes its own"),
        ("datasets", {"model": "local-dir:it", "sha256": "0" * 64}, "sha256: there is no file of weights to check"),
        ("zoo", {"optimizer": {"integers": [1, 2]}}, "only adam and sgd"),
        ("zoo", {"snapshots": [-1, "max"]}, r"greater than or equal to 0 \(given: -1"),
        ("zoo", {"snapshots": ["late", "max"]}, "'early' or 'max'"),
        ("zoo", {"snapshots": ["early"]}, "snapshots: add `max`"),
        ("zoo", {"snapshots": []}, "snapshots: add `max`"),
        ("zoo", {"snapshots": [0, 1, "max", 1]}, "snapshots: an entry is listed twice"),
        ("zoo", {"snapshots": [0, 5, "max"]}, "snapshots: epoch 5 must be before .* max_epoch can be 5"),
        ("zoo", {"snapshots": [3, "max"], "max_epoch": {"integers": [3, 9]}}, "snapshots: epoch 3 .* can be 3"),
        ("zoo", {"init": "finetuned"}, "init: finetuned needs either backbone.classes or backbone.checkpoint"),
        (
            "zoo",
            {"init": "finetuned", "backbone": {"classes": 4, "checkpoint": "timm:resnet18"}},
            "init: finetuned needs either backbone.classes or backbone.checkpoint, not both",
        ),
        ("zoo", {"init": "shared", "backbone": {"checkpoint": "a.pt"}}, "init: shared .* remove backbone.checkpoint"),
        ("zoo", {"backbone": {"checkpoint": "a.pt", "classes": 4}}, "init: independent .* remove backbone.checkpoint"),
        ("zoo.unseen", {"members": 4}, "unseen tasks need both `classes` and `members`; give both or neither"),
        ("zoo.unseen", {"classes": 4}, "unseen tasks need both `classes` and `members`; give both or neither"),
        ("datasets", {"prompts": ["a photo"]}, r"prompts: 'a photo' needs one \{\} where the class's name goes"),
        ("datasets", {"prompts": ["a {}", "{} or {}"]}, r"prompts: '\{\} or \{\}' needs one \{\}"),
        ("images", {"train": "photos"}, "now images.source.train"),
        ("images", {"source": {"name": "imagefolder", "train": "photos"}}, "needs both `train` and `test`"),
        ("images", {"source": "imagefolder"}, "needs both `train` and `test`"),
        (
            "images",
            {"validation_share": 0.5, "source": {"name": "digits", "test_share": 0.5}},
            "no image to train on; make them smaller",
        ),
        ("images", {"source": {"name": "digits", "drawn": 5}}, "unknown key; the keys here are name, test_share"),
        ("datasets", {"set": {"epochs": 3}}, "no longer a setting; remove it"),
    ],
)
def test_values_that_contradict_each_other_are_refused(section, values, message):
    with pytest.raises(ConfigError, match=rf"\n  {section}.*: .*{message}"):
        load_config(config(section, values))


@pytest.mark.parametrize(
    "zoo",
    [
        {"snapshots": [0, 4, "max", "early"]},
        {"snapshots": "geometric"},
        # No early snapshot is kept, so that its epoch cannot come too late.
        {"snapshots": [0, "max"], "max_epoch": 1},
        {"init": "shared"},
        # Classes stay out of the tasks, so that regimes can be compared on the same ones.
        {"init": "shared", "backbone": {"classes": 4}},
        {"init": "finetuned", "backbone": {"classes": ["1", "2"]}},
        {"init": "finetuned", "backbone": {"checkpoint": "timm:resnet18"}, "unseen": {"classes": 3, "members": 2}},
    ],
)
def test_regimes_are_accepted(zoo):
    assert load_config(config("zoo", zoo)).zoo.architecture.width == 8


@pytest.mark.parametrize(
    ("written", "read"), [(["1", "2"], ["1", "2"]), (7, 7), ("7", 7), ("some/classes.txt", Path("some/classes.txt"))]
)
def test_classes_are_chosen_by_names_by_number_or_by_a_file(written, read):
    assert load_config(config("zoo.backbone.classes", written)).zoo.backbone.classes == read


def test_growth_needs_other_runs():
    raw = {"run": "own", "evaluation": {"growth": True}}
    with pytest.raises(ConfigError, match=r"evaluation\.growth: needs other runs; name runs .* in `beside`"):
        load_config(raw)
    assert load_config({**raw, "beside": ["small"]}).evaluation.growth


def test_names_beside_images_need_prompts():
    raw = {"run": "own", "sampling": {"generator": {"names": True}}}
    with pytest.raises(ConfigError, match=r"sampling\.generator\.names: .*; set datasets\.prompts"):
        load_config(raw)
    named = {"weights": "some/clip.pt", "prompts": ["a photo of a {}."]}
    assert load_config({**raw, "datasets": named}).sampling.generator.names


@pytest.mark.parametrize("raw", [None, [], "text"])
def test_an_empty_config_is_refused(raw):
    with pytest.raises(ConfigError, match="dictionary"):
        load_config(raw)


def test_every_fault_has_its_own_line():
    with pytest.raises(ConfigError) as refusal:
        load_config({"seed": -1, "zoo": {"members": 0, "mebmers": 1}})
    assert sorted(line.split(":")[0].strip() for line in str(refusal.value).splitlines()[1:]) == [
        "run",
        "seed",
        "zoo.mebmers",
        "zoo.members",
    ]


@pytest.mark.parametrize("written", ["0.001", "1e-3", "1.0e-3"])
def test_a_number_may_be_written_as_yaml_allows(written):
    raw = yaml.safe_load(
        f"{{run: test, zoo: {{learning_rate: {{adam: {written}}}}}, shared: {{weight_decay: {written}}}}}"
    )
    loaded = load_config(raw)
    assert loaded.zoo.learning_rate.adam.bounds() == (0.001, 0.001)
    assert loaded.shared.weight_decay == 0.001


def test_a_renamed_key_is_named_in_a_removed_section(monkeypatch):
    renamed = {"weights.gone.old": "now weights.budget", "zoo.gone": "no longer a setting; remove it"}
    monkeypatch.setattr("wsl.config.schema.RENAMED", renamed)
    with pytest.raises(ConfigError) as refusal:
        load_config({"run": "a", "weights": {"gone": {"old": 1, "typo": 2}}, "zoo": {"gone": {"a": 1}}})
    assert sorted(str(refusal.value).splitlines()[1:]) == [
        "  weights.gone.old: a key of an earlier version, now weights.budget",
        "  zoo.gone: a key of an earlier version, no longer a setting; remove it",
    ]


def test_a_renamed_key_of_weights_is_named_on_the_bench_too():
    fault = {"loc": ("evaluation", "bench", "encoders", "x", "tokens"), "type": "extra_forbidden", "input": {"size": 3}}
    renamed = {"weights.tokens": "now weights.encoder", "weights.tokens.size": "no longer a setting; remove it"}
    raw = {"evaluation": {"bench": {"encoders": {"x": {"tokens": {"size": 3}}}}}}
    assert describe_fault(raw, Config, fault, renamed).splitlines() == [
        "evaluation.bench.encoders.x.tokens: a key of an earlier version, now weights.encoder",
        "  evaluation.bench.encoders.x.tokens.size: a key of an earlier version, no longer a setting; remove it",
    ]
