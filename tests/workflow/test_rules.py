"""Each rule and the function that it calls agree, which a run would find out only when it comes to that rule."""

import ast
import re
import signal
from contextlib import contextmanager
from importlib import import_module
from inspect import Parameter, signature
from os.path import normpath
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml
from pydantic import BaseModel
from snakemake.api import SnakemakeApi
from snakemake.io import get_flag_value, is_flagged
from snakemake.iocontainers import Wildcards
from snakemake.settings.types import ConfigSettings, ResourceSettings

from wsl.images.sources.base import SOURCES
from wsl.jobs.provenance import call_digest
from wsl.sampling.methods.base import METHODS
from wsl.settings.sections import plain
from wsl.shared.losses.base import LOSSES
from wsl.weights.encoders.base import WEIGHT_ENCODERS
from wsl.zoo.architectures.base import ARCHITECTURES

WILDCARDS = Wildcards(
    fromdict={
        **{"name": "0", "member": "00000", "cohort": "00000", "part": "train"},
        **{"draw": "1", "method": "projection", "encoder": "sane"},
    }
)
PARTS = ("train", "validation", "test")
RESERVED = {"device", "threads", "progress", "job"}  # of which a function gets `job`
# Registered classes that functions look up by name, with the defaults of the config.
ENCODER = WEIGHT_ENCODERS["pca-ae"]
CODE_ONLY = ("wsl.evaluation.reconstruction.over_training", "wsl.evaluation.reconstruction.on_training_data")
CODE_ONLY += ("wsl.weights.training.train_weight_encoder", "wsl.weights.codec.embed_part")
ENTRIES = {
    **{function: [ENCODER] for function in CODE_ONLY},
    "wsl.shared.training.train_shared": [LOSSES["nt_xent"]],
    "wsl.sampling.methods.regression.fit_regression": [LOSSES["mse"]],
    "wsl.sampling.token_prior.fit_prior": [ENCODER],
    **{
        f"wsl.{name}": [METHODS["projection"], ENCODER]
        for name in (
            "sampling.models.sample_models",
            "evaluation.protocol.judge",
            "evaluation.control.judge_control",
            "evaluation.novelty.judge_novelty",
            "evaluation.refined.judge_refinement",
        )
    },
}
RULES = [
    *(
        "pack_class",
        "class_table",
        "list_packed",
        "list_class_means",
        "plan",
        "train_cohort",
        "index_part",
        "zoo_table",
    ),
    *("fit_pca", "fit_small_pca", "pca_table", "coefficients", "train_weight_encoder", "embed_weights"),
    *("clip_features", "outcome_bins", "train_shared", "train_shared_draw", "similarities"),
    *("fit_regression", "fit_flow", "fit_autoregressive", "fit_body", "fit_generator", "sample", "describe_sampler"),
    *("reconstruction_over_training", "reconstruction", "reconstruction_table"),
    *("judge", "accuracy_table", "growth_table", "summary", "html_report", "explore", "about_tables"),
    *("judge_control", "control_table", "judge_novelty", "novelty_table", "judge_refinement", "refinement_table"),
    *("measure_retrieval", "map_shared_space"),
    *("zoo_overview", "autoencoder_loss", "output_metrics", "shared_encoder_loss", "similarity_heatmap"),
    *("accuracy", "finetuning", "regimes", "growth", "prompt_alignment", "null_arms", "retrieval", "shared_map"),
    *("distilled_images", "encoder_rows", "weight_encoders", "encoder_training", "encoder_shares"),
]
FOLDERS = {"name": "imagefolder", "train": "nowhere/train", "test": "nowhere/val"}
IMAGES = {"source": FOLDERS, "classes": [*"abcdefgh"]}


# What the tiny run has not: between them, all the workflow's other rules.
OTHERS = {
    "grouped": {
        "images__classes_per_job": 2,
        "zoo__members": 20,
        "zoo__cohort": 10,
        "zoo__init": "finetuned",
        "zoo__backbone": {"checkpoint": "timm:resnet18"},
        "weights__align": True,
        "weights__budget": 4,
        "datasets": {"model": "RN50", "weights": "openai", "encoder": "set"},
        "evaluation__bench": {"encoders": {"pca": {"encoder": "pca"}}, "by": ["optimizer"]},
        "sampling__merging": {"methods": ["wudi"], "heads": ["inference"]},
    },
    "distilled": {"datasets__encoder": "distilled"},
}
MIXED = {"images": {"source": "digits", "size": 16}, "weights": {"encoder": {"name": "sane", "latent": 2000}}}
MIXED |= {
    "run": "tiny",
    "zoo": {"architecture": ["mlp", {"width": 2}], "members": 16, "parts": dict.fromkeys(PARTS, 1)},
}


@pytest.fixture(scope="module", params=["digits", "imagefolder"])
def rules(request, tmp_path_factory, tiny_config, repository):
    """The workflow's rules by name, as Snakemake reads them; no job is planned."""
    given = {**tiny_config, "images": IMAGES} if request.param == "imagefolder" else tiny_config
    with read_rules(given, tmp_path_factory.mktemp("rules"), repository) as found:
        yield found


@contextmanager
def read_rules(given, folder, repository):
    config = folder / "given.yaml"
    config.write_text(yaml.safe_dump(given), encoding="utf-8")
    received = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with SnakemakeApi() as api:
        workflow = api.workflow(
            ResourceSettings(cores=1),
            ConfigSettings(configfiles=[config]),
            snakefile=repository / "Snakefile",
            workdir=folder,
        )
        # `job` is the template of the others.
        yield {rule.name: rule for rule in workflow._workflow.rules if rule.name != "job"}
    for number, handler in received.items():  # a workflow receives them by itself
        signal.signal(number, handler)


@pytest.fixture(params=RULES)
def rule(request, rules):
    return rules[request.param]


def params_of(rule) -> dict:
    values = dict(rule.params.items())
    return {key: value(WILDCARDS) if callable(value) else value for key, value in values.items()}


def function_of(rule):
    module, name = params_of(rule)["call"].rsplit(".", 1)
    return getattr(import_module(module), name)


def named(files) -> list[str]:
    return [name for name, _ in files._get_names()]


def test_rules_are_those_that_are_checked(rules):
    assert set(rules) == {*RULES, "all"}


def test_function_takes_what_rule_names(rule):
    params, function = params_of(rule), function_of(rule)
    assert set(params) == {"call", "code", "settings"}
    inputs, settings, parameters = named(rule.input), dict(params["settings"]), signature(function).parameters
    if "inputs" in parameters:  # a dataclass of all input files
        signature(get_type_hints(function)["inputs"]).bind(**dict.fromkeys(inputs))
        inputs = ["inputs"]
    if "job" in parameters:
        settings.pop("seed", None)
    keys = [*inputs, *named(rule.output), *settings]
    assert len(keys) == len(set(keys)), "one argument has two names"
    required = {name for name, parameter in parameters.items() if parameter.default is Parameter.empty}
    assert required - {"job"} <= set(keys) <= set(parameters)
    assert not set(keys) & RESERVED
    assert all(parameter.kind is not Parameter.VAR_KEYWORD for parameter in parameters.values())


def test_sections_of_the_config_are_valid_settings(rule):
    annotations, call = get_type_hints(function_of(rule)), params_of(rule)["call"]
    # Settings of a sampler that its fit does not depend on.
    left_out = {
        key for entry in METHODS.values() if entry.fit and entry.fit_function() == call for key in entry.at_sampling
    }
    for key, value in params_of(rule)["settings"].items():
        if key == "choice" and not METHODS[value["name"]].from_prompts:
            left_out.add("prompt_members")
        if key == "choice" and not value.get("others"):
            left_out.add("others")
        if isinstance(annotations.get(key), type) and issubclass(annotations[key], BaseModel):
            full = plain(annotations[key].model_validate(value))
            assert {name: one for name, one in full.items() if name not in left_out} == value


def test_gpu_is_asked_for_only_where_a_function_takes_a_device(rule):
    parameters = signature(function_of(rule)).parameters
    if "device" in parameters:
        assert "gpu" in rule.resources
    if "gpu" in rule.resources:
        assert "device" in parameters or "job" in parameters


def test_code_is_the_digest_of_what_is_called(rule):
    params = params_of(rule)
    entries = ENTRIES.get(params["call"], ())
    if params["call"] == "wsl.images.packing.pack_classes":
        entries = [SOURCES[params["settings"]["settings"]["source"]["name"]]]
    assert params["code"] == call_digest(params["call"], *entries, architectures=[ARCHITECTURES["resnet18"]])


def test_settings_are_plain_and_sorted(rule):
    # Snakemake compares their repr: an object's would differ from run to run, and so would an order that is not fixed.
    settings = params_of(rule)["settings"]
    assert ast.literal_eval(repr(settings)) == settings
    assert list(settings) == sorted(settings)
    assert all(list(value) == sorted(value) for value in settings.values() if isinstance(value, dict))


def test_rule_has_script_log_and_environment(rule, repository):
    wildcards = set(rule.wildcard_names)
    assert rule.script == "../scripts/call.py"
    assert [str(log).split("{")[0] for log in rule.log] == [
        f"results/tiny/logs/{rule.name}/" if wildcards else f"results/tiny/logs/{rule.name}.log"
    ]
    assert rule.conda_env == "../envs/job.yaml"


def runs_locally_or_says_what_it_needs(rule):
    local = rule.name in rule.workflow._localrules
    declared = set((rule.ruleinfo.resources or ((), {}))[1])
    return declared == set() if local else {"mem_mb", "runtime"} <= declared <= {"mem_mb", "runtime", "gpu"}


def test_rule_runs_locally_or_says_what_it_needs(rule):
    assert runs_locally_or_says_what_it_needs(rule)


def test_other_rules_run_locally_or_say_what_they_need(tiny_config, change, tmp_path, repository):
    seen = set()
    for place, config in enumerate((*(change(tiny_config, **changes) for changes in OTHERS.values()), MIXED)):
        (tmp_path / str(place)).mkdir()
        with read_rules(config, tmp_path / str(place), repository) as found:
            seen |= set(found)
            assert [name for name, rule in found.items() if not runs_locally_or_says_what_it_needs(rule)] == []
            local = {name for name, rule in found.items() if name in rule.workflow._localrules}
            assert {name for name in found if name.startswith("fetch_")} <= local
    written = {
        line.split()[-1].rstrip(":") if " as " not in line else line.split(" as ")[1].split()[0]
        for path in (repository / "workflow" / "rules").glob("*.smk")
        for line in path.read_text().splitlines()
        if re.match(r"\s*(use )?rule \w", line)
    }
    # Those of imported members need a folder: `test_imported.py` plans and runs them.
    assert written <= seen | {*RULES, "job", "check_imported", "probe_weights"}


def test_rules_of_a_mixed_zoo_agree_with_their_functions(tmp_path, repository):
    with read_rules(MIXED, tmp_path, repository) as found:
        for name, rule in found.items():
            if name != "all":
                test_function_takes_what_rule_names(rule)
                test_sections_of_the_config_are_valid_settings(rule)
                test_settings_are_plain_and_sorted(rule)
                test_rule_has_script_log_and_environment(rule, repository)


def test_a_plug_in_adds_a_figure_and_its_caption(tiny_config, change, tmp_path, repository):
    toy = repository / "tests" / "plugins" / "toy_figure.py"
    with read_rules(change(tiny_config, plugins=[str(toy)]), tmp_path, repository) as found:
        rule, page = found["toy_figure"], found["html_report"]
        test_function_takes_what_rule_names(rule)
        test_rule_has_script_log_and_environment(rule, repository)
        assert set(map(str, rule.output)) == {f"results/tiny/figures/toy_figure.{kind}" for kind in ("pdf", "png")}
        entry = get_flag_value(rule.output.png, "report")
        assert entry.caption.get_path_or_uri(secret_free=True) == str(toy.with_suffix(".rst"))
        assert str(rule.output.png) in map(str, page.input.figures)
        place = [item["name"] for item in page.params.settings["contents"]].index("toy_figure")
        assert Path(tmp_path, list(page.input.captions)[place]).resolve() == toy.with_suffix(".rst")


def test_all_runs_locally(rules):
    assert "all" in rules["all"].workflow._localrules


def test_what_stands_in_the_report_has_a_caption_and_labels(rules, repository):
    captions = {}
    for rule in rules.values():
        for file in rule.output:
            if is_flagged(file, "report"):
                entry = get_flag_value(file, "report")
                captions[str(file)] = normpath(entry.caption.get_path_or_uri(secret_free=True))
                assert entry.category
                assert list(entry.labels) in (["figure"], ["table"])
    figures = "zoo_overview autoencoder_loss output_metrics shared_encoder_loss similarity_heatmap accuracy finetuning "
    figures += "regimes growth prompt_alignment null_arms retrieval shared_map distilled_images weight_encoders "
    figures += "encoder_rows encoder_training encoder_shares"
    tables = (
        "classes members pca reconstruction accuracy recalibration specialisation control novelty refinement retrieval"
    )
    folder = repository / "workflow" / "report"
    assert captions == {
        **{f"results/tiny/figures/{name}.png": str(folder / f"{name}.rst") for name in figures.split()},
        **{f"results/tiny/tables/{name}.csv": str(folder / f"{name}.rst") for name in tables.split()},
    }
    # Tables of a bench are made in test_weight_encoders.py and test_studies.py, and Snakemake uses workflow.rst.
    others = {str(folder / f"{name}.rst") for name in ("probes", "encoder_groups", "workflow")}
    assert {str(path) for path in folder.iterdir()} == set(captions.values()) | others
