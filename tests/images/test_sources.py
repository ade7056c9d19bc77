"""Image sources: what packing does for any of them, and a source from a plug-in."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from wsl.config.reference import reference
from wsl.errors import DataError
from wsl.images.packing import pack_class, pack_classes
from wsl.images.parts import LeftOut, collect
from wsl.images.reading import summarise
from wsl.images.settings import Packing
from wsl.images.sources.base import SOURCES, ImageSource
from wsl.jobs.job import Job
from wsl.runs.disk import disk_needs
from wsl.runs.run import Run
from wsl.settings.registry import plugin_module

TOY = Path(__file__).parents[1] / "plugins" / "toy_source.py"


@pytest.fixture
def registry(monkeypatch):
    """The registry of sources; it is restored afterwards, and the plug-in can be loaded again."""
    list(SOURCES)
    monkeypatch.setattr(SOURCES, "_entries", dict(SOURCES._entries))
    yield SOURCES
    sys.modules.pop(plugin_module(TOY), None)


@pytest.fixture
def run(registry):
    images = {"source": {"name": "stripes", "drawn": 30}, "size": 16, "classes_per_job": 8}
    zoo = {"members": 20, "architecture": {"width": 2}}
    return Run({"run": "toy", "plugins": [str(TOY)], "images": images, "zoo": zoo})


@pytest.fixture
def source(registry):
    """Makes a source of one class from its parts: ``source({"train": [...]})``."""

    def make(parts):
        @registry.register("parts")
        class Parts(ImageSource):
            title = "the parts"

            def names(self):
                return ["a"]

            def images(self, name, packing, seed):
                return parts

        return Packing(source=Parts(), size=8, minimum=2)

    return make


@pytest.mark.parametrize("registry", ["wsl.images.sources.base.SOURCES", "wsl.datasets.encoders.base.DATASET_ENCODERS"])
def test_entries_import_nothing_that_slows_each_start(registry):
    module, name = registry.rsplit(".", 1)
    slow = {"torch", "torchvision", "open_clip", "timm", "sklearn", "matplotlib"}
    code = f"import sys; from {module} import {name}; list({name}); print(sorted({slow} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def greys(*shades):
    return [np.full((12, 10), shade, dtype=np.uint8) for shade in shades]


def shades(images):
    return sorted(images[:, 0, 0, 0].tolist())


def test_a_plug_in_is_found_packed_split_and_described(run, tmp_path, read):
    assert run.config.images.source.name == "stripes" and run.classes == [f"stripes-{number}" for number in range(8)]
    assert {name for row in run.plan for name in row["classes"]} <= set(run.classes)
    assert disk_needs(run)["images"] == 8 * 30 * 16 * 16 * 3
    files = [tmp_path / f"{name}.h5" for name in run.classes]
    pack_classes(files, run.classes, run.config.images, job=Job(seed=run.config.seed))
    parts, skipped = read(files[3])
    assert {part: images.shape for part, images in parts.items()} == {
        "train": (18, 16, 16, 3),
        "validation": (6, 16, 16, 3),
        "test": (6, 16, 16, 3),
    }
    assert skipped == [] and len({image.tobytes() for images in parts.values() for image in images}) == 30
    summarise(files, tmp_path / "classes.csv")
    assert pd.read_csv(tmp_path / "classes.csv")["class"].tolist() == run.classes
    assert "Coloured stripes at eight angles" in reference()


def test_packing_depends_on_the_seed_alone(run, tmp_path, read):
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        pack_class(tmp_path / f"{name}.h5", "stripes-0", run.config.images, seed)
    one, two, other = (read(tmp_path / f"{name}.h5")[0]["train"] for name in ("one", "two", "other"))
    assert np.array_equal(one, two) and not np.array_equal(one, other)


def test_images_of_any_kind_are_scaled_and_repeated_ones_count_once(tmp_path, source, read, left_out):
    images = [*greys(10, 20, 30, 10), Image.new("RGBA", (9, 30), (40, 40, 40, 255)), ("its origin/5", *greys(20))]
    pack_class(tmp_path / "a.h5", "a", source({"train": iter(images), "test": greys(30, 99)}), 0)
    parts, _ = read(tmp_path / "a.h5")
    assert shades(np.concatenate([parts["train"], parts["validation"]])) == [10, 20, 40]
    assert shades(parts["test"]) == [30, 99] and parts["test"].shape == (2, 8, 8, 3)


def test_images_left_out_are_named_by_their_origin():
    left_out = LeftOut()
    part = collect([*greys(1, 2), ("again", *greys(1))], 8, "a, train", left_out)
    assert part.files == ["a, train, 0", "a, train, 1"] and left_out.repeated == ["again"]
    collect(greys(2, 3), 8, "a, train", left_out, excluded=part.digests.tolist())
    assert left_out.leaked == ["a, train, 0"]


def test_parts_of_the_source_stay_as_they_are(tmp_path, source, read):
    parts = {"train": greys(1, 2, 3), "validation": greys(3, 4), "test": greys(5, 6)}
    pack_class(tmp_path / "a.h5", "a", source(parts), 0)
    packed = {part: shades(images) for part, images in read(tmp_path / "a.h5")[0].items()}
    assert packed == {"train": [1, 2, 3], "validation": [4], "test": [5, 6]}


def test_a_part_without_images_is_refused(tmp_path, source):
    with pytest.raises(DataError, match="class 'a': no test image; final evaluations need some"):
        pack_class(tmp_path / "a.h5", "a", source({"train": greys(1, 2, 3), "test": []}), 0)
