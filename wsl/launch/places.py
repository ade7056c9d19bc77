"""Where the workflow and its presets lie: in a clone of the project, or inside the installed package."""

import os
from pathlib import Path

from wsl.errors import ConfigError
from wsl.files.opening import has_workflow

LIBRARY = Path(__file__).parents[1]
PACKAGED = LIBRARY / "_project"  # pyproject.toml puts the files there
FIRST = Path(__file__).with_name("first.yaml")  # a config to start from, see `wsl init`
DEFAULT = "glyphs"  # the run of config.yaml; the other presets have the names of their files
OWN = (Path("config.yaml"), Path("config", "config.yaml"))  # configs of a folder that need not be named


def project() -> Path:
    """Return the folder that holds ``workflow`` and ``config``: the clone from which ``wsl`` is imported, if any."""
    clone = LIBRARY.parent
    return clone if Path(clone, "workflow", "Snakefile").is_file() else PACKAGED


def snakefile() -> Path | None:
    """Return the workflow's Snakefile; None if Snakemake finds one in the working directory, which then counts."""
    if has_workflow("."):
        return None
    root = project()
    # A profile is next to the Snakefile that reads it: in a clone, to the one at the top.
    return next(path for path in (root / "Snakefile", root / "workflow" / "Snakefile") if path.is_file())


def presets() -> dict[str, Path]:
    """Return the configs that come with the workflow, by the names of their runs; the default is the first."""
    folder = project() / "config"
    others = {path.stem: path for path in sorted(folder.glob("*.yaml")) if path.stem != "config"}
    return {DEFAULT: folder / "config.yaml", **others}


def find_config(given: str | os.PathLike[str] | None = None) -> Path:
    """Return the path of a config.

    Args:
        given: a file, or the name of a preset. None: the config of the working directory, else the default preset.

    Raises:
        ConfigError: there is no such file or preset.
    """
    if given is None:
        return next((path for path in OWN if path.is_file()), next(iter(presets().values())))
    if Path(given).is_file():
        return Path(given)
    if str(given) in presets():
        return presets()[str(given)]
    raise ConfigError(
        f"there is no file {given}; correct the path, name a preset ({', '.join(presets())}), or write a config with "
        "`wsl init FOLDER`"
    )
