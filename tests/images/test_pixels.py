"""Pixel formats: what is packed is what a person sees, by values worked out by hand."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from wsl.images.folders import read_folder, read_image
from wsl.images.parts import LeftOut
from wsl.images.pixels import as_seen

SIDE = 8  # of all images here, so that none is scaled


def png(depth, colour, rows, transparent=b"", palette=b""):
    """A PNG of rows of bytes, by the specification."""
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    width = len(rows[0]) * 8 // bits

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    chunks = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0))]
    chunks += [chunk(kind, body) for kind, body in ((b"PLTE", palette), (b"tRNS", transparent)) if body]
    chunks += [chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def tiff(data, bits, photometric=1, sample_format=None, lowest=None, highest=None, extra=None, kind=3):
    """An uncompressed little-endian TIFF of SIDE x SIDE pixels, by the specification; ``bits`` is a list."""
    tags = {256: (3, [SIDE]), 257: (3, [SIDE]), 258: (3, bits), 259: (3, [1]), 262: (3, [photometric])}
    tags |= {277: (3, [len(bits)]), 278: (3, [SIDE]), 279: (4, [len(data)])}
    tags |= {338: (3, [extra])} if extra is not None else {}
    tags |= {339: (3, [sample_format] * len(bits))} if sample_format is not None else {}
    tags |= {340: (kind, [lowest])} if lowest is not None else {}
    tags |= {341: (kind, [highest])} if highest is not None else {}
    code = {3: "H", 4: "I", 8: "h", 9: "i", 11: "f"}
    tags[273] = (4, [0])
    end, long_values = 8 + 2 + 12 * len(tags) + 4, b""
    fields = b""
    start = end + sum(
        struct.calcsize(f"<{len(values)}{code[kind]}")
        for kind, values in tags.values()
        if len(values) * struct.calcsize(code[kind]) > 4
    )
    tags[273] = (4, [start])
    for tag, (kind, values) in sorted(tags.items()):
        body = struct.pack(f"<{len(values)}{code[kind]}", *values)
        if len(body) > 4:
            long_values, body = long_values + body, struct.pack("<I", end + len(long_values))
        fields += struct.pack("<HHI", tag, kind, len(values)) + body.ljust(4, b"\0")
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + fields + bytes(4) + long_values + data


@pytest.fixture
def read(tmp_path):
    """Read an image, or the bytes of a file: returns what is packed, and what was assumed."""

    def run(content, suffix=".png", **options):
        path = tmp_path / f"x{suffix}"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content.save(path, **options)
        return read_image(path, SIDE)

    return run


def ramp(low, high, dtype):
    """Levels from the lowest to the highest, (SIDE, SIDE)."""
    return np.linspace(low, high, SIDE * SIDE).round().astype(dtype).reshape(SIDE, SIDE)


RAMP = np.linspace(0, 255, SIDE * SIDE).reshape(SIDE, SIDE)  # what a ramp over the whole range looks like


def drawing():
    """A black drawing in alpha alone, (SIDE, SIDE, 4), as icons and scanned signatures are saved."""
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[..., 3] = ramp(0, 255, np.uint8)
    return pixels


# Transparency: on white, a pixel of colour c and opacity a shows c * a + 255 * (1 - a).


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".ico", ".tga"])
def test_a_drawing_in_alpha_is_seen_on_white(read, suffix):
    options = {".webp": {"lossless": True}, ".ico": {"sizes": [(SIDE, SIDE)]}}.get(suffix, {})
    packed, note = read(Image.fromarray(drawing()), suffix, **options)
    assert np.abs(packed - (255 - drawing()[..., 3:].astype(int))).max() <= 1
    assert note is None


def test_a_white_drawing_is_seen_on_black(read):
    pixels = drawing()
    pixels[..., :3] = 255
    packed, note = read(Image.fromarray(pixels))
    assert np.abs(packed - pixels[..., 3:].astype(int)).max() <= 1
    assert note == "white ground would hide its drawing; read on black ground"


def test_partly_opaque_colours_are_mixed_with_white(read):
    packed, _ = read(Image.new("RGBA", (SIDE, SIDE), (200, 30, 40, 128)))
    expected = [colour * 128 / 255 + 255 * 127 / 255 for colour in (200, 30, 40)]
    assert np.abs(packed - np.array(expected)).max() <= 1


def test_premultiplied_and_grey_alpha_are_seen_on_white(read):
    grey = np.stack([ramp(0, 255, np.uint8).T, ramp(0, 255, np.uint8)], axis=-1)
    shade, opacity = grey[..., 0].astype(float), grey[..., 1] / 255
    expected = shade * opacity + 255 * (1 - opacity)
    assert np.abs(read(Image.fromarray(grey))[0][..., 0] - expected).max() <= 1
    premultiplied = np.stack([shade * opacity, grey[..., 1]], axis=-1).round().astype(np.uint8)
    packed, _ = read(tiff(premultiplied.tobytes(), [8, 8], extra=1), ".tif")
    shown = grey[..., 1] > 30  # at low opacity, 8 bits hold few levels of the shade
    assert np.abs(packed[..., 0] - expected)[shown].max() <= 6


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (png(1, 0, [b"\xaa"], struct.pack(">H", 1)), [255, 0, 255, 0]),
        (png(1, 0, [b"\xaa"], struct.pack(">H", 0)), [255, 0, 255, 0]),  # white would hide the other pixels
        (png(2, 0, [b"\x1b\x1b"], struct.pack(">H", 0)), [255, 85, 170, 255]),
        (png(4, 0, [b"\x07\xc3\x07\xc3"], struct.pack(">H", 0)), [255, 119, 204, 51]),
        (png(8, 0, [bytes([7, 100, 7, 200, 0, 0, 0, 0])], struct.pack(">H", 7)), [255, 100, 255, 200]),
        (png(16, 0, [struct.pack(">8H", *[300, 25700] * 4)], struct.pack(">H", 300)), [255, 100, 255, 100]),
        (png(8, 2, [bytes([1, 2, 3, 9, 9, 9] * 4)], struct.pack(">3H", 1, 2, 3)), [255, 9, 255, 9]),
        (
            png(
                16, 2, [struct.pack(">24H", *[40000, 50000, 60000, 2304, 2304, 2304] * 4)], b"\x9c\x40\xc3\x50\xea\x60"
            ),
            [255, 9, 255, 9],
        ),
        (png(8, 3, [bytes([0, 1] * 4)], bytes([0, 255]), bytes([50, 50, 50, 90, 90, 90])), [255, 90, 255, 90]),
        (png(16, 4, [struct.pack(">16H", *[0, 65535, 0, 0] * 4)]), [0, 255, 0, 255]),
    ],
    ids=["1 bit", "black", "2 bits", "4 bits", "8 bits", "16 bits", "rgb", "rgb 16 bits", "palette", "16-bit alpha"],
)
def test_a_transparent_colour_of_a_png_is_ground(tmp_path, content, expected):
    (tmp_path / "x.png").write_bytes(content)
    with Image.open(tmp_path / "x.png") as image:
        seen = np.asarray(as_seen(image)[0])
    assert seen[0, :4, 0].tolist() == expected


def test_a_gif_shows_its_first_picture_on_white(read):
    first = Image.new("P", (SIDE, SIDE), 0)
    first.putpalette([10, 20, 30, 200, 100, 0])
    first.paste(1, (0, 0, SIDE, 4))
    packed, _ = read(first, ".gif", transparency=0, save_all=True, append_images=[Image.new("P", (SIDE, SIDE), 1)])
    assert (packed[:4] == (200, 100, 0)).all() and (packed[4:] == 255).all()


def test_a_fully_transparent_image_is_refused(read):
    with pytest.raises(ValueError, match="all of its pixels are transparent"):
        read(Image.new("RGBA", (SIDE, SIDE), (1, 2, 3, 0)))


# Grey levels of more than 8 bits.


def twelve_bits(levels):
    """Pairs of 12-bit levels in three bytes."""
    pairs = levels.astype(int).reshape(-1, 2)
    three = [pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255]
    return np.stack(three, axis=1).astype(np.uint8).tobytes()


DEEP = {
    "12 bits": (tiff(twelve_bits(ramp(0, 4095, int)), [12]), ".tif", None),
    "16 bits": (tiff(ramp(0, 65535, "<u2").tobytes(), [16]), ".tif", None),
    "16 bits, white is zero": (tiff(ramp(65535, 0, "<u2").tobytes(), [16], photometric=0), ".tif", None),
    "a declared range": (tiff(ramp(100, 1100, "<u2").tobytes(), [16], lowest=100, highest=1100), ".tif", None),
    "signed, a declared range": (
        tiff(ramp(-1000, 3000, "<i2").tobytes(), [16], sample_format=2, lowest=-1000, highest=3000, kind=8),
        ".tif",
        None,
    ),
    "floating-point, a declared range": (
        tiff(np.linspace(0, 1, SIDE**2, dtype="<f4").tobytes(), [32], sample_format=3, lowest=0, highest=1, kind=11),
        ".tif",
        None,
    ),
    "32 bits, a declared range": (
        tiff(ramp(0, 4e9, "<u4").tobytes(), [32], lowest=0, highest=4_000_000_000, kind=4),
        ".tif",
        None,
    ),
    "12 bits in 16": (
        tiff(ramp(0, 4095, "<u2").tobytes(), [16]),
        ".tif",
        "grey levels do not fill their 16 bits; 0 is read as black, 4095 as white",
    ),
    "16 bits in 32": (
        tiff(ramp(0, 65535, "<u4").tobytes(), [32]),
        ".tif",
        "grey levels do not fill their 32 bits; 0 is read as black, 65535 as white",
    ),
    "signed": (
        tiff(ramp(-1000, 3000, "<i2").tobytes(), [16], sample_format=2),
        ".tif",
        "grey levels do not fill their 16 bits; -1000 is read as black, 3000 as white",
    ),
    "8 bits, signed": (
        tiff(ramp(-128, 127, "i1").tobytes(), [8], sample_format=2),
        ".tif",
        "grey levels do not fill their 8 bits; -128 is read as black, 127 as white",
    ),
    "PNG": (png(16, 0, [row.tobytes() for row in ramp(0, 65535, ">u2")]), ".png", None),
    "PGM, 12 bits": (b"P5 8 8 4095\n" + ramp(0, 4095, ">u2").tobytes(), ".pgm", None),
    "PGM, text": (b"P2 8 8 1000\n" + b" ".join(b"%d" % v for v in ramp(0, 1000, int).flat), ".pgm", None),
}


@pytest.mark.parametrize(("content", "suffix", "note"), DEEP.values(), ids=DEEP)
def test_grey_levels_are_read_in_their_range(read, content, suffix, note):
    packed, assumed = read(content, suffix)
    assert np.abs(packed - RAMP[..., None]).max() <= 1
    assert assumed == note


def test_a_jpeg_2000_of_16_bits_is_read_in_its_range(read):
    packed, _ = read(Image.fromarray(ramp(0, 65535, np.uint16)), ".jp2", irreversible=False)
    assert np.abs(packed - RAMP[..., None]).max() <= 1


def test_a_dark_png_stays_dark_and_is_reported(read):
    packed, note = read(png(16, 0, [row.tobytes() for row in ramp(0, 4095, ">u2")]))
    assert packed.max() == 16
    assert note == "grey levels use only the darkest sixteenth of their 16 bits (white is 65535)"


def test_colours_of_16_bits_keep_their_upper_8(read):
    colours = np.stack([ramp(0, 65535, "<u2"), ramp(65535, 0, "<u2"), ramp(0, 30000, "<u2")], axis=-1)
    packed, note = read(tiff(colours.tobytes(), [16] * 3, photometric=2), ".tif")
    assert np.abs(packed - colours / 257).max() <= 1 and note is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            tiff(np.linspace(0, 1, SIDE**2, dtype="<f4").tobytes(), [32], sample_format=3),
            "floating-point pixels declare no range of levels; save it as integers",
        ),
        (
            tiff(np.repeat(ramp(0, 4095, "<u2"), 3).tobytes(), [16] * 3, photometric=2),
            "less than a sixteenth of the 16-bit range, .* save it with 8 bits per channel",
        ),
        (tiff(bytes(SIDE * SIDE * 8), [64]), "a TIFF image that Pillow cannot decode .unknown pixel mode"),
        (tiff(bytes(SIDE * SIDE * 4), [16, 16], extra=2), "a TIFF image that Pillow cannot decode .unknown pixel mode"),
    ],
    ids=["floating-point", "12-bit colours", "64 bits", "16-bit grey with alpha"],
)
def test_a_format_without_a_known_range_is_refused_by_name(read, content, message):
    with pytest.raises(ValueError, match=message):
        read(content, ".tif")


def test_an_assumption_about_a_folders_images_is_logged_once(tmp_path, caplog):
    for number in range(5):
        levels = np.roll(ramp(0, 4095, "<u2"), number)
        (tmp_path / f"{number}.tif").write_bytes(tiff(levels.tobytes(), [16]))
    assert len(read_folder(tmp_path, SIDE, LeftOut()).files) == 5
    (line,) = (record.message for record in caplog.records)
    assert line.startswith(f"{tmp_path}: 5 images, 0.tif, 1.tif, 2.tif, ...: grey levels do not fill their 16 bits")


# Colour spaces.


def test_lab_is_read_as_its_colours(read):
    # A TIFF's Lab is of D50, where sRGB's pure red is L* 54.29, a* 80.81, b* 69.89.
    lab = np.tile(np.array([round(54.29 * 2.55), 81, 70], np.uint8), (SIDE, SIDE, 1))
    packed, _ = read(tiff(lab.tobytes(), [8] * 3, photometric=8), ".tif")
    assert np.abs(packed - np.array([255, 0, 0])).max() <= 6


def test_ycbcr_is_read_as_its_colours(read):
    # ITU-R BT.601: Y = .299 R + .587 G + .114 B, Cb = 128 + .564 (B - Y), Cr = 128 + .713 (R - Y).
    red, green, blue = 200, 120, 40
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    pixel = [y, 128 + 0.564 * (blue - y), 128 + 0.713 * (red - y)]
    image = Image.frombytes("YCbCr", (SIDE, SIDE), bytes(map(round, pixel)) * SIDE**2)
    packed, _ = read(image, ".tif")
    assert np.abs(packed - np.array([red, green, blue])).max() <= 2


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_is_read_as_its_colours(read, suffix):
    # Ink c and black k leave 255 (1 - c) (1 - k) of the light.
    image = Image.new("CMYK", (SIDE, SIDE), (51, 102, 153, 51))
    packed, _ = read(image, suffix, **({"quality": 100, "subsampling": 0} if suffix == ".jpg" else {}))
    expected = [255 * (1 - ink / 255) * (1 - 51 / 255) for ink in (51, 102, 153)]
    assert np.abs(packed - np.array(expected)).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png", ".webp"])
def test_every_orientation_is_undone(read, suffix, orientation):
    upright = np.zeros((SIDE, SIDE), np.uint8)
    upright[:4, :4], upright[:4, 4:] = 240, 120  # bright above, brighter at the left
    # How each orientation stores its picture (EXIF 2.3, tag 0x0112): the first row and column of what is stored are
    # 2 top right, 3 bottom right, 4 bottom left, 5 left top, 6 right top, 7 right bottom, 8 left bottom.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {".jpg": {"quality": 100}, ".webp": {"lossless": True}}.get(suffix, {})
    packed, _ = read(Image.fromarray(np.ascontiguousarray(stored)), suffix, exif=exif, **options)
    assert np.abs(packed[..., 0].astype(int) - upright).max() <= 3


def test_of_a_multi_picture_file_the_first_is_taken(tmp_path):
    first, second = Image.new("RGB", (SIDE, SIDE), (200, 30, 40)), Image.new("RGB", (SIDE, SIDE), (0, 0, 255))
    buffer = io.BytesIO()
    first.save(buffer, "MPO", save_all=True, append_images=[second])
    (tmp_path / "x.jpg").write_bytes(buffer.getvalue())
    with Image.open(tmp_path / "x.jpg") as image:
        assert image.format == "MPO"
    assert np.abs(read_image(tmp_path / "x.jpg", SIDE)[0] - np.array([200, 30, 40])).max() <= 3
