"""The image source `wds`: shards that the library webdataset writes, read as it reads them."""

import io
import json
import pickle
import tarfile

import numpy as np
import pytest
from loopback import Loopback
from PIL import Image
from pydantic import ValidationError

from wsl.errors import ConfigError
from wsl.files.plain import file_digest
from wsl.images.classes import find_classes
from wsl.images.fetched import fetch
from wsl.images.packing import pack_class
from wsl.images.settings import Images, Packing
from wsl.images.sources.webdataset import WebDataset

webdataset = pytest.importorskip("webdataset", reason="needs the package webdataset, of the extra `test`")


def encoded(seed):
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


@pytest.fixture
def shards(tmp_path, monkeypatch):
    """Two shards of 24 samples of 3 classes to train on, and one of 9 to test on, written by the library."""
    monkeypatch.chdir(tmp_path)
    for number, (name, count) in enumerate((("train-0", 24), ("train-1", 24), ("test-0", 9))):
        with webdataset.TarWriter(f"{name}.tar") as writer:
            for sample in range(count):
                label = sample % 3
                image = encoded(100 * number + sample)
                writer.write({"__key__": f"a/{sample:04d}", "png": image, "cls": label, "pyd": {"label": label}})
    return tmp_path


def test_images_are_those_that_the_library_reads(shards, tmp_path, read):
    source = WebDataset(train="train-{0..1}.tar", test="test-0.tar")
    fetch(source)
    assert find_classes(Images(source=source)) == (["0", "1", "2"], [])
    pack_class(tmp_path / "x.h5", "2", Packing(source=source, size=16), 0)
    parts, skipped = read(tmp_path / "x.h5")
    ours = {part: sorted(image.tobytes() for image in images) for part, images in parts.items()}

    def theirs(pattern):
        rows = (
            webdataset.WebDataset(pattern, shardshuffle=False).decode("pil", only=["png", "cls"]).to_tuple("png", "cls")
        )
        return sorted(np.asarray(image.convert("RGB")).tobytes() for image, label in rows if label == 2)

    assert skipped == [] and len(ours["test"]) == 3
    assert sorted(ours["train"] + ours["validation"]) == theirs("train-{0..1}.tar") and ours["test"] == theirs(
        "test-0.tar"
    )


class Bomb:
    def __reduce__(self):
        return open, ("exploded", "w")


def write_tar(path, samples):
    with tarfile.open(path, "w") as tar:
        for name, content in samples:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("ending", ["txt", "json", "kind.json"])
def test_labels_are_texts_or_json_and_nothing_is_unpickled(tmp_path, monkeypatch, ending, read):
    monkeypatch.chdir(tmp_path)
    samples = []
    for number in range(30):
        name = ["x/y", "b"][number % 2]
        text = name if ending == "txt" else json.dumps({"kind" if ending == "kind.json" else "label": name})
        label = [(f"{number}.{ending[-4:].lstrip('.')}", text.encode())] if number < 28 else []
        image = b"broken" if number == 4 else encoded(number)
        samples += [(f"{number}.png", image), *label, (f"{number}.pyd", pickle.dumps(Bomb()))]
    write_tar("x.tar", samples)
    source = WebDataset(train="x.tar", key="kind" if ending == "kind.json" else None)
    fetch(source)
    assert source.names() == ["b", "x-y"] and source.count(["b", "x-y"]) == 28
    pack_class(tmp_path / "x.h5", "x-y", Packing(source=source, size=16, minimum=4), 0)
    parts, skipped = read(tmp_path / "x.h5")
    assert sum(map(len, parts.values())) == 13 and len(skipped) == 1 and not (tmp_path / "exploded").exists()


@pytest.fixture
def site(shards):
    """The shards on a server of this machine."""
    (shards / "served").mkdir()
    for file in shards.glob("*.tar"):
        file.rename(shards / "served" / file.name)
    with Loopback(shards / "served") as site:
        yield site


def test_urls_are_downloaded_once_and_checked(site, tmp_path):
    url = site.url
    right, wrong = file_digest(tmp_path / "served" / "train-0.tar"), "0" * 64
    with pytest.raises(ConfigError, match=r"sha256: http.*train-0.tar has the checksum .*, not 000"):
        fetch(WebDataset(train=f"{url}/train-{{0..1}}.tar", sha256={"train-0.tar": wrong}))
    assert not list(tmp_path.glob("data/wds/*"))
    source = WebDataset(train=f"{url}/train-{{0..1}}.tar", sha256={"train-0.tar": right})
    fetch(source)
    assert source.count(source.names()) == 48 and site.sent.total() == 3
    fetch(source)
    assert site.sent.total() == 3
    with pytest.raises(ConfigError, match=r"404.*download http.*/none.tar by hand into data/wds"):
        fetch(WebDataset(train=f"{url}/none.tar"))


def test_shards_that_cannot_be_read_are_refused_before_any_job(shards):
    for text in ("pipe:cat x.tar", "s3://bucket/x.tar"):
        with pytest.raises(ValidationError, match="is not read; give paths, or URLs of http or https"):
            WebDataset(train=text)
    write_tar("test-1.tar", [("a.png", encoded(0)), ("a.cls", b"1")])
    source = WebDataset(train="train-0.tar", test="test-1.tar")
    fetch(source)
    faults = find_classes(Images(source=source))[1]
    assert "images.minimum: wds:train-0.tar has fewer than 10 images of '0' (8), '1' (8), '2' (8); lower" in faults[0]
    assert "images.source: wds:train-0.tar has no test images of '0', '2'; leave them out" in faults[1]
    with pytest.raises(ConfigError, match=r"no file train-2.tar; correct the path"):
        WebDataset(train="train-{1..2}.tar").check()
    with pytest.raises(ConfigError, match=r"no shard has the name train-5.tar"):
        WebDataset(train="train-0.tar", sha256={"train-5.tar": "0" * 64}).check()
    write_tar("empty.tar", [("a.png", encoded(0)), ("b.cls", b"1")])
    with pytest.raises(Exception, match=r"wds:empty.tar has no labelled image, files of one name"):
        fetch(WebDataset(train="empty.tar"))
