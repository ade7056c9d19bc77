"""Images of any pixel format as 8-bit RGB, upright and on a background."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageOps

# Backgrounds of transparent pixels: the first one, unless it hides the drawing.
GROUND, OTHER_GROUND = "white", "black"
HIDDEN = 16  # of 256 levels: an image with a smaller contrast shows nothing

TRANSPARENT_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
DEPTHS = (8, 12, 16, 24, 31, 32)  # bits of grey levels that instruments and libraries write
TWELVE_BITS, SIXTEEN_BITS = 4095, 65535
# Tags of a TIFF file.
BITS, PHOTOMETRIC, SAMPLE_FORMAT, LOWEST, HIGHEST = 258, 262, 339, 340, 341
WHITE_IS_ZERO, SIGNED = 0, 2


@dataclass(frozen=True)
class Declared:
    """Properties of an image's samples that its file declares, read before Pillow decodes them."""

    format: str | None  # Pillow's name; None: the image does not come from a file
    layout: str  # Pillow's name of a PNG file's layout of samples; empty for other formats
    bits: int | None  # per sample; None: the file is not a TIFF
    signed: bool  # samples may be negative
    inverted: bool  # zero is white
    channels: int  # samples per pixel
    levels: tuple[float, float] | None  # the lowest and the highest level


def as_seen(image: Image.Image) -> tuple[Image.Image, str | None]:
    """Return an image of any mode in RGB, and what was assumed about it in words; None: nothing.

    Transparent pixels are composited on white, or on black if white would hide the whole drawing. Grey levels of more
    than 8 bits are scaled by the range that the file declares, otherwise by the range that it uses. Colours are read as
    sRGB; embedded colour profiles are ignored. Of an animation the first picture is returned.

    Args:
        image: an opened image whose pixels are not loaded yet.

    Raises:
        ValueError: its pixels have no known range of levels, or nothing in it is visible.
    """
    declared = _declared(image)
    image, note = ImageOps.exif_transpose(image), None
    if image.mode[0] in "IF" or (declared.signed and image.mode == "L"):
        image, note = _eight_bits(image, declared)
    elif image.mode == "LAB":
        image = _from_lab(image)
    elif "transparency" in image.info:
        image.info["transparency"] = _colour_in_eight_bits(image.info["transparency"], declared.layout)
    if image.mode in TRANSPARENT_MODES or "transparency" in image.info:
        image, hidden = _on_ground(image)
        note = "; ".join(filter(None, (note, hidden))) or None
    rgb = image.convert("RGB")
    if declared.bits == 16 and declared.channels > 1 and max(high for _, high in rgb.getextrema()) < 16:
        raise ValueError(
            "its colours use less than a sixteenth of the 16-bit range, and only the upper 8 bits of each can be read; "
            "save it with 8 bits per channel"
        )
    return rgb, note


def _declared(image: Image.Image) -> Declared:
    tags = getattr(image, "tag_v2", {})
    tile = getattr(image, "tile", None)
    layout = tile[0][3] if tile and image.format == "PNG" else ""
    bits = tags.get(BITS)
    lowest, highest = (_first(tags.get(key)) for key in (LOWEST, HIGHEST))
    declares = highest is not None and highest > (lowest or 0)
    return Declared(
        format=image.format,
        layout=layout if isinstance(layout, str) else "",
        bits=_first(bits),
        signed=_first(tags.get(SAMPLE_FORMAT)) == SIGNED,
        inverted=tags.get(PHOTOMETRIC) == WHITE_IS_ZERO,
        channels=len(bits) if isinstance(bits, tuple) else 1,
        levels=(float(lowest or 0), float(highest)) if declares else None,
    )


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and value else value


def _eight_bits(image: Image.Image, declared: Declared) -> tuple[Image.Image, str | None]:
    """Return an image of integer levels, or of floating-point levels with a declared range, in mode L or LA."""
    values = np.asarray(image)
    if image.mode == "L":
        values = values.view(np.int8)
    elif image.mode == "I" and declared.bits == 32 and not declared.signed:
        values = values.view(np.uint32)
    (low, high), note = _levels(values, image.mode, declared)
    scaled = np.clip((np.nan_to_num(values.astype(np.float64), nan=low) - low) / (high - low), 0, 1)
    grey = np.rint(255 * (1 - scaled if declared.inverted else scaled)).astype(np.uint8)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        return Image.fromarray(np.stack([grey, np.where(values == clear, 0, 255).astype(np.uint8)], axis=-1)), note
    return Image.fromarray(grey), note


def _levels(values: np.ndarray, mode: str, declared: Declared) -> tuple[tuple[float, float], str | None]:
    """Return the levels of black and white, and what was assumed."""
    if declared.levels:
        return declared.levels, None
    if mode == "F":
        raise ValueError(
            "its floating-point pixels declare no range of levels; save it as integers, or declare SMinSampleValue and "
            "SMaxSampleValue"
        )
    least, most = int(values.min()), int(values.max())
    if declared.bits is not None and declared.bits < 16 and not declared.signed:
        return (0, 2**declared.bits - 1), None
    if declared.format is not None and declared.bits is None:
        # PNG defines the range of 16 bits, and Pillow scales PGM and JPEG 2000 to it.
        dark = f"grey levels use only the darkest sixteenth of their 16 bits (white is {SIXTEEN_BITS})"
        return (0, SIXTEEN_BITS), dark if 0 < most <= TWELVE_BITS else None
    if mode.startswith("I;16") and (most > TWELVE_BITS or most == 0 or declared.format is None):
        return (0, SIXTEEN_BITS), None
    if least < 0:
        used = (least, max(most, least + 1))
    else:
        used = (0, next(2**bits - 1 for bits in DEPTHS if most < 2**bits and (bits > 8 or declared.bits != 16)))
    black, white = used
    return used, f"grey levels do not fill their {declared.bits or 32} bits; {black} is read as black, {white} as white"


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, rgb = (ImageCms.createProfile(space) for space in ("LAB", "sRGB"))
    return ImageCms.applyTransform(image, ImageCms.buildTransform(lab, rgb, "LAB", "RGB"))


def _colour_in_eight_bits(colour: Any, layout: str) -> Any:
    """Return a PNG's transparent colour in the levels of decoded pixels; Pillow keeps the levels of the file."""
    if layout in ("L;2", "L;4"):
        return colour * 255 // (2 ** int(layout[2]) - 1)
    if layout == "RGB;16B":
        return tuple(level >> 8 for level in colour)
    return colour


def _on_ground(image: Image.Image) -> tuple[Image.Image, str | None]:
    image = image.convert("LA") if image.mode == "La" else image
    drawn = image.convert("RGBA")
    least, most = drawn.getchannel("A").getextrema()
    if most == 0:
        raise ValueError("all of its pixels are transparent")
    if least == 255:
        return drawn, None
    on = {
        ground: Image.alpha_composite(Image.new("RGBA", drawn.size, ground), drawn).convert("RGB")
        for ground in (GROUND, OTHER_GROUND)
    }
    contrast = {ground: max(high - low for low, high in image.getextrema()) for ground, image in on.items()}
    if contrast[GROUND] < HIDDEN <= contrast[OTHER_GROUND]:
        return on[OTHER_GROUND], f"{GROUND} ground would hide its drawing; read on {OTHER_GROUND} ground"
    return on[GROUND], None
