"""Packing: what becomes of readable and unreadable images, and which part each falls into."""

import io

import h5py
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from wsl.errors import DataError
from wsl.images.packing import pack_digits, pack_folder
from wsl.images.reading import summarise

SIZE = 16
PARTS = ("train", "validation", "test")


@pytest.fixture
def tree(tmp_path):
    """A class `koala` of 20 flat grey training images, shade 10 * number, and 4 test images of shade 201 to 204."""
    for part, shades in (("train", range(0, 200, 10)), ("val", range(201, 205))):
        folder = tmp_path / part / "koala"
        folder.mkdir(parents=True)
        for shade in shades:
            Image.new("L", (24, 20), shade).save(folder / f"{shade:03d}.png")
    return tmp_path


def pack(tree, minimum=10, seed=0, share=0.2):
    out = tree / "koala.h5"
    pack_folder("koala", out, tree / "train", tree / "val", SIZE, share, minimum, seed)
    return out


def read(path):
    with h5py.File(path) as file:
        return {part: file[part][...] for part in PARTS}, list(file.attrs["skipped"])


def shades(images):
    return images[:, 0, 0, 0].tolist()


def one(tree, image, suffix=".png", **options):
    """Pack ``image`` as the only test image and return it as packed."""
    for path in (tree / "val" / "koala").iterdir():
        path.unlink()
    image.save(tree / "val" / "koala" / f"x{suffix}", **options)
    return read(pack(tree))[0]["test"][0]


def test_val_folder_is_the_test_part_and_the_rest_is_split_whole(tree):
    parts, skipped = read(pack(tree))
    assert sorted(shades(parts["test"])) == [201, 202, 203, 204]
    assert len(parts["train"]) == 16 and len(parts["validation"]) == 4
    assert sorted(shades(parts["train"]) + shades(parts["validation"])) == list(range(0, 200, 10))
    assert skipped == []
    assert all(images.shape[1:] == (SIZE, SIZE, 3) and images.dtype == np.uint8 for images in parts.values())


def test_the_split_is_the_seeds(tree):
    first = read(pack(tree))[0]
    assert all(np.array_equal(first[part], read(pack(tree))[0][part]) for part in PARTS)
    assert shades(first["validation"]) != shades(read(pack(tree, seed=1))[0]["validation"])


def test_unreadable_images_are_skipped_and_named(tree, caplog):
    folder = tree / "train" / "koala"
    jpeg = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(jpeg, "JPEG")
    (folder / "cut.jpg").write_bytes(jpeg.getvalue()[: len(jpeg.getvalue()) // 2])
    (folder / "empty.png").touch()
    (folder / "words.jpg").write_text("not an image")
    (folder / "notes.txt").write_text("not even by its name")
    parts, skipped = read(pack(tree))
    assert [name.rsplit("/", 1)[1] for name in skipped] == ["cut.jpg", "empty.png", "words.jpg"]
    assert len(parts["train"]) + len(parts["validation"]) == 20
    assert all(name in caplog.text for name in ("cut.jpg", "empty.png", "words.jpg"))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("encoding", ["JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP"])
def test_no_damage_stops_the_packing(tree, encoding):
    buffer = io.BytesIO()
    Image.effect_noise((40, 40), 50).convert("RGB").save(buffer, encoding)
    rng, whole = np.random.default_rng(0), buffer.getvalue()
    for number in range(60):
        broken = bytearray(whole[: rng.integers(len(whole))] if number % 2 else whole)
        for place in rng.integers(min(200, max(len(broken), 1)), size=4 * bool(broken)):
            broken[place % len(broken)] = rng.integers(256)
        (tree / "train" / "koala" / f"broken{number}.{encoding.lower()}").write_bytes(broken)
    parts, skipped = read(pack(tree))
    assert len(parts["train"]) + len(parts["validation"]) + len(skipped) == 80
    assert skipped


def test_too_few_readable_images_are_refused(tree):
    for shade in range(0, 60, 10):
        (tree / "train" / "koala" / f"{shade:03d}.png").write_bytes(b"broken")
    pack(tree, minimum=14)
    (tree / "koala.h5").unlink()
    with pytest.raises(DataError, match=r"'koala'.*6 skipped.*images\.minimum = 15"):
        pack(tree, minimum=15)
    assert not (tree / "koala.h5").exists()


def test_no_readable_test_image_is_refused(tree):
    for path in (tree / "val" / "koala").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(DataError, match=r"'koala'.*no readable image"):
        pack(tree)


RED = (200, 30, 40)


@pytest.mark.parametrize(
    ("image", "suffix", "expected"),
    [
        (Image.new("L", (30, 30), 90), ".png", (90, 90, 90)),
        (Image.new("RGB", (30, 30), RED), ".bmp", RED),
        (Image.new("RGB", (30, 30), RED).convert("CMYK"), ".jpg", RED),
        (Image.new("RGBA", (30, 30), (*RED, 128)), ".png", RED),
        (Image.new("RGB", (30, 30), RED).quantize(4), ".png", RED),
        (Image.new("1", (30, 30), 1), ".png", (255, 255, 255)),
        (Image.fromarray(np.full((30, 30), 100 * 257, np.uint16)), ".png", (100, 100, 100)),
        (Image.fromarray(np.full((30, 30), 100 * 257, np.uint16)), ".tif", (100, 100, 100)),
    ],
    ids=["grey", "rgb", "cmyk jpeg", "rgba", "palette", "one bit", "16-bit png", "16-bit tiff"],
)
def test_every_mode_becomes_rgb(tree, image, suffix, expected):
    packed = one(tree, image, suffix).reshape(-1, 3).astype(int)
    assert np.abs(packed - expected).max() <= 3  # JPEG and palettes round


def test_exif_rotation_is_undone(tree):
    upright = Image.new("L", (32, 32), 0)
    upright.paste(255, (0, 0, 32, 16))  # bright above, dark below
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees clockwise to show"
    packed = one(tree, upright.rotate(90), exif=exif)
    assert packed[:6].min() > 240 and packed[10:].max() < 15


def test_images_are_cropped_at_their_centre(tree):
    wide = Image.new("L", (96, 32), 0)
    wide.paste(255, (32, 0, 64, 32))  # the middle third is bright
    packed = one(tree, wide)
    assert packed[:, 3:-3].min() > 240


def test_digits_are_scikit_learns_each_once(packed):
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
    pack_digits("3", tmp_path / "3.h5", SIZE, 0.2, 0.2, 10, 0)
    assert (tmp_path / "3.h5").read_bytes() == packed["3"].read_bytes()


@pytest.mark.parametrize("shares", [(0.001, 0.2), (0.2, 0.001), (0.5, 0.4999)])
def test_a_part_without_digits_is_refused(tmp_path, shares):
    with pytest.raises(DataError, match="'3'"):
        pack_digits("3", tmp_path / "3.h5", SIZE, *shares, 10, 0)


def test_summary_counts_images_and_skipped_files(tree, tmp_path):
    (tree / "train" / "koala" / "words.jpg").write_text("not an image")
    summarise([pack(tree)], tmp_path / "classes.csv")
    header, row = (tmp_path / "classes.csv").read_text().splitlines()
    assert header == "class,train,validation,test,skipped,files"
    assert row.startswith("koala,16,4,4,1,") and row.endswith("words.jpg")


@pytest.mark.data
def test_real_photos(photos, tmp_path):
    name = sorted(path.name for path in (photos / "train").iterdir() if path.is_dir())[0]
    pack_folder(name, tmp_path / "x.h5", photos / "train", photos / "val", 64, 0.2, 10, 0)
    parts, skipped = read(tmp_path / "x.h5")
    files = [path for path in (photos / "train" / name).rglob("*") if path.is_file()]
    assert len(parts["train"]) + len(parts["validation"]) + len(skipped) >= 0.9 * len(files) > 0
    assert all(images.std() > 20 for images in parts.values())
