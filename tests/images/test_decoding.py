"""Decoding: what becomes of readable and unreadable image files."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def one(tree, pack, read):
    """Pack an image as the only test image and return it as packed."""

    def run(image, suffix=".png", **options):
        for path in (tree / "val" / "koala").iterdir():
            path.unlink()
        image.save(tree / "val" / "koala" / f"x{suffix}", **options)
        return read(pack())[0]["test"][0]

    return run


def test_unreadable_images_are_skipped_and_named(tree, pack, read, caplog):
    folder = tree / "train" / "koala"
    jpeg = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(jpeg, "JPEG")
    (folder / "cut.jpg").write_bytes(jpeg.getvalue()[: len(jpeg.getvalue()) // 2])
    (folder / "empty.png").touch()
    (folder / "words.jpg").write_text("not an image")
    (folder / "notes.txt").write_text("not even by its name")
    parts, skipped = read(pack())
    assert [name.rsplit("/", 1)[1] for name in skipped] == ["cut.jpg", "empty.png", "words.jpg"]
    assert len(parts["train"]) + len(parts["validation"]) == 20
    assert all(name in caplog.text for name in ("cut.jpg", "empty.png", "words.jpg"))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("encoding", ["JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP"])
def test_damaged_files_do_not_stop_the_packing(tree, pack, read, left_out, encoding):
    buffer = io.BytesIO()
    Image.effect_noise((40, 40), 50).convert("RGB").save(buffer, encoding)
    rng, whole = np.random.default_rng(0), buffer.getvalue()
    for number in range(60):
        broken = bytearray(whole[: rng.integers(len(whole))] if number % 2 else whole)
        for place in rng.integers(min(200, max(len(broken), 1)), size=4 * bool(broken)):
            broken[place % len(broken)] = rng.integers(256)
        (tree / "train" / "koala" / f"broken{number}.{encoding.lower()}").write_bytes(broken)
    parts, skipped = read(pack())
    assert len(parts["train"]) + len(parts["validation"]) + sum(map(len, left_out(pack()).values())) == 80
    assert skipped


RED = (200, 30, 40)


@pytest.mark.parametrize(
    ("image", "suffix", "expected"),
    [
        (Image.new("L", (30, 30), 90), ".png", (90, 90, 90)),
        (Image.new("RGB", (30, 30), RED), ".bmp", RED),
        (Image.new("RGB", (30, 30), RED).convert("CMYK"), ".jpg", RED),
        (Image.new("RGB", (30, 30), RED).quantize(4), ".png", RED),
        (Image.new("1", (30, 30), 1), ".png", (255, 255, 255)),
        (Image.fromarray(np.full((30, 30), 100 * 257, np.uint16)), ".png", (100, 100, 100)),
        (Image.fromarray(np.full((30, 30), 100 * 257, np.uint16)), ".tif", (100, 100, 100)),
    ],
    ids=["grey", "rgb", "cmyk jpeg", "palette", "one bit", "16-bit png", "16-bit tiff"],
)
def test_every_mode_becomes_rgb(one, image, suffix, expected):
    packed = one(image, suffix).reshape(-1, 3).astype(int)
    assert np.abs(packed - expected).max() <= 3  # JPEG and palettes round


def test_exif_rotation_is_undone(one):
    upright = Image.new("L", (32, 32), 0)
    upright.paste(255, (0, 0, 32, 16))  # bright above, dark below
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees clockwise to show"
    packed = one(upright.rotate(90), exif=exif)
    assert packed[:6].min() > 240 and packed[10:].max() < 15


def test_images_are_cropped_at_their_centre(one):
    wide = Image.new("L", (96, 32), 0)
    wide.paste(255, (32, 0, 64, 32))  # the middle third is bright
    packed = one(wide)
    assert packed[:, 3:-3].min() > 240


def png_header(width, height):
    """A PNG that consists of a header with this number of pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def test_an_image_too_large_to_decode_is_skipped_and_named(tree, pack, read):
    (tree / "train" / "koala" / "bomb.png").write_bytes(png_header(20_000, 20_000))
    jpeg = io.BytesIO()
    Image.new("L", (8, 8)).save(jpeg, "JPEG")
    size = jpeg.getvalue().index(b"\xff\xc0") + 5  # where a JPEG's frame header holds height and width
    content = bytearray(jpeg.getvalue())
    content[size : size + 4] = struct.pack(">HH", 20_000, 20_000)
    (tree / "train" / "koala" / "bomb.jpg").write_bytes(content)
    parts, skipped = read(pack())
    assert [name.rsplit("/", 1)[1] for name in skipped] == ["bomb.jpg", "bomb.png"]
    assert len(parts["train"]) + len(parts["validation"]) == 20


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
def test_of_an_animation_the_first_picture_is_taken(one, suffix):
    frames = [Image.new("RGB", (30, 30), colour) for colour in (RED, (0, 255, 0), (0, 0, 255))]
    lossless = {"lossless": True} if suffix == ".webp" else {}
    packed = one(frames[0], suffix, save_all=True, append_images=frames[1:], **lossless).reshape(-1, 3).astype(int)
    assert np.abs(packed - RED).max() <= 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1)])
def test_odd_shapes_are_packed(one, shape):
    assert (one(Image.new("RGB", shape, RED)) == RED).all()


@pytest.mark.parametrize(
    ("written", "called"), [("PNG", "x.jpg"), ("JPEG", "x.png"), ("WEBP", "x.tif"), ("GIF", "x.bmp")]
)
def test_a_wrong_suffix_is_harmless(tree, pack, read, written, called):
    Image.new("RGB", (30, 30), RED).save(tree / "train" / "koala" / called, written)
    parts, skipped = read(pack())
    assert skipped == [] and len(parts["train"]) + len(parts["validation"]) == 21


def test_no_other_program_is_called_to_decode_a_file(tree, pack, read, tmp_path):
    drawing = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 30 30\n({tmp_path / 'harm'}) (w) file closefile\nshowpage\n"
    (tree / "train" / "koala" / "drawing.jpg").write_text(drawing)
    assert [name.rsplit("/", 1)[1] for name in read(pack())[1]] == ["drawing.jpg"]
    assert not (tmp_path / "harm").exists()
