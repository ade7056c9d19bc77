"""MLflow: a local SQLite file or, with MLFLOW_TRACKING_URI, a server; one run, and a child run per curve."""

import logging
import os
import re
import shlex
import time
from typing import Any

from wsl.watch.trackers.base import TRACKERS, Results, Tracker, flat, grouped, place_of
from wsl.watch.written import News, titled

ADDRESS, EXPERIMENT = "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"  # variables of MLflow
MOST_METRICS, MOST_PARAMETERS, MOST_CHARACTERS = 1000, 100, 500  # in a request, and in a parameter
RUN, CURVE, PARENT = "wsl.run", "wsl.curve", "mlflow.parentRunId"  # tags


@TRACKERS.register("mlflow")
class MLflow(Tracker):
    """Runs of an experiment. MLflow itself ignores a value of an epoch that it already has."""

    package = "mlflow-skinny sqlalchemy alembic"

    def __init__(self, folder, run):
        super().__init__(folder, run)
        self._entities = self.tool("mlflow.entities")
        # After the import, which sets a level; messages about a new database help nobody.
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        self._address = os.environ.get(ADDRESS)
        if not self._address:
            self.tool("alembic")
        self._client = self.tool("mlflow.tracking").MlflowClient(self._address or f"sqlite:///{self._database}")
        name = os.environ.get(EXPERIMENT) or "wsl"
        found = self._client.get_experiment_by_name(name)
        place = {} if self._address else {"artifact_location": (self.folder.resolve() / "artifacts").as_uri()}
        self._experiment = found.experiment_id if found else self._client.create_experiment(name, **place)
        self._runs = self._existing()

    @property
    def _database(self) -> str:
        return (self.folder.resolve() / "mlflow.db").as_posix()

    def place(self) -> str:
        """Return a digest of what the environment names."""
        return place_of(ADDRESS, EXPERIMENT)

    def log(self, news: News) -> None:
        """Write metrics to the child run of a curve."""
        run = self._run(news.title, news.curve.epochs[0].time)
        metrics = [
            self._entities.Metric(key, value, round(1000 * epoch.time), epoch.epoch)
            for epoch in news.epochs
            for key, value in grouped(epoch).items()
        ]
        for part in _batches(metrics, MOST_METRICS):
            self._client.log_batch(run, metrics=part)
        if news.curve.done:
            self._client.set_terminated(run, end_time=round(1000 * news.curve.epochs[-1].time))

    def finish(self, results: Results, attempt: int) -> None:
        """Write the config as parameters, the numbers as metrics, and the tables as CSV files."""
        run = self._run(titled("", attempt))
        config = [
            self._entities.Param(_allowed(key), str(value)[:MOST_CHARACTERS])
            for key, value in flat(results.config, ".").items()
        ]
        for part in _batches(config, MOST_PARAMETERS):
            self._client.log_batch(run, params=part)
        now = round(1000 * time.time())
        metrics = [self._entities.Metric(_allowed(key), value, now, 0) for key, value in results.numbers.items()]
        for part in _batches(metrics, MOST_METRICS):
            self._client.log_batch(run, metrics=part)
        for name, table in results.tables.items():
            self._client.log_text(run, table.to_csv(index=False), f"{name}.csv")
        self._client.set_terminated(run)

    def close(self) -> None:
        """Do nothing: everything is written."""

    def view(self) -> str:
        """Return the command of its server, which only the full package has, or where the server is."""
        if self._address:
            return f"its server is in {ADDRESS}"
        return f"mlflow ui --backend-store-uri {shlex.quote(f'sqlite:///{self._database}')}"

    def _run(self, title: str, start: float | None = None) -> str:
        """Return the id of a run of MLflow; an empty title is the run itself."""
        if title not in self._runs:
            tags = {RUN: self.run, CURVE: title}
            if start is not None:
                tags[PARENT] = self._run("")
            begun = None if start is None else round(1000 * start)
            name = title if start is not None else f"{self.run}{title}"
            made = self._client.create_run(self._experiment, start_time=begun, tags=tags, run_name=name)
            self._runs[title] = made.info.run_id
        return self._runs[title]

    def _existing(self) -> dict[str, str]:
        """Return the ids of the runs of MLflow that are of this run, by title."""
        quote = '"' if "'" in self.run else "'"
        wanted = f"tags.`{RUN}` = {quote}{self.run}{quote}"
        found: dict[str, str] = {}
        token = None
        while True:
            page = self._client.search_runs([self._experiment], wanted, page_token=token)
            found |= {run.data.tags[CURVE]: run.info.run_id for run in page}
            token = page.token
            if not token:
                return found


def _allowed(name: str) -> str:
    """Return a name without characters that MLflow refuses."""
    return re.sub(r"[^\w/.\- :]", "_", name)


def _batches(items: list[Any], size: int) -> list[list[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
