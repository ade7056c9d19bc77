"""The HTML report is one file, and describes the origin of its numbers."""

import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from PIL import Image

from wsl.config.schema import load_config
from wsl.files.plain import write_json
from wsl.jobs.machine import this_machine
from wsl.report.page import write_report


class Page(HTMLParser):
    """Sources, the cells of tables by their id, and open tags."""

    def __init__(self, text: str):
        super().__init__()
        self.sources, self.cells, self.open, self.place = [], {}, [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.place = attributes.get("id", self.place)
        self.sources += [attributes[key] for key in ("src", "href") if key in attributes]
        if tag not in ("meta", "img"):
            self.open.append(tag)
        if tag == "td":
            self.cells.setdefault(self.place, []).append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "td":
            self.cells[self.place][-1] += data


@pytest.fixture
def report(tmp_path, numbers, run_facts):
    def written(changes=None, table=None) -> str:
        Image.new("RGB", (4, 4), "red").save(tmp_path / "zoo_overview.png")
        (table if table is not None else pd.DataFrame({"class": ["a"], "train": [3]})).to_csv(
            tmp_path / "classes.csv", index=False
        )
        captions, contents = [], []
        for stem, kind in (("zoo_overview", "figure"), ("classes", "table")):
            captions.append(tmp_path / f"{stem}.rst")
            captions[-1].write_text(f"About {stem},\n{{{{ snakemake.config.facts.per_task }}}} classes.\n")
            contents.append({"kind": kind, "name": stem, "category": "Zoo", "title": f"title of {stem}"})
        write_json(tmp_path / "summary.json", {**numbers, **(changes or {})})
        checked = load_config({"run": "test", "seed": 17}).model_dump(mode="json")
        write_report(
            [tmp_path / "zoo_overview.png"], [tmp_path / "classes.csv"], captions,
            tmp_path / "summary.json", tmp_path / "report.html", contents, checked, run_facts,
        )  # fmt: skip
        return (tmp_path / "report.html").read_text()

    return written


def test_a_run_without_images_shows_its_probes(report, numbers, run_facts):
    run_facts |= {"images": False, "imported": "zoos/a", "one_task": True, "sets": {}}
    kept = {key: numbers[key] for key in ("members", "members_diverged", "validation_accuracy_max", "chance")}
    scores = {"validation_loss": {"pca-ae": 0.5, "statistics": 0.75}}
    numbers.clear()
    text = report({**kept, "accuracy": {}, "probes": scores})
    assert "<b>0.50</b> R² of probes of latents: validation loss (layer statistics: 0.75)" in text
    assert "Methods by accuracy" not in text and "What to know" not in text


def test_nothing_is_loaded_from_elsewhere(report):
    text = report()
    page = Page(text)
    assert page.open == []
    links = [source for source in page.sources if not source.startswith("#")]
    assert links[0] == "explore.html"  # a link, next to the report
    assert len(links) == 2 and links[1].startswith("data:image/png;base64,")
    assert not re.search(r"https?://", text)


def test_numbers_captions_tables_and_config_are_there(report):
    text = report()
    captions = ("About zoo_overview, 3 classes.", "About classes, 3 classes.")
    titles = ("<h3>Zoo</h3>", 'alt="title of zoo_overview"', "<b>classes</b>: title of classes")
    for expected in ("35.7%", "chance 33.3%", "components: 32", *captions, *titles):
        assert expected in text
    assert Page(text).cells["table-classes"] == ["a", "3"]


def test_numbers_are_aligned(report):
    text = report(table=pd.DataFrame({"class": ["a"], "train": [3], "share": [0.5]}))
    assert "<td>a</td><td class=number>3</td><td class=number>0.5</td>" in text


def test_a_class_name_cannot_inject_markup(report):
    assert "<script>" not in report(table=pd.DataFrame({"class": ["<script>x</script>"]}))


def first_tile(text: str) -> str:
    tile = re.search(r'<li class="wider">(.*?)</li>', text, re.DOTALL)[1]
    return " ".join(re.sub(r"<[^>]+>", " ", tile).split())


@pytest.mark.parametrize("sampler, order", [(0.74, ["flow", "prototypes"]), (0.69, ["prototypes", "flow"])])
def test_the_better_of_sampler_and_strongest_baseline_is_first(report, numbers, sampler, order):
    text = report({"accuracy": {"seen": {**numbers["accuracy"]["seen"], "flow": sampler}}})
    shown = {
        "flow": f"{sampler:.1%} flow: chosen sampler",
        "prototypes": "70.0% prototypes on the start: strongest baseline",
    }
    assert first_tile(text).startswith(" ".join(shown[name] for name in order))
    assert "mean over 24 sets of classes" in first_tile(text) and "Trained on the task: 80.0%" in first_tile(text)


def test_seen_and_unseen_classes_have_a_tile_each_also_without_intervals(report, numbers):
    seen = numbers["accuracy"]["seen"]
    changes = {"accuracy": {"seen": seen, "unseen": {**seen, "flow": 0.5}}, "accuracy_intervals": {}, "sets": {}}
    text = report(changes)
    assert text.count('<li class="wider">') == 2 and "50.0%" in text


def test_methods_are_ranked_with_intervals_where_they_are_known(report):
    cells = Page(report()).cells["ranking"]
    assert cells[:6] == ["trained on the task", "80.0%", "reference", "flow", "74.0% (70.1 to 77.6)", "sampler, chosen"]
    assert cells[6::3] == ["prototypes on the start", "probe on the start", "the zoo's start"]


def test_the_origin_of_the_run_is_shown(report):
    text, here = report(), this_machine()
    top, _, bottom = text.partition('<dl id="origin">')
    assert f"by wsl {here.wsl}; seed 17." in top
    for expected in (here.cpu, f"Python {here.python}, torch {here.torch}", here.system, "UTC"):
        assert expected.replace("'", "&#39;") in bottom
