"""trackio: a local dashboard in the style of Weights & Biases; one of its runs per curve."""

import io
import os
import shlex
from contextlib import redirect_stdout
from typing import Any

from wsl.errors import ConfigError
from wsl.watch.trackers.base import TRACKERS, Results, Tracker, grouped, place_of
from wsl.watch.written import News, titled

FOLDER = "TRACKIO_DIR"  # variables of trackio
SERVERS = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")
RESULTS = "results"


@TRACKERS.register("trackio")
class Trackio(Tracker):
    """A project with the name of the run. Epochs get the time at which they are written."""

    package = "trackio"

    def __init__(self, folder, run):
        super().__init__(folder, run)
        own = str(self.folder.resolve())
        self._own = os.environ.setdefault(FOLDER, own) == own  # trackio reads it during its import
        self._trackio = self.tool("trackio")

    def place(self) -> str:
        """Return a digest of what the environment names."""
        own = os.environ.get(FOLDER) == str(self.folder.resolve())
        return place_of(*SERVERS) if own else place_of(FOLDER, *SERVERS)

    def log(self, news: News) -> None:
        """Write the epochs to the run of the curve."""
        if news.epochs:
            self._write(news.title, {epoch.epoch: grouped(epoch) for epoch in news.epochs})

    def finish(self, results: Results, attempt: int) -> None:
        """Write the config, the numbers and the tables to a run of their own."""
        tables = {name: self._trackio.Table(dataframe=table) for name, table in results.tables.items()}
        self._write(titled(RESULTS, attempt), {0: {**results.numbers, **tables}}, dict(results.config))

    def close(self) -> None:
        """Do nothing: everything is written."""

    def view(self) -> str:
        """Return the command of its dashboard."""
        folder = f"{FOLDER}={shlex.quote(os.environ[FOLDER])} " if self._own else ""
        return f"{folder}trackio show --project {shlex.quote(self.run)}"

    def _write(self, title: str, rows: dict[int, dict[str, Any]], config: dict[str, Any] | None = None) -> None:
        quiet = {"embed": False, "auto_log_gpu": False, "auto_log_cpu": False}
        group = title.rpartition("/")[0] or None
        with redirect_stdout(io.StringIO()):  # two lines for every run
            try:
                self._trackio.init(project=self.run, name=title, group=group, config=config, resume="allow", **quiet)
            except ValueError as error:
                raise ConfigError(f"trackio refuses the project {self.run}: {error}") from error
            for step, values in rows.items():
                self._trackio.log(values, step=step)
            self._trackio.finish()
