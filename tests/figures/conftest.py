from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from PIL import Image


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """Returns the figure drawn from tables and plain settings; ``write`` also saves it as x.pdf and x.png."""

    def drawn(name: str, write: bool = False, **inputs: pd.DataFrame | float):
        module, figures = import_module(f"wsl.figures.{name}"), []
        save = import_module("wsl.figures.style").save if write else lambda *_: None
        monkeypatch.setattr(module, "save", lambda figure, *paths: (figures.append(figure), save(figure, *paths)))
        tables = {key: value for key, value in inputs.items() if isinstance(value, pd.DataFrame)}
        paths = {key: tmp_path / f"{key}.csv" for key in tables}
        for key, table in tables.items():
            table.to_csv(paths[key], index=False)
        module.draw(**{**inputs, **paths}, pdf=tmp_path / "x.pdf", png=tmp_path / "x.png")
        return figures[0]

    return drawn


@pytest.fixture
def check_files(draw, tmp_path):
    """Checks that the files of a figure are figures, and the same each time."""

    def checked(name: str, **inputs: pd.DataFrame | float) -> None:
        draw(name, write=True, **inputs)
        first = {path.suffix: path.read_bytes() for path in tmp_path.glob("x.*")}
        assert first[".pdf"].startswith(b"%PDF") and b"/Subtype /Image" not in first[".pdf"]
        with Image.open(tmp_path / "x.png") as image:
            assert np.asarray(image.convert("L")).std() > 5  # not blank
        draw(name, write=True, **inputs)
        assert {path.suffix: path.read_bytes() for path in tmp_path.glob("x.*")} == first

    return checked
