"""The HTML report is complete in itself and says what a reader must know."""

import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from PIL import Image

from wsl.config.schema import load_config
from wsl.files import write_json
from wsl.report import write_report

NUMBERS = {
    "classes": 10, "members": 8, "members_diverged": 0, "validation_accuracy_max": 0.9,
    "images_skipped": 0, "images_shared": 0,
    "agreement": 0.357, "agreement_pca": 0.4, "cosine": 0.0, "correlation": 0.0, "shared_validation_loss": 3.1,
    "shared_chance_loss": 4.1, "outcome_bins_filled": 5, "chance": 1 / 3, "chosen_sampler": "flow",
    "accuracy": {"seen": {"trained": 0.8, "prototypes": 0.7, "flow": 0.4}},
}  # fmt: skip


class Page(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.sources, self.cells, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.sources += [attributes[key] for key in ("src", "href") if key in attributes]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "td":
            self.cells.append(data)


@pytest.fixture
def report(tmp_path):
    def written(numbers=None, config=None, table=None) -> str:
        Image.new("RGB", (4, 4), "red").save(tmp_path / "zoo_overview.png")
        (table if table is not None else pd.DataFrame({"class": ["a"], "train": [3]})).to_csv(
            tmp_path / "classes.csv", index=False
        )
        captions = []
        for stem in ("zoo_overview", "classes"):
            captions.append(tmp_path / f"{stem}.rst")
            captions[-1].write_text(f"About {stem}.")
        write_json(tmp_path / "summary.json", {**NUMBERS, **(numbers or {})})
        checked = load_config({"run": "test", **(config or {})}).model_dump(mode="json")
        write_report(
            [tmp_path / "zoo_overview.png"], [tmp_path / "classes.csv"], captions,
            tmp_path / "summary.json", tmp_path / "report.html", checked,
        )  # fmt: skip
        return (tmp_path / "report.html").read_text()

    return written


def test_nothing_is_loaded_from_elsewhere(report):
    text = report()
    page = Page(text)
    assert page.open == []
    assert len(page.sources) == 1 and page.sources[0].startswith("data:image/png;base64,")
    assert not re.search(r"https?://", text)


def test_numbers_captions_tables_and_config_are_there(report):
    text = report()
    for expected in ("35.7%", "40.0%", "chance 33.3%", "About zoo_overview.", "About classes.", "components: 32"):
        assert expected in text
    assert Page(text).cells == ["a", "3"]


def test_numbers_stand_in_line(report):
    text = report(table=pd.DataFrame({"class": ["a"], "train": [3], "share": [0.5]}))
    assert "<td>a</td><td class=number>3</td><td class=number>0.5</td>" in text


def test_a_class_name_cannot_inject_markup(report):
    assert "<script>" not in report(table=pd.DataFrame({"class": ["<script>x</script>"]}))


@pytest.mark.parametrize(
    ("numbers", "config", "warned"),
    [
        ({}, {"datasets": {"weights": None}}, "RANDOM"),
        ({"members_diverged": 2}, {}, "2 of 8 members diverged"),
        ({"images_skipped": 3}, {}, "3 image files could not be read"),
        ({"images_shared": 2}, {}, "2 images lie in several classes"),
        ({"outcome_bins_filled": 2}, {}, "Only 2 outcome bins"),
    ],
)
def test_warns_of_what_spoils_results(report, numbers, config, warned):
    pretrained = {"datasets": {"weights": "openai"}}
    assert warned in report(numbers, config or pretrained)
    assert warned not in report({}, pretrained)
