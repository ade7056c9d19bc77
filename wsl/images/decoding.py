"""Decode image files with Pillow, and nothing else, to RGB images of one size."""

import io
import warnings
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from wsl.images.contents import FORMATS
from wsl.images.pixels import as_seen

# Recognised by a file's content, whatever its suffix. TGA and others have no mark, so their suffix must name them.
MARKED = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF", "JPEG2000", "AVIF", "HEIF")


def decoded(file: Path | bytes, size: int, further: str | None = None) -> tuple[np.ndarray, str | None]:
    """Return an image file as uint8 (size, size, 3), and what was assumed about it, see ``as_seen``.

    Args:
        file: its path or its content.
        size: side of the image, pixels.
        further: a format that is also tried, besides those that mark their files.

    Raises:
        UnidentifiedImageError: Pillow does not recognise it.
        ValueError: it cannot be read; the message is the reason.
    """
    formats = (*decoders(), further) if further else decoders()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow; errors report what matters
            with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=formats) as image:
                image.draft("RGB", (size, size))  # lets a JPEG be decoded at a smaller scale; others ignore it
                seen, note = as_seen(image)
    except UnidentifiedImageError:
        raise
    except MemoryError:
        raise ValueError("too large for the memory of this machine") from None
    except Exception as error:  # decoders raise almost any exception for damaged files
        raise ValueError(str(error) or type(error).__name__) from error
    return cropped(seen, size), note


@cache
def decoders() -> tuple[str, ...]:
    """Return the formats of ``MARKED`` that can be decoded here."""
    if "HEIF" in FORMATS:
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.init()
    return tuple(name for name in MARKED if name in Image.OPEN)


def cropped(rgb: Image.Image, size: int) -> np.ndarray:
    """Return an RGB image, scaled and centre-cropped, as uint8 (size, size, 3)."""
    return np.asarray(ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC))
