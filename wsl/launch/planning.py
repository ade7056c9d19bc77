"""The runs of one command, checked before the first of them starts."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from wsl.config.reading import read_yaml
from wsl.config.schema import load_config
from wsl.errors import ConfigError
from wsl.images.fetched import fetch
from wsl.runs.run import Run

CHANGES = ("--config", "-C")
DRY = {"-n", "--dry-run", "--dryrun"}
CONFIGS = ("--configfile", "--configfiles")


@dataclass(frozen=True)
class PlannedRun:
    """A run: its config file and its name."""

    config: Path
    name: str

    @property
    def results(self) -> Path:
        """Its folder, relative to the project's."""
        return Path("results", self.name)


def plan_runs(configs: Sequence[Path], arguments: Sequence[str]) -> list[PlannedRun]:
    """Check the configs (YAML) of several runs, with the changes that Snakemake's arguments make to each.

    Raises:
        ConfigError: a config, its image folders or an argument cannot be used, or two runs have the same name.
    """
    if not Path("Snakefile").is_file():
        raise ConfigError("there is no Snakefile in this folder; run the command in the project's folder")
    if any(argument.split("=")[0] in CONFIGS for argument in arguments):
        raise ConfigError("give config files as arguments before `--` instead of with --configfile")
    if DRY.intersection(arguments):
        raise ConfigError(f"for a dry run, use Snakemake: snakemake --cores all --configfile {configs[0]} -n")
    runs: list[PlannedRun] = []
    for config in configs:
        raw = _changed(read_yaml(config), _changes(arguments))
        try:
            _fetch_unknown(raw)
            run = Run(raw)
            # Weights are checked at the start of each run: Snakemake may fetch them again.
            run.config.images.source.check()
        except ConfigError as error:
            raise ConfigError(f"{config}: {error}") from None
        name = run.config.run
        for other in runs:
            if other.name == name:
                raise ConfigError(f"{other.config} and {config} both make results/{name}; change `run` in one of them")
        runs.append(PlannedRun(config, name))
    return runs


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
