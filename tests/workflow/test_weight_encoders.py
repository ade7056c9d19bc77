"""The rules of weight encoders and gates other than the default's; test_rules.py sees those alone."""

import re
from collections import Counter

import h5py
import pandas as pd
import pytest

LATENTS, TABLE = "results/tiny/weights/latents/train.h5", "results/tiny/tables/reconstruction.csv"
PCA, SAMPLED = "results/tiny/tables/pca.csv", "results/tiny/evaluation/protocol/projection-0.csv"
ENCODERS = {
    "pca": {},
    "ae-pca": {"hidden": [8], "epochs": 1},
    "contrastive": {"latent": 8, "epochs": 1},
    "hyper": {"latent": 8, "epochs": 1},
    "sane": {"latent": 1000, "epochs": 1},
    "pca-ae": {"latent": 8, "epochs": 1, "behaviour": 1},
}
ENCODERS = {name: {"name": name, **settings} for name, settings in ENCODERS.items()}


@pytest.fixture
def project(new_project, change, tiny_config):
    """Makes a project of the tiny run, its weights section changed."""

    def make(**weights):
        config = change(tiny_config, sampling__samplers=["projection"], sampling__sampler="projection")
        config["weights"] = {**config["weights"], **weights}
        return new_project(config)

    return make


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_is_planned_from_what_it_reads(project, read_jobs, encoder):
    planned = project(encoder=ENCODERS[encoder]).dry_run(LATENTS)
    (job,) = (job for job in read_jobs(planned) if job["rule"] == "train_weight_encoder")
    reads = {
        "coefficients": "weights/coefficients/train.h5" in job["input"],
        "zoo": "zoo/train.h5" in job["input"],
        "images": "/images/" in job["input"],
    }
    assert reads == {"coefficients": encoder.startswith("pca"), "zoo": True, "images": encoder == "pca-ae"}


@pytest.mark.parametrize(("gate", "measured"), [("function", 1), ("variance", 0)])
def test_a_budget_is_spent_between_pca_and_all_that_reads_it(project, read_jobs, gate, measured):
    planned = project(budget=200, gate=gate).dry_run(LATENTS)
    found = Counter(job["rule"] for job in read_jobs(planned))
    assert (found["measure_sensitivity"], found["gate_components"]) == (measured, 1)
    for job in read_jobs(planned):
        if job["rule"] in ("coefficients", "train_weight_encoder", "embed_weights"):
            assert "weights/gated/fc.weight.h5" in job["input"] and "weights/pca/" not in job["input"]


def test_runs_beside_are_learnt_from(project, read_jobs):
    made = project(encoder={**ENCODERS["sane"], "runs": ["other"]})
    (made.results.parent / "other" / "zoo").mkdir(parents=True)
    (made.results.parent / "other" / "zoo" / "train.h5").touch()
    planned = made.dry_run(LATENTS)
    (job,) = (job for job in read_jobs(planned) if job["rule"] == "train_weight_encoder")
    assert "results/other/zoo/train.h5" in job["input"]


def test_tokens_that_a_latent_cannot_hold_are_refused_before_any_work(project):
    printed = project(encoder={"name": "sane", "latent": 8}).snakemake("--dry-run").stdout
    assert "weights.encoder.latent: 8 numbers" in printed and "raise weights.encoder.size" in printed


def test_a_mixed_zoo_is_planned_without_pca(new_project, change, tiny_config, read_jobs):
    sections = {key: tiny_config[key] for key in ("run", "seed", "images", "zoo")}
    given = change(sections, zoo__architecture=[{"width": 2}, {"width": 4}, "cnn-small"], zoo__members=24)
    given = change(given, zoo__init="shared", weights__encoder={**ENCODERS["sane"], "behaviour": 1})
    planned = read_jobs(new_project(given).dry_run())
    counts = Counter(job["rule"] for job in planned)
    assert (counts["train_cohort"], counts["start"], counts["index_part"], counts["embed_mixed"]) == (24, 3, 9, 9)
    assert not {"fit_pca", "coefficients", "train_shared", "sample", "html_report"} & set(counts)
    (fit,) = (job["input"].split(", ") for job in planned if job["rule"] == "train_encoder")
    labels = ("resnet18-width-2", "resnet18-width-4", "cnn-small")
    zoos = {f"results/tiny/zoo/{label}/{part}.h5" for label in labels for part in ("train", "validation")}
    assert set(fit) == zoos | {"results/tiny/images/all.json"}
    starts = [re.search(r"zoo/([^/]+)/start", job["input"])[1] for job in planned if job["rule"] == "train_cohort"]
    assert Counter(starts) == dict.fromkeys(labels, 8)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["ae-pca", "contrastive", "pca-ae"])  # tokens and a budget of PCA below
def test_every_encoder_gives_latents_and_a_table(finished, encoder):
    finished.configure(weights={**finished.config["weights"], "encoder": ENCODERS[encoder]})
    finished.run(LATENTS, TABLE)
    with h5py.File(finished.root / LATENTS) as file:
        assert file["latents"].ndim == 2 and len(file["latents"]) > 0
    assert set(pd.read_csv(finished.root / TABLE)["stage"]) == {"pca", "latent"}
    assert "Nothing to be done" in finished.dry_run(LATENTS, TABLE)


@pytest.mark.slow
def test_a_sampler_of_latents_decodes_tokens(finished):
    sane = {**finished.config["weights"], "encoder": ENCODERS["sane"]}
    finished.configure(weights=sane, sampling__samplers=["projection"], sampling__sampler="projection")
    finished.run(SAMPLED)
    assert pd.read_csv(finished.root / SAMPLED)["accuracy"].between(0, 1).all()


@pytest.mark.slow
def test_a_budget_of_function_is_kept(finished):
    finished.configure(weights={**finished.config["weights"], "encoder": "pca", "budget": 200})
    finished.run(LATENTS, PCA)
    with h5py.File(finished.root / LATENTS) as file:
        assert file["latents"].shape[1] == 200
    assert pd.read_csv(finished.root / PCA)["coefficients"].sum() == 200


GATED = {"encoder": "pca", "components": 12, "budget": 200}
BENCH = {"encoders": {"gated": GATED, "sane": {"encoder": ENCODERS["sane"]}}, "search": {"steps": 1}}
BENCH_TABLES = ("results/tiny/tables/weight_encoders.csv", "results/tiny/tables/probes.csv")
BENCH_FIGURES = [f"results/tiny/figures/{name}.png" for name in ("encoder_rows", "weight_encoders", "encoder_training")]


def test_a_bench_fits_one_pca_for_all_and_measures_each(project, read_jobs):
    made = project()
    made.configure(evaluation__bench=BENCH)
    found = Counter(job["rule"] for job in read_jobs(made.dry_run(*BENCH_TABLES)))
    assert (found["fit_wide_small_pca"], found["measure_encoder"], found["measure_wide_sensitivity"]) == (1, 3, 1)
    made.configure(evaluation__bench={"encoders": {"two": {"encoder": ENCODERS["ae-pca"]}}})
    assert "encoder_shares.png" in made.dry_run()
    made.configure(evaluation__bench={})
    assert "measure_encoder" not in made.dry_run()


@pytest.mark.slow
def test_a_bench_makes_its_tables(finished):
    finished.configure(evaluation__bench=BENCH)
    finished.run(*BENCH_TABLES, *BENCH_FIGURES)
    table = pd.read_csv(finished.root / BENCH_TABLES[0]).set_index("encoder")
    assert table.loc["gated", "latent_size"] == 200 and set(table["kind"]) == {"pca-ae", "pca", "sane"}
    assert table[["agreement", "agreement_bn", "agreement_searched"]].stack().between(0, 1).all()
    assert (table["shared_validation_loss"] > 0).all() and table["shared_chance_loss"].nunique() == 1
    probes = pd.read_csv(finished.root / BENCH_TABLES[1])
    assert set(probes["encoder"]) == {*table.index, "statistics", "flat"}
    assert "Nothing to be done" in finished.dry_run(*BENCH_TABLES)
