"""Weights & Biases: one run with a metric per curve; offline, unless the user is logged in."""

import netrc
import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wsl.watch.trackers.base import TRACKERS, Results, Tracker, place_of
from wsl.watch.written import News

# Variables of Weights & Biases.
MODE, ADDRESS, ENTITY, PROJECT = "WANDB_MODE", "WANDB_BASE_URL", "WANDB_ENTITY", "WANDB_PROJECT"
KEYS = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")
SETTINGS = {
    "silent": True,
    "console": "off",
    "disable_git": True,
    "disable_code": True,
    "x_disable_stats": True,
    "x_transaction_log_flush_interval": 1.0,  # seconds of values that are lost if this process is killed
}


@TRACKERS.register("wandb")
class WeightsAndBiases(Tracker):
    """One run: a start of a run takes most of a second, so that one per member would be slow.

    Metrics are named ``members/00017/train_loss``, and their horizontal axis is the epoch.
    """

    package = "wandb"

    def __init__(self, folder, run):
        super().__init__(folder, run)
        self._wandb = self.tool("wandb")
        self._mode = os.environ.get(MODE) or ("online" if _logged_in() else "offline")
        self._open: Any = None

    def place(self) -> str:
        """Return a digest of what the environment names."""
        return place_of(ADDRESS, ENTITY, PROJECT)

    @property
    def _logged(self) -> Any:
        """The run of Weights & Biases, which is started when it is needed."""
        if self._open is None:
            known = getattr(self._wandb.Settings, "model_fields", SETTINGS)  # those with x_ depend on its version
            self._open = self._wandb.init(
                project=os.environ.get(PROJECT) or "wsl",
                name=self.run,
                id=self.written.key,
                resume="allow",
                dir=str(self.folder.parent),  # it appends its own name
                mode=self._mode,
                settings=self._wandb.Settings(**{key: SETTINGS[key] for key in SETTINGS if key in known}),
            )
            self._open.define_metric("epoch", hidden=True)
            self._open.define_metric("*", step_metric="epoch")
        return self._open

    def log(self, news: News) -> None:
        """Write one row per epoch."""
        for row, epoch in enumerate(news.epochs):
            values = {f"{news.title}/{key}": value for key, value in epoch.values.items()}
            # Steps of a run must increase, and no number of an epoch does so over all curves.
            self._logged.log({"epoch": epoch.epoch, **values}, step=self.written.rows + row)

    def finish(self, results: Results, attempt: int) -> None:
        """Write the config, the numbers as summary, and the tables."""
        self._logged.config.update(dict(results.config), allow_val_change=True)
        self._logged.summary.update(dict(results.numbers))
        tables = {name: self._wandb.Table(dataframe=table) for name, table in results.tables.items()}
        if tables:
            self._logged.log(tables, step=self.written.rows)

    def close(self) -> None:
        """End the run of Weights & Biases, which writes or sends the rest."""
        if self._open is not None:
            self._open.finish()
            self._open = None

    def view(self) -> str:
        """Return where it is, or the command that sends it."""
        if self._mode == "online":
            return os.environ.get(ADDRESS) or "https://wandb.ai/home"
        return f"wandb sync {shlex.quote(str(self.folder))}/offline-run-*-{self.written.key}"


def _logged_in() -> bool:
    """Return whether there is a key, which only Weights & Biases itself reads."""
    if any(os.environ.get(key) for key in KEYS):
        return True
    host = urlsplit(os.environ.get(ADDRESS) or "https://api.wandb.ai").hostname
    files = [os.environ.get("NETRC"), Path.home() / ".netrc", Path.home() / "_netrc"]
    for path in files:
        with suppress(OSError, netrc.NetrcParseError):
            if path and netrc.netrc(path).authenticators(host):
                return True
    return False
