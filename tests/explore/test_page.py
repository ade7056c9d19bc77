"""The page: its data against the run's tables, its size, and that nothing in a run can become part of its code."""

import base64
import html
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from wsl.errors import DataError
from wsl.explore import page, points
from wsl.explore.content import column, curves_of, methods_of
from wsl.explore.notebook import figure
from wsl.explore.page import PageFiles, make_page, write_page
from wsl.explore.points import Space
from wsl.explore.thumbnails import thumbnails
from wsl.paths import Paths

EVIL = "</script><script>document.title = 'taken'<!--"


class Scripts(HTMLParser):
    """The attributes and the texts of all scripts, and all addresses."""

    def __init__(self, text):
        super().__init__()
        self.scripts, self.links, self._inside = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self._inside = tag == "script"
        if self._inside:
            self.scripts.append([attributes, ""])
        self.links += [attributes[key] for key in ("src", "href") if key in attributes]

    def handle_data(self, text):
        if self._inside:
            self.scripts[-1][1] += text

    def handle_endtag(self, tag):
        self._inside = False


def data_of(path):
    """Return the data in a page."""
    (text,) = [text for attributes, text in Scripts(path.read_text("utf-8")).scripts if attributes.get("id") == "data"]
    return json.loads(text)


def decoded(address):
    return Image.open(io.BytesIO(base64.b64decode(address.split("base64,")[1])))


@pytest.fixture
def space(monkeypatch):
    """Uses random points instead of those of the run, without t-SNE: ``space(snapshots)``."""

    def give(snapshots, dimension=16):
        rng = np.random.default_rng(1)
        values = Space(snapshots, *rng.normal(size=(2, len(snapshots), dimension)))
        monkeypatch.setattr(page, "load_space", lambda *files: values)
        monkeypatch.setattr(points, "flatten_points", lambda values, seed: rng.normal(size=(len(values), 2)))
        return values

    return give


def test_page_of_a_run_without_a_shared_encoder(written, autoencoder, tmp_path):
    run = written(members=8, classes=list("01234"))
    latents = [autoencoder.latents["train"], autoencoder.latents["test"]]
    files = {**run.files, "packed": None}
    make_page(PageFiles(latents=latents, **files), tmp_path / "explore.html", "weights")
    data = data_of(tmp_path / "explore.html")
    assert data["shared"] is False and list(data["snapshots"]["places"]) == ["weights"]
    assert list(data["snapshots"]["neighbours"]) == ["weights to weights"] and data["accuracy"] is None
    assert data["pictures"] == [None] * len(data["members"]["classes"])


def test_data_are_those_of_the_tables(written, space, tmp_path):
    run = written()
    values = space(run.snapshots)
    make_page(PageFiles(latents=[], **run.files), tmp_path / "explore.html", "five")
    data = data_of(tmp_path / "explore.html")
    members, snapshots = data["members"], data["snapshots"]
    tasks = ["/".join(members["classes"][place] for place in task) for task in members["tasks"]]
    assert [tasks[place] for place in members["task"]] == run.members["task"].tolist()
    assert len(set(tasks)) == len(tasks)
    assert set(members["columns"]) == {"part", "learning_rate", "optimizer", "diverged"}
    optimizers = members["columns"]["optimizer"]
    assert [optimizers["text"][code] for code in optimizers["values"]] == run.members["optimizer"].tolist()
    assert members["columns"]["learning_rate"]["values"] == pytest.approx(run.members["learning_rate"], rel=1e-3)
    assert snapshots["columns"]["validation_loss"]["values"] == pytest.approx(
        run.snapshots["validation_loss"].tolist(), abs=1e-3
    )
    assert [members["names"][place] for place in snapshots["members"]] == run.snapshots["member"].tolist()
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (values.weights, values.pairs)]
    trained = np.flatnonzero(run.snapshots["epoch"] > 0)  # 10 snapshots: as many as are listed
    for direction, (queries, candidates) in {"weights to pairs": unit, "pairs to weights": unit[::-1]}.items():
        found = snapshots["neighbours"][direction]
        cosines = queries @ candidates[trained].T
        order = np.argsort(-cosines, axis=1)
        assert np.reshape(found["rows"], (15, 10)).tolist() == trained[order].tolist()
        assert np.reshape(found["cosines"], (15, 10)) == pytest.approx(np.take_along_axis(cosines, order, 1), abs=1e-3)
    start, end = data["curves"]["starts"][2:4]
    curve = run.history[run.history["member"] == 2]
    assert data["curves"]["epoch"][start:end] == curve["epoch"].tolist()
    assert data["curves"]["train_loss"][start:end] == pytest.approx(curve["train_loss"].tolist(), abs=1e-3)


def test_a_thousand_members_fit_into_five_megabytes(written, space, tmp_path):
    run = written(members=1000, epochs=40, classes=[f"class number {i}" for i in range(100)], size=32)
    space(run.snapshots)
    make_page(PageFiles(latents=[], **run.files), tmp_path / "explore.html", "large")
    size = (tmp_path / "explore.html").stat().st_size
    assert 2e6 < size < 5e6
    data = data_of(tmp_path / "explore.html")
    assert data["counts"]["snapshots"] == [3000, 3000] and len(data["curves"]["epoch"]) == 40_000
    assert all(data["pictures"])


def test_names_cannot_become_code(written, space, tmp_path):
    run = written()
    members = run.members.assign(optimizer=EVIL, task=["<b>x</b>"] * 5)
    members[EVIL] = range(5)
    members.to_csv(run.files["members"], index=False)
    space(run.snapshots)
    make_page(PageFiles(latents=[], **run.files), tmp_path / "explore.html", EVIL)
    found = Scripts((tmp_path / "explore.html").read_text("utf-8"))
    assert len(found.scripts) == 2 + len(page.SCRIPTS)
    assert data_of(tmp_path / "explore.html")["run"] == EVIL
    assert all(link.startswith(("data:", "#")) or link == "report.html" for link in found.links)
    assert "'taken'</title>" not in (tmp_path / "explore.html").read_text("utf-8")


def test_columns():
    assert column(pd.Series([True, False])) == {"text": ["no", "yes"], "values": [1, 0]}
    assert column(pd.Series(["b", None, "a"])) == {"text": ["a", "b", "none"], "values": [1, 2, 0]}
    assert column(pd.Series([1.0, np.nan, np.inf, 0.123456])) == {"values": [1, None, None, 0.1235]}
    assert column(pd.Series([2119345508])) == {"values": [2119345508]}


def test_long_curves_keep_their_ends():
    history = pd.DataFrame({"member": [0] * 101 + [1] * 3, "epoch": [*range(101), 0, 1, 2], "train_loss": 1.0})
    curves = curves_of(history, [0, 1, 2], most=33)
    assert curves["starts"] == [0, 11, 14, 14]  # the last member has no history
    assert curves["epoch"] == [*range(0, 101, 10), 0, 1, 2]


def test_the_strongest_baseline_of_each_column_is_marked():
    one_image = [("seen", "1", "probe", 0.6), ("seen", "1", "mean", 0.4), ("seen", "1", "projection", 0.9)]
    rows = [
        *one_image,
        ("seen", "all", "probe", 0.5),
        ("seen", "all", "mean", 0.7),
        ("validation", "all", "probe", 0.5),
    ]
    table = pd.DataFrame(rows, columns=["classes", "images", "sampler", "accuracy"])
    table = table.assign(run="own", epochs=0, low=table["accuracy"] - 0.1, high=np.nan, chosen=False)
    table.loc[2, "chosen"] = True
    other = table.assign(run="other", accuracy=1.0)
    found = methods_of(pd.concat([table, other], ignore_index=True))
    assert {(cell["images"], cell["method"]) for cell in found["cells"] if cell["strongest"]} == {
        ("1", "probe"), ("all", "mean")
    }  # fmt: skip
    assert len(found["cells"]) == 5
    assert found["cells"][0]["numbers"] == [0.6, 0.5, None]
    assert [name for name, look in found["methods"].items() if look["chosen"]] == ["projection"]


def test_pictures_show_the_first_training_images(packed):
    import h5py

    found = thumbnails(list(packed.values()))
    assert set(found) == set("01234")
    with h5py.File(packed["3"]) as file:
        expected = np.concatenate(list(file["train"][:4]), axis=1)
    assert np.abs(np.int32(decoded(found["3"])) - expected).mean() < 6  # JPEG
    small = thumbnails(list(packed.values()), most=5 * 1100)
    assert sum(map(len, small.values())) <= 5500 and decoded(small["3"]).width < decoded(found["3"]).width
    assert thumbnails(list(packed.values()), most=10) == {}


def test_a_notebook_shows_the_page(tmp_path):
    paths = Paths(str(tmp_path))
    (tmp_path / "explore.html").write_text('<p title="a&b">é</p>', encoding="utf-8")
    shown = figure(tmp_path, height=500)
    source = re.search(r'srcdoc="([^"]*)"', shown._repr_html_())[1]
    assert html.unescape(source) == '<p title="a&b">é</p>' and 'height="500"' in shown._repr_html_()
    shown.save(tmp_path / "copy.html")
    assert (tmp_path / "copy.html").read_bytes() == (tmp_path / "explore.html").read_bytes()
    (tmp_path / "explore.html").unlink()
    with pytest.raises(DataError, match=re.escape(paths.table("members"))):
        figure(tmp_path)


def test_an_incomplete_run_is_refused(tmp_path):
    paths = Paths(str(tmp_path))
    for present, missing in (
        (paths.latents("train"), paths.table("members")),
        (paths.table("members"), paths.zoo_history),
        (paths.zoo_history, paths.summary),
        (paths.summary, None),
        (paths.shared(), paths.class_means),
    ):
        Path(present).parent.mkdir(parents=True, exist_ok=True)
        Path(present).touch()
        if missing:
            with pytest.raises(DataError, match=f"^{re.escape(missing)} is missing.*finish it"):
                write_page(tmp_path, tmp_path / "explore.html")
    assert not (tmp_path / "explore.html").exists()
