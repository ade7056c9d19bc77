"""The whole chain at its smallest, from images to report: which files come out, and what the reports show."""

import base64
import html
import json
import re
import zipfile
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from same import made_files

from tests.networks import resnet18_layout
from wsl.files.plain import read_json
from wsl.jobs.machine import this_machine
from wsl.report.facts import facts
from wsl.report.page import caption
from wsl.runs.run import Run

pytestmark = pytest.mark.slow

PARTS = ("train", "validation", "test")
TEST_MEMBERS = (2, 5)
FIGURES = {
    "zoo_overview": "the zoo: learning curves, accuracies, losses",
    "autoencoder_loss": "4.1a: losses of the weight encoder",
    "output_metrics": "4.1b: outputs on synthetic images",
    "shared_encoder_loss": "4.2: losses of the shared encoder",
    "similarity_heatmap": "4.3: weight latents and (D, R) pairs",
    "accuracy": "accuracy of samplers and baselines",
    "finetuning": "accuracy after fine-tuning",
    "regimes": "accuracy of sampled models by regime",
}
TABLES = {
    "classes": "images of each class",
    "members": "members: plan and results",
    "pca": "compression of each named parameter",
    "reconstruction": "Table 4.1: reconstruction on training data",
    "accuracy": "accuracy on held-out tasks",
    "recalibration": "effect of re-estimated batch-normalisation statistics",
    "specialisation": "gain over the best body for all tasks",
}
METHODS = (
    *("trained", "reconstructed", "scratch", "start", "mean", "nearest", "noised", "prototypes", "probe"),
    "projection",
)
LAYOUT = resnet18_layout(2, 3)
RESULTS = {
    "report.html",
    "explore.html",
    "summary.json",
    "images/complete",
    "images/all.json",
    "datasets/class_means.json",
    *(f"images/{digit}.h5" for digit in range(5)),
    *(f"datasets/class_means/{digit}.h5" for digit in range(5)),
    *(f"zoo/members/{member:05d}.h5" for member in range(8)),
    *(f"zoo/{part}.h5" for part in PARTS),
    *("zoo/plan.csv", "zoo/zoo.json", "zoo/history.csv", "outcomes/bins.json"),
    *(f"weights/pca/{entry.name}.h5" for entry in LAYOUT.entries),
    *(f"weights/{stage}/{part}.h5" for stage in ("coefficients", "latents") for part in PARTS),
    *("weights/encoder.safetensors", "weights/encoder_checkpoints.safetensors"),
    *("weights/encoder_history.csv", "shared/history.csv", "shared/similarities.csv"),
    "shared/encoder.safetensors",
    *(f"sampling/models/{member:05d}.safetensors" for member in TEST_MEMBERS),
    "sampling/sampler.json",
    *(f"evaluation/{name}.csv" for name in ("reconstruction", "reconstruction_over_training")),
    *(f"evaluation/protocol/{method}-0.csv" for method in METHODS),
    *(f"figures/{name}.{kind}" for name in FIGURES for kind in ("pdf", "png")),
    *(f"tables/{name}.csv" for name in TABLES),
    "tables/about.json",
}
NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")


def test_every_file_is_made_and_no_other(results):
    assert set(made_files(results)) == RESULTS


def test_every_job_has_its_log_and_what_grows_its_benchmark(printed, results, read_jobs):
    jobs = read_jobs(printed)
    assert Counter(job["rule"] for job in jobs)["all"] == 1
    done = [job for job in jobs if job["rule"] != "all"]
    assert all({"output", "log"} <= set(job) for job in done)
    outputs = [name for job in done for name in job["output"].split(", ")]
    assert Counter(outputs) == Counter(f"results/tiny/{name}" for name in RESULTS)
    logs = {path.relative_to(results).as_posix() for path in (results / "logs").rglob("*.log")}
    assert Counter(job["log"] for job in done) == Counter(f"results/tiny/{name}" for name in logs)
    benchmarks = {path.relative_to(results).as_posix() for path in (results / "benchmarks").rglob("*.tsv")}
    assert benchmarks == {
        "benchmarks/train_weight_encoder.tsv",
        *(f"benchmarks/judge/{method}-0.tsv" for method in METHODS),
        "benchmarks/train_shared.tsv",
        *(f"benchmarks/train_cohort/{member:05d}.tsv" for member in range(8)),
        "benchmarks/fit_small_pca.tsv",
        *(
            f"benchmarks/{rule}/{part}.tsv"
            for rule in ("index_part", "coefficients", "embed_weights")
            for part in ("train", "validation", "test")
        ),
    }


def test_run_uses_its_profile_and_ends_with_a_summary(printed, results):
    assert "Using workflow specific profile profiles/default" in printed
    assert printed.count("Devices: no GPU is visible here, so jobs run on the CPU\n") == 1
    # Two test members: a warning at the start, and at the end a table whose intervals are over their sets.
    assert printed.count("Warning: the 2 held-out tasks of seen classes are 2 distinct sets of classes.") == 1
    assert "Report:  results/tiny/report.html\nZoo:     8 members (0 diverged)" in printed
    numbers = read_json(results / "summary.json")
    assert f"reconstructions agree on {100 * numbers['agreement']:.1f} [" in printed
    table = printed[printed.index("  method          kind") :].splitlines()
    assert table[1].strip() == "(2 sets of classes)"
    shown = [line[2:].split()[:3] for line in table[2 : 2 + len(METHODS)]]
    seen = numbers["accuracy"]["seen"]
    assert [name for name, *_ in shown] == sorted(seen, key=lambda name: -seen[name])
    assert {name: value for name, _, value in shown} == {name: f"{100 * value:.1f}" for name, value in seen.items()}


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_drawn(results, name):
    assert (results / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF-")
    with Image.open(results / "figures" / f"{name}.png") as image:
        assert image.width > 600 and image.height > 300
        assert len(image.convert("RGB").getcolors(maxcolors=2**24)) > 20


class _Page(HTMLParser):
    """What a page loads, and what stands in it."""

    def __init__(self):
        super().__init__()
        self.loads, self.figures, self.captions, self.rows, self.style = [], {}, {}, Counter(), ""
        self._in, self._figure, self._table = "", None, None

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self._in = tag
        named = ("src", "srcset", "href", "data", "poster", "action", "background")
        self.loads += [attributes[key] for key in named if key in attributes]
        if tag == "figure":
            self._figure, self._table = attributes["id"], None
        elif tag == "details":
            self._table = attributes["id"].removeprefix("table-")
        elif tag == "img":
            self.figures[self._figure] = attributes["src"]
        elif tag == "td" or (tag == "p" and attributes.get("class") == "caption"):
            self._in = tag
        elif tag == "tr" and self._table:
            self.rows[self._table] += 1

    def handle_data(self, text):
        if self._in == "style":
            self.style += text
        elif self._in == "figcaption" and text.strip():
            self.captions[self._figure] = text
        elif self._in == "p" and self._table and text.strip():
            self.captions[self._table] = text


def captions(project: Path, config: dict) -> dict[str, str]:
    """Return the captions of all figures and tables."""
    known, folder = facts(Run(config)), project / "workflow" / "report"
    return {name: caption(folder / f"{name}.rst", known) for name in [*FIGURES, *TABLES]}


def test_report_is_one_file_with_everything(results, tiny_config):
    text = (results / "report.html").read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert all(link.startswith(("data:", "#")) or link == "explore.html" for link in page.loads)
    assert "url(" not in page.style and "@import" not in page.style
    assert "<script" not in text
    assert {name: base64.b64decode(source.split("base64,")[1]) for name, source in page.figures.items()} == {
        name: (results / "figures" / f"{name}.png").read_bytes() for name in FIGURES
    }
    lengths = {name: len(pd.read_csv(results / "tables" / f"{name}.csv")) for name in TABLES}
    assert page.rows == {name: 1 + length for name, length in lengths.items()}
    assert page.captions == captions(results.parents[1], tiny_config)
    here, jobs = this_machine(), len(list((results / "logs").rglob("*.log"))) - 1
    assert f"torch {here.torch}" in text and f"in which {jobs} of {jobs} jobs ran" in text
    # Each log contains the duration of its job; jobs that the report does not wait for may still be running.
    timed = re.search(rf"in (all|\d+ of) {jobs} jobs", text)[1]
    assert timed == "all" or int(timed.split()[0]) >= jobs - 2
    assert "RANDOM features" in text


def test_tables_say_what_they_should(results):
    tables = {name: pd.read_csv(results / "tables" / f"{name}.csv") for name in TABLES}
    assert tables["classes"]["class"].tolist() == [0, 1, 2, 3, 4]
    assert tables["members"]["member"].tolist() == list(range(8))
    assert tables["pca"]["parameter"].tolist() == [entry.name for entry in LAYOUT.entries]
    assert set(tables["reconstruction"]["stage"]) == {"pca", "latent"}
    accuracy = tables["accuracy"]
    assert list(dict.fromkeys(accuracy["sampler"])) == list(METHODS)
    assert set(accuracy["classes"]) == {"validation", "seen"} and (accuracy["tasks"] == 2).all()
    assert set(accuracy.loc[accuracy["sampler"] == "projection", "images"]) == {"1", "5", "all"}
    assert set(accuracy.loc[accuracy["epochs"] == 1, "classes"]) == {"seen"}
    assert set(accuracy.loc[accuracy["chosen"], "sampler"]) == {"projection"}
    assert set(tables["recalibration"]["recalibrated"]) == {True, False}
    gains = tables["specialisation"].query("epochs == 0").set_index("sampler")
    body = gains.loc["trained", "body"]
    assert body in ("prototypes", "probe") and gains.loc[body, "gain"] == 0
    numbers = read_json(results / "summary.json")
    means = tables["reconstruction"].set_index(["stage", "snapshot", "metric"])["mean"]
    assert (numbers["members"], numbers["classes"]) == (8, 5)
    assert numbers["agreement"] == means["latent", "max", "agreement"]
    assert (accuracy["sets"] == 2).all() and (tables["reconstruction"]["sets"] == 2).all()
    shown = accuracy[(accuracy["images"] == "all") & (accuracy["epochs"] == 0) & (accuracy["classes"] == "seen")]
    assert numbers["accuracy"]["seen"] == dict(zip(shown["sampler"], shown["accuracy"], strict=True))


def report_results(page: str) -> dict:
    start = page.index("{", page.index('<script id="results">'))
    return json.JSONDecoder().raw_decode(page[start:])[0]


@pytest.mark.parametrize("kind", ["zip", "html"])
def test_snakemake_report_holds_everything_and_needs_no_network(finished, kind):
    done = finished.snakemake("--report", f"report.{kind}", **NO_NETWORK)
    assert done.returncode == 0, done.stdout
    report = finished.root / f"report.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(report) as archive:
            held = {name: archive.read(name) for name in archive.namelist()}
        page = held.pop("report/report.html").decode()
    else:
        held, page = {}, report.read_text(encoding="utf-8")
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']?https?:", page)
    entries = report_results(page)
    assert "trained 8 classifiers of 3 classes each" in " ".join(page.split())
    told = captions(finished.root, finished.config)
    expected = {f"figures/{name}.png": ("figure", title) for name, title in FIGURES.items()}
    expected |= {f"tables/{name}.csv": ("table", title) for name, title in TABLES.items()}
    assert set(entries) == {f"results/tiny/{name}" for name in expected}
    for name, (label, title) in expected.items():
        entry = entries[f"results/tiny/{name}"]
        assert entry["labels"] == {label: title}
        shown = html.unescape(re.sub(r"<[^>]+>", "", entry["caption"]))
        assert " ".join(shown.split()) == told[Path(name).stem]
        if kind == "zip":
            data = held.pop(f"report/{entry['data_uri']}")
        else:
            data = base64.b64decode(entry["data_uri"].split("base64,")[1])
        assert data == (finished.results / name).read_bytes()
    assert held == {}
    assert entries["results/tiny/tables/members.csv"]["job_properties"]["rule"] == "zoo_table"
