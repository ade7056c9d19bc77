"""The runs of one command, checked before the first of them starts."""

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from wsl.config.reading import read_yaml
from wsl.config.schema import load_config
from wsl.errors import ConfigError
from wsl.files.packages import install_hint
from wsl.images.fetched import fetch
from wsl.launch.places import find_config, presets
from wsl.runs.run import Run

CHANGES = ("--config", "-C")
# Requests that Snakemake answers in the terminal, without jobs.
ASKING = {"-n", "--dry-run", "--dryrun", "--unlock", "--touch", "--report", "--summary", "--lint", "--list-rules"}
ASKING |= {"--dag", "--rulegraph", "--help", "-h"}
CONFIGS = ("--configfile", "--configfiles")


@dataclass(frozen=True)
class PlannedRun:
    """A run: its config file, its name, and the config as given, which may be the name of a preset."""

    config: Path
    name: str
    given: str

    @property
    def results(self) -> Path:
        """Its folder, relative to the project's."""
        return Path("results", self.name)


def asks(arguments: Sequence[str]) -> bool:
    """Return whether Snakemake's arguments are a request that it answers without jobs, such as a dry run."""
    return bool(ASKING.intersection(argument.split("=")[0] for argument in arguments))


def plan_runs(configs: Sequence[str | os.PathLike[str]], arguments: Sequence[str]) -> list[PlannedRun]:
    """Check the configs of several runs, with the changes that Snakemake's arguments make to each.

    Args:
        configs: see ``wsl.launch.places.find_config``; empty: the default.
        arguments: of Snakemake.

    Raises:
        ConfigError: Snakemake is not installed; a config, its image folders or an argument cannot be used; or two runs
            have the same name.
    """
    if find_spec("snakemake") is None:
        raise ConfigError(f"wsl run needs Snakemake, which is not installed; {install_hint('workflow')}")
    if any(argument.split("=")[0] in CONFIGS for argument in arguments):
        raise ConfigError("give config files as arguments before `--` instead of with --configfile")
    runs: list[PlannedRun] = []
    for given in configs or [None]:
        config = find_config(given)
        raw = _changed(read_yaml(config), _changes(arguments))
        try:
            _fetch_unknown(raw)
            if _awaits(raw, runs):  # checked in full once the other run has made its zoo
                name = load_config(raw).run
            else:
                run = Run(raw)
                # Weights are checked at the start of each run: Snakemake may fetch them again.
                run.config.images.source.check()
                name = run.config.run
        except ConfigError as error:
            raise ConfigError(f"{config}: {error}") from None
        for other in runs:
            if other.name == name:
                raise ConfigError(f"{other.config} and {config} both make results/{name}; change `run` in one of them")
        runs.append(PlannedRun(config, name, _named(config) if given is None else str(given)))
    return runs


def _named(config: Path) -> str:
    """Return the name of a preset, or the path of another config."""
    return next((name for name, path in presets().items() if path == config), str(config))


def _awaits(raw: Mapping[str, Any], earlier: Sequence[PlannedRun]) -> bool:
    """Return whether a config uses the zoo of an earlier run."""
    zoo = raw.get("zoo")
    folder = zoo.get("from") if isinstance(zoo, Mapping) else None
    return isinstance(folder, str) and Path(folder).resolve() in [other.results.resolve() for other in earlier]


def _fetch_unknown(raw: dict[str, Any]) -> None:
    """Fetch images whose classes are not known without their data: a run cannot be planned before.

    Raises:
        ConfigError: they cannot be fetched.
    """
    try:
        images = load_config(raw).images
    except ConfigError:  # `Run` reports it, with other faults
        return
    for source in images.source.fetched() if not isinstance(images.classes, list) else []:
        if source.known() is None:
            print(f"Fetching {source.label} into {source.place()}", flush=True)
            fetch(source)


def _changes(arguments: Sequence[str]) -> dict[str, Any]:
    """Return the changes to a config that Snakemake's arguments make: ``--config 'shared={temperature: 0.1}'``."""
    changes, reading = {}, False
    for argument in arguments:
        if argument.startswith("-"):
            name, _, value = argument.partition("=")
            reading, argument = name in CHANGES, value
        if reading and argument:
            key, _, value = argument.partition("=")
            changes[key] = yaml.safe_load(value)
    return changes


def _changed(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config with changes; sections are merged, as in Snakemake."""
    config = dict(copy.deepcopy(config))
    for key, value in changes.items():
        section = config.get(key)
        config[key] = _changed(section, value) if isinstance(section, dict) and isinstance(value, dict) else value
    return config
