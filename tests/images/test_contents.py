"""Files of a class folder: each is read, or counted by its kind."""

import logging
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from wsl.errors import DataError
from wsl.images import contents as listing
from wsl.images.contents import FORMAT_OF, class_folders, contents, described, image_files
from wsl.images.folders import read_folder, read_image
from wsl.images.parts import LeftOut
from wsl.images.reading import summarise

RED = (200, 30, 40)
WRITABLE = sorted(suffix for suffix, name in FORMAT_OF.items() if name != "HEIF")


def kinds(folder):
    return {kind: [path.name for path in paths] for kind, paths in contents(folder).others.items()}


@pytest.mark.parametrize("suffix", [*WRITABLE, ".JPG", ".Jfif"])
def test_images_with_every_known_suffix_are_read(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    Image.new("RGB", (32, 32), RED).save(path, FORMAT_OF[suffix.lower()])
    assert contents(tmp_path).images == list(image_files(tmp_path)) == [path]
    assert np.abs(read_image(path, 16)[0].astype(int) - RED).max() <= 4


def test_heic_is_read_where_its_reader_is_installed(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    Image.new("RGB", (64, 64), RED).save(tmp_path / "x.heic", "HEIF", quality=95)
    shutil.copy(tmp_path / "x.heic", tmp_path / "renamed.jpg")
    for path in tmp_path.iterdir():
        assert np.abs(read_image(path, 16)[0].astype(int) - RED).max() <= 6


@pytest.fixture
def without_heif(monkeypatch):
    """As if pillow-heif were not installed."""
    formats = listing.FORMATS - {"HEIF"}
    monkeypatch.setattr(listing, "FORMATS", formats)
    monkeypatch.setattr(listing, "SUFFIXES", frozenset(key for key, name in FORMAT_OF.items() if name in formats))


def test_other_files_are_counted_by_kind_with_the_remedy(tmp_path, without_heif, caplog):
    for number in range(3):
        Image.new("L", (20, 20), 50 + number).save(tmp_path / f"{number}.jfif", "JPEG")
        (tmp_path / f"{number}.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(16))
    for name in ("notes.txt", ".secret.png", "Thumbs.db", ".DS_Store", "LICENSE"):
        (tmp_path / name).write_text("no image")
    (tmp_path / "more" / "and more").mkdir(parents=True)
    for place in ("more", "more/and more"):
        Image.new("L", (20, 20)).save(tmp_path / place / "x.jpg")
    (tmp_path / "bare").mkdir()
    assert kinds(tmp_path) == {
        ".heic": ["0.heic", "1.heic", "2.heic"],
        ".txt": ["notes.txt"],
        "hidden": [".secret.png"],
        "in nested folders": ["x.jpg", "x.jpg"],
        "nested folders without images": ["bare"],
        "of the system": [".DS_Store", "Thumbs.db"],
        "without suffix": ["LICENSE"],
    }
    left_out = LeftOut()
    assert len(read_folder(tmp_path, 16, left_out).files) == 3
    assert len(left_out.unread) == len(left_out.kinds) == 11
    (line,) = (record.message for record in caplog.records)
    assert line.startswith(
        f"{tmp_path}: 3 images are used; left out: 9 not recognised as images: 3 .heic (to read them: "
    )
    for part in (
        "pip install 'weight-space-learning[heif]')",
        "2 in nested folders",
        "1 .txt",
        "1 nested folders without images",
        "1 hidden",
        "1 without suffix",
    ):
        assert part in line
    assert "system" not in line and left_out.kinds.count("of the system") == 2


def test_files_of_operating_systems_are_counted_without_a_warning(tmp_path, caplog):
    Image.new("L", (20, 20)).save(tmp_path / "x.png")
    (tmp_path / ".DS_Store").touch()
    left_out = LeftOut()
    read_folder(tmp_path, 16, left_out)
    assert caplog.records == [] and described(left_out.kinds) == "1 of the system"


@pytest.mark.parametrize(
    ("encoding", "name"), [("PNG", "a1b2c3"), ("JPEG", "photo.0017"), ("WEBP", "x."), ("TIFF", "t")]
)
def test_files_without_a_suffix_are_read_if_they_begin_as_images(tmp_path, encoding, name):
    Image.new("RGB", (20, 20), RED).save(tmp_path / name, encoding)
    (tmp_path / "0018.0018").write_text("no image")
    assert [path.name for path in contents(tmp_path).images] == [name]
    assert kinds(tmp_path) == {"without suffix": ["0018.0018"]}
    assert np.abs(read_image(tmp_path / name, 16)[0].astype(int) - RED).max() <= 4


HEIC = b"\0\0\0\x18ftypheic" + bytes(40)


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"", "x.png", "an empty file"),
        (b"no image at all", "x.png", "not a PNG image, or damaged"),
        (b"<!DOCTYPE html><html>Not found</html>", "x.jpg", "it holds HTML and not an image"),
        (b"%PDF-1.7", "x.jpg", "it holds PDF and not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "x.png", "it holds SVG and not an image"),
        (HEIC, "x.jpg", r"a HEIF image \(to read them: pip install 'weight-space-learning\[heif\]'\)"),
    ],
)
def test_the_reason_why_a_file_cannot_be_read_is_reported(tmp_path, content, name, reason):
    (tmp_path / name).write_bytes(content)
    if content == HEIC and "HEIF" in listing.FORMATS:
        pytest.skip("pillow-heif is installed")
    with pytest.raises(ValueError, match=f"^{reason}$"):
        read_image(tmp_path / name, 16)


def test_links_and_pipes_that_lead_to_no_file_are_named_and_do_not_block(tmp_path, caplog):
    Image.new("L", (20, 20), 90).save(tmp_path / "good.png")
    (tmp_path / "dead.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe.jpg")
    left_out = LeftOut()
    assert len(read_folder(tmp_path, 16, left_out).files) == 1
    assert [name.rsplit("/", 1)[1] for name in left_out.skipped] == ["dead.png", "loop.jpg", "pipe.jpg"]
    assert "dead.png: a link that leads nowhere" in caplog.text and "pipe.jpg: not a regular file" in caplog.text
    assert left_out.kinds == ["without suffix"]


def test_a_link_to_an_image_and_to_a_class_folder_are_followed(tmp_path):
    (tmp_path / "store").mkdir()
    Image.new("L", (20, 20), 90).save(tmp_path / "store" / "x.png")
    (tmp_path / "classes").mkdir()
    (tmp_path / "classes" / "ant").symlink_to(tmp_path / "store")
    (tmp_path / "store" / "y.png").symlink_to(tmp_path / "store" / "x.png")
    assert class_folders(tmp_path / "classes") == ["ant"]
    assert [path.name for path in contents(tmp_path / "classes" / "ant").images] == ["x.png", "y.png"]


def test_the_guide_lists_every_suffix_that_is_read():
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "own-photographs.md").read_text(encoding="utf-8")
    table = guide.split("## Image files")[1].split("\n\n")[1]
    assert sorted(re.findall(r"`(\.\w+)`", table)) == sorted(FORMAT_OF)


def test_a_missing_folder_is_named(tmp_path):
    for read in (contents, class_folders, lambda folder: list(image_files(folder))):
        with pytest.raises(DataError, match=r"nowhere cannot be read \(No such file or directory\); correct the path"):
            read(tmp_path / "nowhere")


def test_few_kinds_are_named_and_others_counted():
    assert described([".a"] * 3 + [".b", ".c", ".d", ".e", ".f", ".g", ".h"]) == (
        "3 .a, 1 .b, 1 .c, 1 .d, 1 .e, 1 .f, 2 of other kinds"
    )
    assert described([]) == ""


def test_most_photos_of_a_class_in_unknown_formats_are_in_the_table_and_in_refusals(tree, pack, tmp_path, caplog):
    folder = tree / "train" / "koala"
    for number, path in enumerate(sorted(folder.iterdir())[:18]):
        path.rename(path.with_suffix((".raw", ".cr2")[number % 2]))
    with caplog.at_level(logging.WARNING):
        pack(validation_share=0.5, minimum=2)
    assert f"{folder}: 2 images are used; left out: 18 not recognised as images: 9 .cr2, 9 .raw" in caplog.text or (
        "9 .raw, 9 .cr2" in caplog.text
    )
    summarise([tmp_path / "koala.h5"], tmp_path / "classes.csv")
    (row,) = pd.read_csv(tmp_path / "classes.csv").to_dict("records")
    assert row["unread"] == 18 and sorted(row["kinds"].split(", ")) == ["9 .cr2", "9 .raw"]
    assert row["files"].count(".cr2") == 9
    with pytest.raises(
        DataError, match=r"not recognised as images: 9 \.\w+, 9 \.\w+\), fewer than images\.minimum = 10"
    ):
        pack(validation_share=0.5)
