"""Changes of packed images, for data sets that are made from others: inverted, rotated or recoloured copies."""

from collections.abc import Callable

import numpy as np

from wsl.randomness import stream

Transform = Callable[[np.ndarray, str, int], np.ndarray]
APART = 96  # levels between what black and white become, at least, in each channel of a random colour map


def invert(images: np.ndarray, text: str, seed: int) -> np.ndarray:
    """Return negatives."""
    return 255 - images


def rotate(images: np.ndarray, text: str, seed: int) -> np.ndarray:
    """Return images turned by 90 degrees, anticlockwise."""
    return np.rot90(images, axes=(1, 2))


def recolour(images: np.ndarray, text: str, seed: int) -> np.ndarray:
    """Return images in other colours: in each channel, the line from one colour, at black, to another, at white.

    ``text`` names both, as ``navy-gold`` or ``#102040-#F0E0A0``; if it is empty, they are drawn from the run's seed.
    """
    black, white = colours(text, seed)
    levels = np.arange(256)[:, None] / 255  # (256, 1)
    table = np.rint(black + (white - black) * levels).astype(np.uint8)
    return np.stack([table[images[..., channel], channel] for channel in range(3)], axis=-1)


def colours(text: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what black and white become in ``recolour``, float (3,) each.

    Raises:
        ValueError: a colour is unknown.
    """
    if text:
        from PIL import ImageColor

        names = text.split("-")
        if len(names) != 2:
            raise ValueError(f"recolour:{text} does not name two colours; write recolour:<black>-<white>")
        black, white = (np.array(ImageColor.getrgb(name)[:3], dtype=float) for name in names)
        if (black == white).any():
            raise ValueError(f"recolour:{text} makes a channel constant; choose colours that differ in each channel")
        return black, white
    rng = stream(seed, "recolour")
    reach = rng.uniform(APART, 255, 3)
    low = rng.uniform(0, 255 - reach)
    up = rng.integers(2, size=3).astype(bool)
    return np.where(up, low, low + reach), np.where(up, low + reach, low)


TRANSFORMS: dict[str, Transform] = {"invert": invert, "rotate": rotate, "recolour": recolour}


def check(transform: str) -> str:
    """Return a name of a transform, with a text after a colon if it takes one.

    Raises:
        ValueError: it is unknown.
    """
    name, colon, text = transform.partition(":")
    if name not in TRANSFORMS or (colon and name != "recolour"):
        raise ValueError(f"{transform!r} is not known; there are {', '.join(TRANSFORMS)} and recolour:<black>-<white>")
    if text:
        colours(text, 0)
    return transform


def apply(transforms: list[str], images: np.ndarray, seed: int) -> np.ndarray:
    """Return changed images, uint8 (n, size, size, 3), by transforms in their order; ``seed``: the run's."""
    for transform in transforms:
        name, _, text = transform.partition(":")
        images = TRANSFORMS[name](images, text, seed)
    return np.ascontiguousarray(images)
