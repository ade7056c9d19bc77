"""All faults that would stop a config from running, found at once and before it starts."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from wsl.config.reading import read_yaml
from wsl.config.schema import load_config
from wsl.errors import DataError, Faults
from wsl.images.names import read_names
from wsl.report.contents import planned_warnings
from wsl.runs.disk import measure_disk
from wsl.runs.pretrained import Pretrained
from wsl.runs.run import Run


class Obstacles(Faults):
    """Faults, collected from checks whose results are used."""

    def attempt(self, check: Callable[[], Any]) -> Any:
        """Return the result of a check; None if it fails, and its message is collected."""
        with self.noted():
            try:
                return check()
            except OSError as error:
                raise DataError(str(error)) from error


def check_config(path: Path) -> tuple[dict[str, Any], list[str], list[str]]:
    """Check a config, a YAML file, against this machine.

    Returns:
        Facts about the run; warnings; and obstacles, each of which would stop the run.
    """
    about: dict[str, Any] = {"path": str(path)}
    obstacles, warnings = Obstacles(), []
    raw = obstacles.attempt(lambda: read_yaml(path))
    if obstacles.lines:
        return about, warnings, obstacles.distinct()
    run = obstacles.attempt(lambda: Run(raw))
    config = run.config if run else obstacles.attempt(lambda: load_config(raw))
    if config is None:
        return about, warnings, obstacles.distinct()
    about["run"] = config.run
    pretrained = run.pretrained if run else obstacles.attempt(lambda: Pretrained(config))
    datasets = config.datasets
    obstacles.attempt(lambda: config.images.source.check())
    about["downloads"] = [source.fetches() for source in config.images.source.fetched()]
    if pretrained:
        obstacles.attempt(pretrained.check)
        about["downloads"] += pretrained.fetches()
    if run:
        about["classes"] = len(run.classes)
        about["members"] = {part: len(run.members(part)) for part in run.parts}
        sizes = {label: network.layout.size for label, network in run.networks.items()}
        about["numbers_per_snapshot"] = sizes if run.mixed else run.layout.size
        warnings += planned_warnings(run)
        if disk := obstacles.attempt(lambda: measure_disk(run, Path("results", config.run))):
            about["disk"] = {
                "results": str(disk.results),
                "needed_bytes": disk.needs,
                "made_bytes": disk.made,
                "free_bytes": disk.free,
                "enough": not disk.fault,
                "folders_not_counted": [str(folder) for folder in disk.uncounted],
                "summary": str(disk),
            }
            if disk.fault:
                obstacles.lines.append(disk.fault)
    elif datasets.names is not None:
        obstacles.attempt(lambda: read_names(datasets.names))
    if datasets.random_features and not config.images.source.empty and not (run and run.mixed):
        warnings.append("datasets.weights is empty: dataset embeddings are features of a random network")
    if find_spec("open_clip") is None:
        obstacles.lines.append("open_clip is not installed; pip install open-clip-torch")
    return about, warnings, obstacles.distinct()
