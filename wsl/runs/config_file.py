"""The config of a finished run, as its report shows it."""

import html
import re
from pathlib import Path
from typing import Any

from wsl.errors import DataError

CONFIG = re.compile(r'<details id="config">.*?<pre>(.*?)</pre>', re.DOTALL)


def read_config(folder: str | Path) -> dict[str, Any]:
    """Return all keys of a run's config, after validation.

    Args:
        folder: of the finished run.

    Raises:
        DataError: the run has no report, which contains the config.
    """
    import yaml

    report = Path(folder, "report.html")
    if not report.is_file():
        raise DataError(f"{report} is missing, which contains the config of the run; runs of mixed zoos have none")
    match = CONFIG.search(report.read_text(encoding="utf-8"))
    if match is None:
        raise DataError(f"{report} contains no config; give the folder of a finished run, results/<run>")
    return yaml.safe_load(html.unescape(match[1]))
