"""The image source `hf`: folders that the library saved, and repositories, read as the library reads them."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.images.hub import served
from wsl.errors import ConfigError
from wsl.images.classes import find_classes
from wsl.images.fetched import fetch
from wsl.images.packing import pack_class
from wsl.images.settings import Images, Packing
from wsl.images.sources.huggingface import HuggingFace

datasets = pytest.importorskip("datasets", reason="needs the package datasets, of the extra `data`")
NAMES = ["traffic light/red", "traffic light/green", "A", "a"]
SAFE = ["traffic light-red", "traffic light-green", "A", "a-2"]


def encoded(seed, ending="png"):
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, ending)
    return file.getvalue()


def table(seed, count, labels=None, **more):
    """A dataset of images of all classes in turn, encoded as PNG files."""
    images = [{"bytes": encoded(seed * 1000 + number), "path": None} for number in range(count)]
    columns = {"image": images, "label": labels or [number % 4 for number in range(count)], **more}
    label = datasets.Value("string") if labels else datasets.ClassLabel(names=NAMES)
    features = {key: datasets.Value("int64") for key in more}
    return datasets.Dataset.from_dict(
        columns, datasets.Features({"image": datasets.Image(), "label": label, **features})
    )


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """Saves splits: ``saved(train=..., test=...)`` returns the folder."""
    monkeypatch.chdir(tmp_path)

    def make(**splits):
        datasets.DatasetDict(splits).save_to_disk(str(tmp_path / "saved"))
        return tmp_path / "saved"

    return make


def packed(source, name, path, read):
    pack_class(path, name, Packing(source=source, size=16, minimum=2), 0)
    parts, skipped = read(path)
    return {part: sorted(image.tobytes() for image in images) for part, images in parts.items()}, skipped


def test_a_saved_dataset_is_read_as_the_library_reads_it(saved, tmp_path, read):
    folder = saved(train=table(1, 40, size=list(range(40))), test=table(2, 8, size=list(range(8))))
    source = HuggingFace(dataset=str(folder))
    fetch(source)
    assert source.names() == SAFE and find_classes(Images(source=source)) == (SAFE, [])
    ours, skipped = packed(source, "a-2", tmp_path / "x.h5", read)
    theirs = datasets.load_from_disk(str(folder))
    known = {
        split: sorted(np.asarray(row["image"]).tobytes() for row in rows if row["label"] == 3)
        for split, rows in theirs.items()
    }
    assert (
        skipped == [] and sorted(ours["train"] + ours["validation"]) == known["train"] and ours["test"] == known["test"]
    )


def test_a_repository_of_parquet_files_is_fetched_once_into_the_root(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = table(1, 40)
    rows.to_parquet(str(tmp_path / "repository" / "data" / "train-00000-of-00001.parquet"))
    table(2, 8).to_parquet(str(tmp_path / "repository" / "data" / "validation-00000-of-00001.parquet"))
    source = HuggingFace(dataset="repository")
    fetch(source)
    (place,) = (tmp_path / "data" / "huggingface").iterdir()
    assert place == tmp_path / source.place() and not list(place.glob(".cache"))
    assert source.count(source.names()) == 48 and set(source.index("count_test")) == {"count_test"}
    made = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    fetch(source)
    assert made == {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    table(2, 12).to_parquet(str(tmp_path / "repository" / "data" / "validation-00000-of-00001.parquet"))
    assert source.index() is None
    fetch(source)
    assert source.count(source.names()) == 52


def test_damaged_images_are_left_out_and_texts_are_classes(saved, tmp_path, read):
    rows = table(1, 40, labels=[str(number % 11) for number in range(40)])
    images = rows.cast_column("image", datasets.Image(decode=False)).to_dict()["image"]
    images[2]["bytes"], images[13]["bytes"] = b"broken", b""
    rows = datasets.Dataset.from_dict({"image": images, "label": rows["label"]}, features=rows.features)
    source = HuggingFace(dataset=str(saved(train=rows)))
    fetch(source)
    assert source.names() == [str(number) for number in range(11)]
    with pytest.raises(Exception, match=r"'2' has .* \(2 not readable\)"):
        packed(source, "2", tmp_path / "x.h5", read)


def test_splits_and_columns_can_be_named(saved, tmp_path, read):
    rows = table(1, 40).rename_columns({"image": "picture", "label": "kind"})
    folder = saved(all=rows, held=table(2, 8).rename_columns({"image": "picture", "label": "kind"}), extra=rows)
    with pytest.raises(ConfigError, match=r"images.source.train: name the split of .*: all, held, extra"):
        fetch(HuggingFace(dataset=str(folder)))
    with pytest.raises(ConfigError, match=r"images.source.test: .* no split 'tset'; it has all, held, extra"):
        fetch(HuggingFace(dataset=str(folder), train="all", test="tset"))
    with pytest.raises(
        ConfigError, match=r"image_column: name the column of .* picture \(Image\), kind \(ClassLabel\)"
    ):
        fetch(HuggingFace(dataset=str(folder), train="all", test="held", image_column="image"))
    source = HuggingFace(dataset=str(folder), train="all", test="held", label_column="kind")
    fetch(source)
    assert source.count(SAFE[:1]) == 12


def test_an_edited_dataset_is_indexed_anew(saved):
    folder = saved(train=table(1, 12))
    source = HuggingFace(dataset=str(folder))
    fetch(source)
    before = source.fingerprint("A")
    saved(train=table(1, 16), test=table(2, 4))
    assert source.index() is None and source.fingerprint("A") != before
    fetch(source)
    assert source.count(SAFE) == 20


def test_without_a_network_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def refuse(*args, **kwargs):
        raise ConnectionError("Couldn't reach the Hub")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(ConfigError, match=r"hf:me/birds cannot be .*reach the Hub.*`hf download me/birds .*hf:FOLDER"):
        fetch(HuggingFace(dataset="me/birds"))
    assert not list((tmp_path / "data" / "huggingface").iterdir())


def test_a_repository_of_the_hub_is_fetched_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for split, count in (("train", 40), ("test", 8)):
        table(count, count).to_parquet(str(tmp_path / "repository" / "data" / f"{split}-00000-of-00001.parquet"))
    with served(tmp_path / "repository", "me/birds", monkeypatch) as asked:
        source = HuggingFace(dataset="me/birds", revision="main")
        fetch(source)
        assert source.names() == SAFE and source.count(SAFE) == 48
        assert str(source.place()) == "data/huggingface/me--birds--@main" and source.place().is_dir()
        sent = len(asked)
        fetch(source)
        next((tmp_path / "data" / "index").glob("*.npz")).unlink()
        fetch(source)
        assert len(asked) == sent > 0
        other = HuggingFace(dataset="me/birds", revision="main", test="train", train="test")
        fetch(other)
        assert other.index("count_train")["count_train"].sum() == 8
