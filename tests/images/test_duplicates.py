"""Duplicate images: dropped within a class, and reported if classes share them."""

import logging
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from wsl.errors import DataError
from wsl.images.reading import summarise


def shades(images):
    return sorted(images[:, 0, 0, 0].tolist())


def copy(tree, source, *names):
    for name in names:
        shutil.copy(tree / source, tree / name)


def test_an_image_counts_once_in_its_folder(tree, pack, read, left_out):
    copy(tree, "train/koala/050.png", "train/koala/also.png", "train/koala/0.png")
    copy(tree, "val/koala/203.png", "val/koala/more.png")
    Image.open(tree / "train/koala/050.png").save(tree / "train/koala/lossless.bmp")  # other bytes, the same image
    parts, _ = read(pack())
    assert shades(np.concatenate([parts["train"], parts["validation"]])) == list(range(0, 200, 10))
    assert shades(parts["test"]) == [201, 202, 203, 204]
    # The first by name stays.
    assert left_out(pack())["repeated"] == ["more.png", "050.png", "also.png", "lossless.bmp"]


def test_no_test_image_is_trained_on(tree, pack, read, left_out, caplog):
    copy(tree, "val/koala/202.png", "train/koala/leak.png")
    copy(tree, "train/koala/070.png", "val/koala/leak.png")
    parts, _ = read(pack())
    learnt = shades(np.concatenate([parts["train"], parts["validation"]]))
    assert learnt == [shade for shade in range(0, 200, 10) if shade != 70]
    assert shades(parts["test"]) == [70, 201, 202, 203, 204]
    assert left_out(pack())["leaked"] == ["070.png", "leak.png"]
    assert f"{tree}/train/koala: 19 images are used; left out: 2 with a test image (070.png, leak.png)" in caplog.text


def test_images_that_are_left_out_do_not_count_for_the_minimum(tree, pack):
    for shade in range(0, 100, 10):
        copy(tree, "val/koala/201.png", f"train/koala/{shade:03d}.png")
    with pytest.raises(DataError, match=r"\(10 with a test image\), fewer than images\.minimum = 11"):
        pack(minimum=11)


def test_files_and_digests_are_those_of_the_images(tree, pack):
    with h5py.File(pack()) as file:
        for part, folder in (("train", "train"), ("validation", "train"), ("test", "val")):
            for image, name in zip(file[part], file[f"files/{part}"].asstr(), strict=True):
                assert name == str(tree / folder / "koala" / f"{image[0, 0, 0]:03d}.png")
            assert len(set(file[f"digests/{part}"])) == len(file[part])


def test_an_image_of_two_classes_is_kept_counted_and_named(tree, pack, tmp_path, caplog):
    shutil.copytree(tree / "train" / "koala", tree / "train" / "bear")
    shutil.copytree(tree / "val" / "koala", tree / "val" / "bear")
    for part in ("train", "val"):
        for path in (tree / part / "bear").iterdir():
            shade = Image.open(path).getpixel((0, 0))
            if shade not in (30, 204):
                Image.new("RGB", (24, 20), (shade, 0, 255)).save(path)
    copy(tree, "train/koala/120.png", "val/bear/leak.png")  # tests of one class, lessons of the other
    files = [pack(name) for name in ("bear", "koala")]
    with caplog.at_level(logging.WARNING):
        summarise(files, tmp_path / "classes.csv")
    table = pd.read_csv(tmp_path / "classes.csv").set_index("class")
    assert table["shared"].to_dict() == {"bear": 3, "koala": 3}
    assert table["leaked"].to_dict() == {"bear": 0, "koala": 0}
    warnings = [record.message for record in caplog.records if "classes share an image" in record.message]
    assert len(warnings) == 3
    for name in ("train/bear/030.png", "train/koala/030.png", "val/bear/204.png", "val/koala/204.png"):
        assert sum(f"{name} (" in line for line in warnings) == 1
    (leak,) = (line for line in warnings if "leak.png" in line)
    assert "val/bear/leak.png (test of bear)" in leak and "train/koala/120.png (" in leak
