"""The image source `torchvision`: read as torchvision reads it, fetched once, and not unpickled by chance."""

import gzip
import hashlib
import pickle

import numpy as np
import pytest
from loopback import Loopback
from PIL import Image, ImageOps
from torchvision import datasets

from tests.images.layouts import LAYOUTS, mnist
from wsl.errors import ConfigError
from wsl.images.classes import find_classes, safe_names
from wsl.images.fetched import INDICES, fetch
from wsl.images.packing import pack_class
from wsl.images.settings import Images, Packing
from wsl.images.sources.torchvision import KINDS, Torchvision
from wsl.runs.run import Run

VARIANTS = {"EMNIST/letters": "letters", "DTD/3": 3, "FGVCAircraft/family": "family", "Imagenette/160px": "160px"}


@pytest.fixture
def laid_out(tmp_path, monkeypatch):
    """A dataset laid out by hand: ``laid_out("CIFAR10")`` returns its source."""
    monkeypatch.chdir(tmp_path)

    def make(dataset):
        LAYOUTS[dataset](tmp_path / "root", monkeypatch)
        return Torchvision(dataset=dataset, root=tmp_path / "root")

    return make


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


@pytest.mark.parametrize("dataset", LAYOUTS)
def test_images_are_those_that_torchvision_reads(laid_out, dataset, tmp_path, read, no_network):
    source = laid_out(dataset)
    fetch(source)
    names = source.names()
    name = names[-1]
    pack_class(tmp_path / "x.h5", name, Packing(source=source, size=16, minimum=2), 0)
    packed, skipped = read(tmp_path / "x.h5")
    variant = {source.kind.variant: VARIANTS[dataset]} if dataset in VARIANTS else {}
    known = {}
    for part, arguments in source.kind.parts.items():
        theirs = getattr(datasets, dataset.split("/")[0])(tmp_path / "root", **arguments, **variant)
        rows = [theirs[number] for number in range(len(theirs))]
        assert source.count(names) >= len(rows)
        last = max(label for _, label in rows)
        images = [image.convert("RGB") for image, label in rows if label == last]
        fitted = [ImageOps.fit(image, (16, 16), Image.Resampling.BICUBIC) for image in images]
        known[part] = sorted(np.asarray(image).tobytes() for image in fitted)
    ours = {part: sorted(image.tobytes() for image in images) for part, images in packed.items()}
    if "validation" not in known:
        ours["train"] = sorted(ours["train"] + ours.pop("validation"))
    if "test" not in known:
        ours["train"] = sorted(ours["train"] + ours.pop("test"))
    assert skipped == [] and known["train"] and ours == known


def test_names_without_data_are_those_of_torchvisions_code():
    for name in ("FashionMNIST", "KMNIST", "MNIST", "QMNIST"):
        assert list(KINDS[name].classes) == safe_names(getattr(datasets, name).classes)
    for name, kind in KINDS.items():
        assert issubclass(getattr(datasets, name), datasets.VisionDataset)
        assert list(kind.classes) == safe_names(kind.classes)


def test_an_index_is_made_once_and_again_if_it_is_damaged(laid_out):
    source = laid_out("MNIST")
    assert find_classes(Images(source=source))[1] == [] and source.count(["3 - three"]) == 0
    fetch(source)
    (file,) = INDICES.glob("*.npz")
    written = file.stat().st_mtime_ns
    fetch(source)
    assert file.stat().st_mtime_ns == written and source.count(["3 - three"]) == 9
    assert "'0 - zero' (6)" in find_classes(Images(source=source))[1][0]
    file.write_bytes(b"half")
    assert source.index() is None
    fetch(source)
    assert source.count(["3 - three"]) == 9


def test_classes_that_are_unknown_without_data_can_be_listed_or_fetched(laid_out, tmp_path):
    source = Torchvision(dataset="Flowers102", root=tmp_path / "root")
    assert "run `wsl fetch` with this config first, or list images.classes" in find_classes(Images(source=source))[1][0]
    assert find_classes(Images(source=source, classes=["b", "a"])) == (["b", "a"], [])
    fetch(laid_out("Flowers102"))
    names, faults = find_classes(Images(source=source, classes=3, minimum=2))
    assert names == list(datasets.Flowers102.classes[:3]) and faults == []


class Bomb:
    def __reduce__(self):
        return open, ("exploded", "w")


@pytest.mark.parametrize("file", ["data_batch_1", "test_batch", "batches.meta"])
def test_a_pickle_with_another_checksum_is_never_read(laid_out, file, tmp_path, no_network):
    source = laid_out("CIFAR10")
    (tmp_path / "root" / "cifar-10-batches-py" / file).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(
        ConfigError, match=r"torchvision:CIFAR10 cannot be .*: Dataset .*not found or corrupted\.; download: no network"
    ):
        fetch(source)
    assert not (tmp_path / "exploded").exists()


def test_pickles_of_an_old_torchvision_are_refused(laid_out, tmp_path):
    source = laid_out("MNIST")
    (tmp_path / "root" / "MNIST" / "processed").mkdir()
    (tmp_path / "root" / "MNIST" / "processed" / "training.pt").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ConfigError, match="pickled; without checksums they are not read"):
        fetch(source)
    assert not (tmp_path / "exploded").exists()


def test_a_damaged_image_is_left_out(laid_out, tmp_path, read):
    source = laid_out("EuroSAT")
    (tmp_path / "root" / "eurosat" / "2750" / "Forest" / "Forest_3.jpg").write_bytes(b"broken")
    fetch(source)
    pack_class(tmp_path / "x.h5", "Forest", Packing(source=source, size=16, minimum=2), 0)
    assert [name.split()[:2] for name in read(tmp_path / "x.h5")[1]] == [["torchvision:EuroSAT", "train"]]


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """MNIST's archives on a server of this machine."""
    mnist(tmp_path / "made")
    (tmp_path / "served").mkdir()
    resources = []
    for file in sorted((tmp_path / "made" / "MNIST" / "raw").iterdir()):
        content = gzip.compress(file.read_bytes(), mtime=0)
        (tmp_path / "served" / f"{file.name}.gz").write_bytes(content)
        resources.append((f"{file.name}.gz", hashlib.md5(content).hexdigest()))

    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    monkeypatch.chdir(tmp_path)
    with Loopback(tmp_path / "served") as site:
        monkeypatch.setattr(datasets.MNIST, "mirrors", [f"{site.url}/"])
        yield site


def test_a_dataset_is_downloaded_once_and_appears_whole(mirror, tmp_path):
    source = Torchvision(dataset="MNIST")
    served = tmp_path / "served" / "t10k-labels-idx1-ubyte.gz"
    content = served.read_bytes()
    served.write_bytes(content[:-3])
    with pytest.raises(
        ConfigError,
        match=r"MNIST cannot be fetched or read .*File not found or corrupted.*`wsl fetch`.*copy data/torchvision/MNIST here.*http://127",
    ):
        fetch(source)
    assert list((tmp_path / "data" / "torchvision" / "MNIST").iterdir()) == [] and not list(INDICES.glob("*.npz"))
    served.write_bytes(content)
    fetch(source)
    assert (
        source.fetches() == "torchvision:MNIST is here: data/torchvision/MNIST" and source.count(source.names()) == 90
    )
    sent = mirror.sent.total()
    fetch(source)
    next(INDICES.glob("*.npz")).unlink()
    fetch(source)
    assert mirror.sent.total() == sent
    (tmp_path / "data" / "torchvision" / "MNIST" / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(ConfigError, match=r"not complete, or not as published .* move MNIST elsewhere"):
        fetch(source)
    assert mirror.sent.total() == sent


def test_a_run_is_planned_before_the_data_are_there():
    zoo = {"members": 40, "architecture": {"width": 2}}
    run = Run({"run": "x", "images": {"source": "torchvision:CIFAR10"}, "zoo": zoo})
    assert run.classes == list(KINDS["CIFAR10"].classes) and len(run.plan) == 40
