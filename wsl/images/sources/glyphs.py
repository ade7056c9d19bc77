"""The image source `glyphs`: characters drawn from the TrueType fonts that matplotlib ships.

Training and validation images use other fonts than test images, so a model must learn the shape of a character and not
the style of a font. The source needs no network.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from pydantic import Field

from wsl.errors import DataError
from wsl.images.sources.base import SOURCES, PooledSource
from wsl.randomness import stream
from wsl.settings.sections import PositiveInt

# One class per shape. Characters that look alike in some font share a class or are left out: the A of
# three scripts, O and 0, c and C, З and 3. Class names are ASCII and differ in more than case, since they name files.
CHARACTERS = {
    **{letter: letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    **{f"small-{letter}": letter for letter in "abdefghijmnrt"},
    **{digit: digit for digit in "123456789"},
    **{"capital-gamma": "Γ", "capital-delta": "Δ", "capital-lambda": "Λ", "capital-xi": "Ξ", "capital-sigma": "Σ"},
    **{"capital-psi": "Ψ", "capital-omega": "Ω", "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ"},
    **{"epsilon": "ε", "zeta": "ζ", "theta": "θ", "lambda": "λ", "mu": "μ", "xi": "ξ", "pi": "π", "sigma": "σ"},
    **{"omega": "ω"},
    **{"be": "Б", "de": "Д", "zhe": "Ж", "cyrillic-i": "И", "el": "Л", "tse": "Ц", "che": "Ч", "sha": "Ш", "yery": "Ы"},
    **{"reversed-e": "Э", "yu": "Ю", "ya": "Я"},
    **{"ampersand": "&", "at": "@", "number-sign": "#", "percent": "%", "question-mark": "?", "dollar": "$"},
    **{"section-sign": "§", "euro": "€", "pound-sign": "£"},
}

LEARNT_FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique"),
    *("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique", "DejaVuSansMono-BoldOblique"),
)
TEST_FONTS = ("DejaVuSerif", "DejaVuSerif-Bold", "STIXGeneral", "STIXGeneralBol")

CANVAS = 96  # pixels; characters are drawn at this side and then scaled
HEIGHT = 60  # of a font's letters on it, pixels
# Distortions: standard deviations, or the largest values of uniform ones.
ROTATION, SHEAR, SCALE, SHIFT = 8.0, 0.1, 0.12, 3.0  # degrees; ratio; ratio; pixels of the canvas
STROKE, BLUR, NOISE = 2, 1.5, 0.06  # pixels of the canvas; pixels of the canvas; of the range of grey levels
CONTRAST = 0.35  # least difference of character and ground, of the range of grey levels


_face = cache(ImageFont.truetype)


@SOURCES.register("glyphs")
class Glyphs(PooledSource):
    """89 characters; test images come from other fonts than all other images."""

    title = "the glyphs"
    drawn: PositiveInt = Field(100, description="images drawn per class, including validation and test images")

    def names(self):
        return list(CHARACTERS)

    def images(self, name, packing, seed):
        shares = {"test": self.test_share, "validation": packing.validation_share}
        counts = {part: round(self.drawn * share) for part, share in shares.items()}
        counts["train"] = self.drawn - sum(counts.values())
        return {part: _drawn(name, part, count, packing.size, seed) for part, count in counts.items()}

    def count(self, names):
        return self.drawn * len(names)


def _drawn(name: str, part: str, count: int, size: int, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield images of a character, each from a random stream of its own, with the font of each."""
    fonts = font_files(TEST_FONTS if part == "test" else LEARNT_FONTS)
    for index in range(count):
        rng = stream(seed, "images", name, part, index)
        font = fonts[rng.integers(len(fonts))]
        yield f"{name}, {font.stem}, {index}", draw_glyph(CHARACTERS[name], font, size, rng)


def font_files(names: tuple[str, ...]) -> list[Path]:
    """Return the paths of fonts that matplotlib ships.

    Raises:
        DataError: a font is missing, as in packages of some Linux distributions.
    """
    from matplotlib import get_data_path  # the import takes 0.2 s, and only jobs that draw need it

    folder = Path(get_data_path(), "fonts", "ttf")
    paths = [folder / f"{name}.ttf" for name in names]
    for path in paths:
        if not path.is_file():
            raise DataError(
                f"images.source: glyphs needs the font {path.name} in {folder}, where matplotlib of PyPI has it; "
                "install that matplotlib (pip install --force-reinstall matplotlib) or choose another source"
            )
    return paths


def draw_glyph(character: str, font: Path, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return a randomly distorted character as grey levels, uint8 (size, size).

    Args:
        character: the character.
        font: a TrueType file.
        size: side of the image, pixels.
        rng: source of all randomness.
    """
    canvas, middle, face = Image.new("L", (CANVAS, CANVAS)), (CANVAS / 2, CANVAS / 2), _face(str(font), HEIGHT)
    stroke = int(rng.integers(0, STROKE + 1))
    ImageDraw.Draw(canvas).text(middle, character, 255, face, anchor="mm", stroke_width=stroke, stroke_fill=255)
    # Fonts place characters by a baseline. Without centring, the place alone would distinguish some of them.
    left, top, right, bottom = canvas.getbbox()
    moved = _affine(rng, np.array([(left + right) / 2, (top + bottom) / 2]))
    canvas = canvas.transform(canvas.size, Image.Transform.AFFINE, moved.ravel().tolist(), Image.Resampling.BICUBIC)
    canvas = canvas.filter(ImageFilter.GaussianBlur(rng.uniform(0, BLUR)))
    ink = np.asarray(canvas.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float64) / 255
    ground, shade = _grey_levels(rng)
    grey = ground + (shade - ground) * ink + NOISE * rng.standard_normal(ink.shape)
    return np.round(255 * grey.clip(0, 1)).astype(np.uint8)


def _affine(rng: np.random.Generator, centre: np.ndarray) -> np.ndarray:
    """Return the map (2, 3) from a place of the distorted image to one of the original with its ink at ``centre``."""
    angle = np.deg2rad(ROTATION * rng.standard_normal())
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    lean = np.array([[1, SHEAR * rng.standard_normal()], [0, 1]])
    inverse = turn @ lean / np.exp(SCALE * rng.standard_normal())
    middle = np.full(2, CANVAS / 2) + SHIFT * rng.standard_normal(2)
    return np.column_stack([inverse, centre - inverse @ middle])


def _grey_levels(rng: np.random.Generator) -> tuple[float, float]:
    """Return grey levels of ground and character in [0, 1], at least ``CONTRAST`` apart, either one the lighter."""
    while True:
        ground, shade = rng.uniform(size=2)
        if abs(ground - shade) >= CONTRAST:
            return float(ground), float(shade)
