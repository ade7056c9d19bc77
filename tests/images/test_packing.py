"""Packing: which part each image falls into, and what is refused."""

import h5py
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from wsl.errors import DataError
from wsl.images.packing import pack_class
from wsl.images.reading import summarise
from wsl.images.settings import Packing

SIZE = 16
PARTS = ("train", "validation", "test")


def shades(images):
    return images[:, 0, 0, 0].tolist()


def test_the_val_folder_is_the_test_part_and_all_other_images_are_split(pack, read):
    parts, skipped = read(pack())
    assert sorted(shades(parts["test"])) == [201, 202, 203, 204]
    assert len(parts["train"]) == 16 and len(parts["validation"]) == 4
    assert sorted(shades(parts["train"]) + shades(parts["validation"])) == list(range(0, 200, 10))
    assert skipped == []
    assert all(images.shape[1:] == (SIZE, SIZE, 3) and images.dtype == np.uint8 for images in parts.values())


@pytest.mark.parametrize("source", ["digits", {"name": "glyphs", "drawn": 20}], ids=str)
@pytest.mark.parametrize("size", [8, 224])
def test_sources_deliver_every_size(source, size, tmp_path):
    name = "3"
    pack_class(tmp_path / "3.h5", name, Packing(source=source, size=size), seed=0)
    with h5py.File(tmp_path / "3.h5") as file:
        assert all(file[part].shape[1:] == (size, size, 3) and len(file[part]) for part in PARTS)
        assert file["train"][...].std() > 20  # they show something


def test_the_split_depends_on_the_seed(pack, read):
    first = read(pack())[0]
    assert all(np.array_equal(first[part], read(pack())[0][part]) for part in PARTS)
    assert shades(first["validation"]) != shades(read(pack(seed=1))[0]["validation"])


def test_too_few_readable_images_are_refused(tree, pack):
    for shade in range(0, 60, 10):
        (tree / "train" / "koala" / f"{shade:03d}.png").write_bytes(b"broken")
    pack(minimum=14)
    (tree / "koala.h5").unlink()
    with pytest.raises(DataError, match=r"'koala'.*\(6 not readable\).*images\.minimum = 15"):
        pack(minimum=15)
    assert not (tree / "koala.h5").exists()


def test_no_readable_test_image_is_refused(tree, pack):
    for path in (tree / "val" / "koala").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(DataError, match=r"'koala'.*no readable image"):
        pack()


def test_digits_are_scikit_learns_each_once(packed, read):
    digits = load_digits()
    parts, skipped = read(packed["3"])
    count = int((digits.target == 3).sum())
    assert skipped == []
    assert {part: len(images) for part, images in parts.items()} == {
        "train": count - 2 * round(count * 0.2),
        "validation": round(count * 0.2),
        "test": round(count * 0.2),
    }
    everything = np.concatenate([parts[part] for part in PARTS])
    grey = np.round(digits.images[digits.target == 3] * 255 / 16).astype(np.uint8)
    expected = [np.asarray(Image.fromarray(g).convert("RGB").resize((16, 16), Image.BICUBIC)) for g in grey]
    assert sorted(e.tobytes() for e in expected) == sorted(image.tobytes() for image in everything)


def test_digits_split_is_repeatable(packed, tmp_path):
    pack_class(tmp_path / "3.h5", "3", Packing(size=SIZE), 0)
    assert (tmp_path / "3.h5").read_bytes() == packed["3"].read_bytes()


@pytest.mark.parametrize("shares", [(0.001, 0.2), (0.2, 0.001), (0.5, 0.4999)])
def test_a_part_without_digits_is_refused(tmp_path, shares):
    with pytest.raises(DataError, match="'3'"):
        source = {"name": "digits", "test_share": shares[1]}
        pack_class(tmp_path / "3.h5", "3", Packing(source=source, size=SIZE, validation_share=shares[0]), 0)


def test_summary_counts_images_and_skipped_files(tree, pack, tmp_path):
    folder = tree / "train" / "koala"
    (folder / "words.jpg").write_text("not an image")
    (folder / "twice.png").write_bytes((folder / "000.png").read_bytes())
    summarise([pack()], tmp_path / "classes.csv")
    header, row = (tmp_path / "classes.csv").read_text().splitlines()
    assert header == "class,train,validation,test,skipped,repeated,leaked,unread,shared,kinds,files"
    assert row.startswith("koala,16,4,4,1,1,0,0,0,,") and row.endswith(f"words.jpg;{folder}/twice.png")


@pytest.mark.data
def test_real_photos(photos, read, tmp_path):
    name = sorted(path.name for path in (photos / "train").iterdir() if path.is_dir())[0]
    source = {"name": "imagefolder", "train": photos / "train", "test": photos / "val"}
    pack_class(tmp_path / "x.h5", name, Packing(source=source, size=64), 0)
    parts, skipped = read(tmp_path / "x.h5")
    files = [path for path in (photos / "train" / name).rglob("*") if path.is_file()]
    assert len(parts["train"]) + len(parts["validation"]) + len(skipped) >= 0.9 * len(files) > 0
    assert all(images.std() > 20 for images in parts.values())
