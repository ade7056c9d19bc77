"""Several image sources form one zoo: names, choices, packing, and tasks within or across them."""

from collections import Counter
from math import comb

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from wsl.config.schema import load_config
from wsl.errors import ConfigError
from wsl.images.classes import find_classes
from wsl.images.packing import pack_class
from wsl.images.reading import summarise
from wsl.images.settings import Images
from wsl.runs.run import Run
from wsl.settings.sections import plain

SOURCES = ["digits", {"name": "glyphs", "drawn": 20}]
SMALL = {"members": 60, "architecture": {"width": 2}}


def plan_of(**zoo):
    images = {"sources": SOURCES, "classes": [f"digits.{d}" for d in range(8)] + [f"glyphs.{d}" for d in range(1, 7)]}
    return Run({"run": "x", "images": images, "zoo": {**SMALL, **zoo}}).plan


def source_of(name):
    return name.split(".")[0]


def test_names_hold_the_label_and_choices_are_divided_among_the_sources():
    names, faults = find_classes(Images(sources=SOURCES))
    assert faults == [] and names[:2] == ["digits.0", "digits.1"] and names[10] == "glyphs.A" and len(names) == 99
    assert find_classes(Images(sources=SOURCES, classes=11))[0][-1] == "glyphs.A"
    assert find_classes(Images(sources={"a": "digits", "b": "digits"}, classes=["b.3", "a.3"])) == (["b.3", "a.3"], [])
    faults = find_classes(Images(sources=SOURCES, classes=["digits.1", "glyphs.A", "digits.x", "3"]))[1]
    assert "no class '3' in the sources" in faults[0] and "no class 'x' in the digits" in faults[1]


def test_the_short_form_and_the_long_form_are_one_config():
    short = load_config({"run": "x", "images": {"sources": SOURCES}}).images
    long = {"name": "several", "of": {"digits": "digits", "glyphs": {"name": "glyphs", "drawn": 20}}}
    assert short.source == Images(source=long).source and Images.model_validate(plain(short)).source == short.source


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (["digits"], r"images\.sources: give a list of two or more sources"),
        (["digits", "digits"], r"images\.sources: two sources have the label 'digits'; give a mapping"),
        (["digits", "mnits"], r"images\.sources\.1: unknown image source 'mnits'"),
        ({"a": "digits", "b": {"name": "glyphs", "drwn": 3}}, r"images\.sources\.b\.drwn: unknown key"),
        ({"a/b": "digits", "c": "glyphs"}, r"the label 'a/b' has other characters"),
        (["digits", "none"], "the source none cannot be one of several"),
    ],
)
def test_unusable_lists_are_refused(sources, message):
    with pytest.raises(ConfigError, match=message):
        load_config({"run": "x", "images": {"sources": sources}})


def test_source_and_sources_together_are_refused():
    with pytest.raises(ConfigError, match="give `source` or `sources`, not both"):
        load_config({"run": "x", "images": {"source": "digits", "sources": SOURCES}})


def test_classes_are_packed_as_their_source_packs_them(tmp_path):
    images = Images(sources={"a": {"name": "digits", "test_share": 0.4}, "b": "glyphs"}, size=16)
    pack_class(tmp_path / "a.h5", "a.3", images, 0)
    pack_class(tmp_path / "alone.h5", "3", Images(source={"name": "digits", "test_share": 0.4}, size=16), 0)
    with h5py.File(tmp_path / "a.h5") as ours, h5py.File(tmp_path / "alone.h5") as alone:
        assert ours.attrs["class"] == "a.3" and len(ours["test"]) == len(alone["test"]) == 73
        together = [
            np.concatenate([file[part][...] for part in ("train", "validation", "test")]) for file in (ours, alone)
        ]
        assert sorted(image.tobytes() for image in together[0]) == sorted(image.tobytes() for image in together[1])


def test_images_that_two_sources_share_are_reported(tmp_path, caplog):
    for name in ("one", "two"):
        for part, count in (("train", 12), ("test", 3)):
            (tmp_path / name / part / "cat").mkdir(parents=True)
            for number in range(count):
                shade = 10 * number + (0 if number == 5 else {"one": 1, "two": 2}[name]) + 130 * (part == "test")
                Image.new("L", (8, 8), shade).save(tmp_path / name / part / "cat" / f"{number}.png")
    folders = {
        name: {"name": "imagefolder", "train": tmp_path / name / "train", "test": tmp_path / name / "test"}
        for name in ("one", "two")
    }
    images = Images(sources=folders, size=8)
    names, _ = find_classes(images)
    for name in names:
        pack_class(tmp_path / f"{name}.h5", name, images, 0)
    summarise([tmp_path / f"{name}.h5" for name in names], tmp_path / "classes.csv")
    assert names == ["one.cat", "two.cat"] and pd.read_csv(tmp_path / "classes.csv")["shared"].tolist() == [1, 1]
    assert "of one.cat" in caplog.text and "of two.cat" in caplog.text


def test_tasks_within_have_one_source_and_each_source_its_share():
    tasks = [row["classes"] for row in plan_of()]
    sources = [{source_of(name) for name in task} for task in tasks]
    assert all(len(one) == 1 for one in sources)
    counts = Counter(min(one) for one in sources)
    assert min(counts.values()) > 10  # of 60, although 8 digits make 56 tasks and 6 glyphs only 20
    sets = {}
    for row in plan_of(members=76):
        sets.setdefault(frozenset(row["classes"]), set()).add(row["part"])
    assert all(len(parts) == 1 for parts in sets.values()) and len(sets) <= comb(8, 3) + comb(6, 3)


def test_tasks_across_mix_sources():
    sources = [len({source_of(name) for name in row["classes"]}) for row in plan_of(tasks="across")]
    assert {1, 2} == set(sources)


def test_unseen_tasks_are_within_a_source_too():
    zoo = {"unseen": {"classes": ["digits.0", "digits.1", "digits.2", "glyphs.1"], "members": 3}}
    rows = [row for row in plan_of(**zoo) if row["part"] == "unseen"]
    assert [set(row["classes"]) for row in rows] == [{"digits.0", "digits.1", "digits.2"}] * 3
    with pytest.raises(ConfigError, match=r"zoo\.unseen\.classes: no source has 3 unseen classes"):
        plan_of(unseen={"classes": ["digits.0", "digits.1", "glyphs.1"], "members": 3})


def test_a_source_with_too_few_classes_for_a_task_is_refused():
    images = {"sources": SOURCES, "classes": [*(f"digits.{d}" for d in range(8)), "glyphs.1", "glyphs.2"]}
    with pytest.raises(ConfigError, match=r"zoo\.tasks: .* 3 classes, but fewer are left for tasks of glyphs \(2\)"):
        Run({"run": "x", "images": images, "zoo": SMALL})
    assert Run({"run": "x", "images": images, "zoo": {**SMALL, "tasks": "across"}}).plan


def test_prompts_have_the_name_of_the_class_alone():
    datasets = {"model": "ViT-B-32-quickgelu", "weights": "openai", "prompts": ["a {}"]}
    run = Run({"run": "x", "images": {"sources": SOURCES}, "zoo": SMALL, "datasets": datasets})
    assert run.prompts("glyphs.small-a") == ["a small-a"] and run.prompts("digits.3") == ["a 3"]
