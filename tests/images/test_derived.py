"""Derived sources: changes of a 2x2 image by hand, parts that copies share, and choices of classes."""

import h5py
import numpy as np
import pytest

from wsl.config.schema import load_config
from wsl.errors import ConfigError
from wsl.images import transforms
from wsl.images.classes import find_classes
from wsl.images.packing import pack_class
from wsl.images.settings import Images, Packing
from wsl.runs.run import Run
from wsl.settings.sections import plain

RED, GREEN, GREY, WHITE = (255, 0, 0), (0, 255, 0), (51, 51, 51), (255, 255, 255)
IMAGE = np.array([[[RED, GREEN], [GREY, WHITE]]], dtype=np.uint8)  # one image of 2x2 pixels


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["invert"], [[(0, 255, 255), (255, 0, 255)], [(204, 204, 204), (0, 0, 0)]]),
        (["rotate"], [[GREEN, WHITE], [RED, GREY]]),  # the right column becomes the upper row
        (["rotate", "rotate"], [[WHITE, GREY], [GREEN, RED]]),
        # Black becomes (10, 200, 0), white (110, 0, 255): a level v of 255 becomes 10 + 100 v / 255, and so on.
        (["recolour:#0AC800-#6E00FF"], [[(110, 200, 0), (10, 0, 0)], [(30, 160, 51), (110, 0, 255)]]),
        ([], IMAGE[0]),
    ],
)
def test_changes_by_hand(names, expected):
    found = transforms.apply(names, IMAGE, seed=0)
    assert found.dtype == np.uint8 and np.array_equal(found, [expected])


def test_random_colours_are_those_of_the_seed_and_keep_apart_what_differs():
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None, None], 3, axis=3)
    for seed in range(20):
        found = transforms.recolour(greys, "", seed)[0, :, 0].astype(int)
        assert np.array_equal(found, transforms.recolour(greys, "", seed)[0, :, 0])
        assert (abs(found[-1] - found[0]) >= transforms.APART - 1).all()
        assert (abs(np.diff(found, axis=0)) <= 1).all()  # a straight line from one colour to the other
    assert not np.array_equal(transforms.recolour(greys, "", 0), transforms.recolour(greys, "", 1))


SOURCES = [
    {"source": "digits", "transform": "invert"},
    "digits",
    {"source": "digits", "transform": ["rotate", "invert"]},
]


def packed(images, name, folder, seed=0):
    pack_class(folder / f"{name}.h5", name, images, seed)
    with h5py.File(folder / f"{name}.h5") as file:
        keys = ("train", "validation", "test")
        parts = {key: file[key][...] for key in keys}
        return parts, {key: list(file[f"files/{key}"].asstr()) for key in keys}, file["digests/train"][...]


def test_copies_have_the_images_and_the_parts_of_their_original(tmp_path):
    images = Images(sources=SOURCES, size=16)
    assert list(images.source.of) == ["digits-invert", "digits", "digits-rotate-invert"]
    original, origins, digests = packed(images, "digits.3", tmp_path)
    for label, change in (
        ("digits-invert", lambda whole: 255 - whole),
        ("digits-rotate-invert", lambda whole: 255 - np.rot90(whole, axes=(1, 2))),
    ):
        copy, own, others = packed(images, f"{label}.3", tmp_path)
        assert own == origins and not set(others) & set(digests)
        assert all(np.array_equal(copy[part], change(original[part])) for part in original)
    # The original is packed as without its copies.
    alone = packed(Images(sources={"digits": "digits", "b": "glyphs"}, size=16), "digits.3", tmp_path)[0]
    assert all(np.array_equal(alone[part], original[part]) for part in alone)
    single = Packing(source={"name": "derived", "source": "digits", "transform": "invert"}, size=16)
    plainly = Packing(source="digits", size=16)
    ours, theirs = (packed(packing, "3", tmp_path)[0] for packing in (single, plainly))
    assert all(np.array_equal(ours[part], 255 - theirs[part]) for part in ours)


def test_copies_without_their_original_share_parts_too(tmp_path):
    images = Images(sources={"a": SOURCES[0], "b": {"source": "digits", "transform": "rotate"}}, size=16)
    assert packed(images, "a.3", tmp_path)[1] == packed(images, "b.3", tmp_path)[1]


def test_classes_of_a_source_are_a_source():
    letters = {"source": "glyphs", "classes": ["B", "A", "small-d"]}
    images = Images(sources={"letters": letters, "two": {"source": "digits", "classes": 2}})
    assert find_classes(images) == (["letters.B", "letters.A", "letters.small-d", "two.0", "two.1"], [])
    wrong = Images(sources={"letters": {**letters, "classes": ["A", "a-b"]}, "d": "digits"})
    assert "'a-b'" in find_classes(wrong)[1][0]
    other = find_classes(Images(sources={"letters": letters, "d": "digits"}, classes=["letters.A", "letters.Z"]))[1]
    assert len(other) == 1 and "'Z' is not in `classes` of the derived source" in other[0]


def test_a_limit_takes_images_to_learn_from_in_equal_shares_and_no_test_images(tmp_path):
    few = {"source": "digits", "most": 21}
    sources = {"few": few, "turned": {**few, "transform": "rotate"}, "all": "digits", "many": {**few, "most": 1000}}
    images = Images(sources=sources, size=16)
    whole, limited = (packed(images, f"{label}.3", tmp_path) for label in ("all", "few"))
    # 183 threes: 37 to validate on, 37 to test on and 109 to train on.
    assert {part: len(values) for part, values in whole[0].items()} == {"train": 109, "validation": 37, "test": 37}
    assert {part: len(values) for part, values in limited[0].items()} == {"train": 16, "validation": 5, "test": 37}
    assert all({*limited[1][part]} <= {*whole[1][part]} for part in whole[1]) and limited[1]["test"] == whole[1]["test"]
    assert limited[1]["train"] != whole[1]["train"][:16]  # drawn, and not the first
    assert packed(images, "turned.3", tmp_path)[1] == limited[1] != packed(images, "few.3", tmp_path, seed=1)[1]
    assert packed(images, "many.3", tmp_path)[1] == whole[1]
    fault = "images.minimum: 22 is more than `most` of a derived source, 21; change one"
    assert find_classes(images.model_copy(update={"minimum": 22}))[1] == [fault, fault]


def test_a_config_with_derived_sources_survives_being_written():
    config = load_config({"run": "x", "images": {"sources": SOURCES}}).images
    assert Images.model_validate(plain(config)).source == config.source
    names = {kind.__name__ for kind in config.source_types}
    assert names == {"Several", "Derived", "Digits"}
    run = Run({"run": "x", "images": {"sources": SOURCES}, "zoo": {"tasks": "whole", "classes_per_task": 10}})
    assert {row["dataset"] for row in run.plan} == set(config.source.of)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"source": "digits"}, "needs `transform`, `classes` or `most`"),
        ({"source": "digits", "transform": "flip"}, "'flip' is not known; there are invert, rotate, recolour"),
        ({"source": "digits", "transform": "recolour:navy"}, "does not name two colours"),
        ({"source": "digits", "transform": "recolour:navy-nay"}, "unknown color"),
        ({"source": "digits", "transform": "recolour:black-red"}, "makes a channel constant"),
        ({"source": "none", "transform": "invert"}, "none cannot be changed"),
        ({"source": {"name": "glyphs", "drwn": 3}, "transform": "invert"}, "unknown key"),
    ],
)
def test_unusable_derived_sources_are_refused(source, message):
    with pytest.raises(ConfigError, match=rf"(?s)images\.sources.*{message}"):
        load_config({"run": "x", "images": {"sources": {"a": source, "b": "digits"}}})
