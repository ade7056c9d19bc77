"""Installed Python packages: how to install missing ones, and files of weights in them, found without imports."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from wsl.errors import ConfigError

DISTRIBUTION = "weight-space-learning"  # on PyPI, where `wsl` is another project
PIP = "pip:"
SUFFIXES = (".pth", ".pt", ".safetensors", ".bin", ".ckpt", ".tar")  # of files that ``wsl.zoo.states`` reads


def install_hint(extra: str) -> str:
    """Return the command that installs the packages of an extra of pyproject.toml."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def package_file(source: str, key: str) -> Path:
    """Return the file of weights that ``pip:<package>`` or ``pip:<package>/<file>`` names.

    Only the package's list of files is read; none of its code runs.

    Args:
        source: as in the config; the file may be any end of its path in the package.
        key: of the config, for messages.

    Raises:
        ConfigError: the package is not installed, or has no such file, or several.
    """
    package, _, wanted = source.removeprefix(PIP).partition("/")
    try:
        files = distribution(package).files or []
    except (PackageNotFoundError, ValueError) as error:
        raise ConfigError(
            f"{key}: the package {package} is not installed here; run `pip install {package}`, or name a file"
        ) from error
    weights = [file for file in files if file.suffix in SUFFIXES]
    names = ", ".join(map(str, weights))
    found = [file for file in weights if f"/{file}".endswith(f"/{wanted}")] if wanted else weights
    paths = [path for path in (Path(file.locate()) for file in found) if path.is_file()]
    if len(paths) == 1:
        return paths[0]
    if len(paths) > 1:
        raise ConfigError(f"{key}: {source} has several files of weights, {names}; write {PIP}{package}/FILE")
    if names:
        raise ConfigError(f"{key}: {package} has no such file, or it is missing; its files of weights: {names}")
    kinds = ", ".join(SUFFIXES)
    raise ConfigError(f"{key}: the package {package} has no files of weights ({kinds}); choose another, or name a file")
