import unicodedata
from functools import cache
from itertools import combinations

import h5py
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from wsl.errors import DataError
from wsl.images.packing import pack_class
from wsl.images.settings import Packing
from wsl.images.sources import glyphs
from wsl.images.sources.glyphs import CHARACTERS, LEARNT_FONTS, TEST_FONTS, Glyphs, draw_glyph, font_files
from wsl.randomness import stream


def pack(name, out, drawn=20, seed=3):
    settings = Packing(source=Glyphs(drawn=drawn, test_share=0.3), size=32, validation_share=0.2, minimum=5)
    pack_class(out, name, settings, seed)


def likeness(a, b):
    """Return the correlation of two characters' ink, each scaled to one box, averaged over four fonts; 1: the same."""
    fonts = font_files(("DejaVuSans", "DejaVuSans-Bold", "STIXGeneral", "STIXGeneralBol"))
    return np.mean([np.corrcoef(boxed(a, font), boxed(b, font))[0, 1] for font in fonts])


@cache
def boxed(character, font):
    canvas = Image.new("L", (200, 200))
    face = ImageFont.truetype(str(font), 80)
    ImageDraw.Draw(canvas).text((100, 100), character, fill=255, font=face, anchor="mm")
    ink = canvas.crop(canvas.getbbox())
    ink = ImageOps.contain(ink, (48, 48))  # keeps the aspect, which distinguishes characters
    box = Image.new("L", (48, 48))
    box.paste(ink, ((48 - ink.width) // 2, (48 - ink.height) // 2))
    return np.asarray(box, dtype=float).ravel()


def read(path):
    with h5py.File(path) as file:
        parts = {part: file[part][...] for part in ("train", "validation", "test")}
        fonts = {part: {str(name).split(", ")[1] for name in file[f"files/{part}"].asstr()[...]} for part in parts}
    return parts, fonts


def test_names_of_classes_are_files_that_differ_in_more_than_case():
    assert len({unicodedata.normalize("NFKC", name).casefold() for name in CHARACTERS}) == len(CHARACTERS) == 89
    assert all(name.isascii() and "/" not in name for name in CHARACTERS)
    assert Glyphs().find(None, 10) == (list(CHARACTERS), [])


def test_no_two_classes_share_a_shape():
    pairs = combinations(CHARACTERS.values(), 2)
    assert max((likeness(*pair), pair) for pair in pairs)[0] < 0.9
    assert likeness("Γ", "Г") > 0.9 and likeness("p", "ρ") >= 0.9  # two pairs of which one character is left out


@pytest.mark.parametrize("pair", [("A", "Α"), ("B", "В"), ("C", "С"), ("P", "Р"), ("capital-gamma", "Г")])
def test_characters_of_other_scripts_with_the_same_shape_are_left_out(pair):
    assert pair[0] in CHARACTERS
    assert pair[1] not in CHARACTERS.values()


def test_every_font_has_every_character():
    for font in font_files((*LEARNT_FONTS, *TEST_FONTS)):
        face = ImageFont.truetype(str(font), 60)
        missing = bytes(face.getmask("\U0010fffe"))  # what a font draws for what it lacks
        for name, character in CHARACTERS.items():
            assert bytes(face.getmask(character)) != missing, (font, name)


def test_test_images_use_other_fonts_than_all_other_images(tmp_path):
    pack("zhe", tmp_path / "zhe.h5")
    parts, fonts = read(tmp_path / "zhe.h5")
    assert {part: len(images) for part, images in parts.items()} == {"train": 10, "validation": 4, "test": 6}
    assert parts["test"].shape == (6, 32, 32, 3)
    assert fonts["test"] <= set(TEST_FONTS)
    assert fonts["train"] | fonts["validation"] <= set(LEARNT_FONTS)
    assert not set(TEST_FONTS) & set(LEARNT_FONTS)


def test_an_image_depends_on_the_seed_and_its_index_alone(tmp_path):
    pack("R", tmp_path / "few.h5")
    pack("R", tmp_path / "many.h5", drawn=40)
    pack("R", tmp_path / "other.h5", seed=4)
    few, many, other = (read(tmp_path / f"{name}.h5")[0] for name in ("few", "many", "other"))
    for part in few:
        np.testing.assert_array_equal(many[part][: len(few[part])], few[part])
        assert not np.array_equal(other[part], few[part])


def test_a_class_with_too_few_images_to_learn_from_is_refused(tmp_path):
    with pytest.raises(DataError, match="'R' has 2 readable training"):
        pack("R", tmp_path / "R.h5", drawn=4)


def test_a_missing_font_is_named_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("matplotlib.get_data_path", lambda: str(tmp_path))
    with pytest.raises(DataError, match=r"DejaVuSans\.ttf.*--force-reinstall matplotlib"):
        font_files(LEARNT_FONTS)


def test_without_distortion_the_character_is_its_font_s_centred(monkeypatch):
    for name in ("ROTATION", "SHEAR", "SCALE", "SHIFT", "STROKE", "BLUR", "NOISE"):
        monkeypatch.setattr(glyphs, name, 0)
    monkeypatch.setattr(glyphs, "_grey_levels", lambda rng: (0.0, 1.0))
    (font,) = font_files(("DejaVuSans",))
    drawn = draw_glyph("L", font, 96, stream(0, "x"))
    ink = Image.new("L", (200, 200))
    ImageDraw.Draw(ink).text((100, 100), "L", fill=255, font=ImageFont.truetype(str(font), 60))
    expected, actual = ink.getbbox(), Image.fromarray(drawn).getbbox()
    assert abs(actual[2] - actual[0] - (expected[2] - expected[0])) <= 2
    assert abs(actual[0] + actual[2] - 96) <= 2 and abs(actual[1] + actual[3] - 96) <= 2
    assert drawn.sum() == pytest.approx(np.asarray(ink, dtype=float).sum(), rel=0.01)


def test_rotations_and_scales_have_the_stated_deviations():
    maps = [glyphs._affine(stream(0, "map", index), np.full(2, 48.0)) for index in range(4000)]
    inverses = np.array([one[:, :2] for one in maps])
    scales = -0.5 * np.log(np.linalg.det(inverses))  # the area of a distorted character is exp(2 s) times as large
    assert scales.std() == pytest.approx(0.12, rel=0.05)
    angles = np.rad2deg(np.arctan2(inverses[:, 1, 0], inverses[:, 0, 0]))
    assert angles.std() == pytest.approx(8, rel=0.05)
