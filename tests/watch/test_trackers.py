"""What the tools get from trackers.

The tools are too large for the test environment. Where one is not installed, a small module with the parts of its
interface that are used takes its place. The same tests passed with MLflow 3.17.2 and trackio 0.43.0 themselves, which
they use if they are installed. For Weights & Biases 0.31.0, the rows in its files of offline runs were compared.
"""

import re
import sys
from collections import namedtuple
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

import pandas as pd
import pytest

from wsl.watch.curves import Curve
from wsl.watch.state import Epoch
from wsl.watch.trackers.base import TRACKERS, Results

REAL = {name: find_spec(name) is not None for name in ("mlflow", "trackio")}
TABLE = pd.DataFrame({"sampler": ["flow"], "accuracy": [0.5]})
CONFIG = {
    "zoo": {"members": 8, "classes": {"a*b": "x" * 7000}},
    "many": {f"key {place}": place for place in range(150)},
}
RESULTS = Results("first", CONFIG, {"accuracy/seen/a+b": 0.5}, {"accuracy": TABLE})


def epochs(*numbers, later=0.0):
    return [Epoch(number, 9, 1e9 + number + later, {"train_loss": number / 8}, "00017") for number in numbers]


@pytest.fixture
def feed(tmp_path):
    """Opens a tracker as a new process does, and gives it epochs of a member and results."""

    def give(name, rows, results=None, done=False):
        tracker = TRACKERS[name](tmp_path / name, "made-up")
        news = tracker.written.news(Curve("members/00017", rows, done, 0))
        if news is not None:
            tracker.log(news)
            tracker.written.add(news)
        attempt = results and tracker.written.attempt_of_results(results.digest)
        if attempt is not None:
            tracker.finish(results, attempt)
            tracker.written.add_results(results.digest, attempt)
        tracker.close()
        return tracker.view()

    return give


def follow(feed, name):
    """A run that is tracked by several processes, one of which repeats what is written; the training is resumed."""
    feed(name, epochs(0, 1))
    feed(name, epochs(0, 1))
    feed(name, epochs(0, 1, 2))
    feed(name, epochs(0, 1) + epochs(2, 3, later=60), done=True)
    feed(name, epochs(0, 1) + epochs(2, 3, later=60), RESULTS, done=True)
    return feed(name, epochs(0, 1) + epochs(2, 3, later=60), RESULTS, done=True)


FIRST, SECOND = [(0, 0), (1, 0.125), (2, 0.25)], [(0, 0), (1, 0.125), (2, 0.25), (3, 0.375)]


Metric = namedtuple("Metric", "key value timestamp step")


class Client:
    """MLflow's client with a store per address; it enforces its limits and, like SQLite, keeps equal values once."""

    stores: dict = {}  # noqa: RUF012

    def __init__(self, address):
        self.experiments, self.runs = self.stores.setdefault(address, ({}, {}))

    def get_experiment_by_name(self, name):
        return self.experiments.get(name)

    def create_experiment(self, name, artifact_location=None):
        self.experiments[name] = SimpleNamespace(experiment_id=name)
        return name

    def create_run(self, experiment_id, start_time=None, tags=None, run_name=None):
        info = SimpleNamespace(run_id=str(len(self.runs)), run_name=run_name, status="RUNNING", start_time=start_time)
        run = SimpleNamespace(info=info, data=SimpleNamespace(tags=tags, params={}), metrics=[], texts={})
        self.runs[info.run_id] = run
        return run

    def log_batch(self, run_id, metrics=(), params=()):
        assert len(metrics) <= 1000 and len(params) <= 100
        assert all(re.fullmatch(r"[\w/.\- :]+", one.key) for one in (*metrics, *params))
        run = self.runs[run_id]
        run.metrics += [one for one in metrics if one not in run.metrics]
        for one in params:
            assert len(one.value) <= 6000 and run.data.params.setdefault(one.key, one.value) == one.value

    def log_text(self, run_id, text, artifact_file):
        self.runs[run_id].texts[artifact_file] = text

    def set_terminated(self, run_id, end_time=None):
        self.runs[run_id].info.status, self.runs[run_id].info.end_time = "FINISHED", end_time

    def search_runs(self, experiment_ids, filter_string="", page_token=None):
        found = [run for run in self.runs.values() if not filter_string or "'made-up'" in filter_string]
        page = type("Page", (list,), {"token": None})(found[int(page_token or 0) :][:2])
        page.token = str(int(page_token or 0) + 2) if len(found) > int(page_token or 0) + 2 else None
        return page

    def get_metric_history(self, run_id, key):
        return [one for one in self.runs[run_id].metrics if one.key == key]


@pytest.fixture
def client(monkeypatch, tmp_path):
    """Makes a client of MLflow for the file of the tracker."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    if not REAL["mlflow"]:
        entities = {"Metric": Metric, "Param": lambda key, value: SimpleNamespace(key=key, value=value)}
        modules = {
            "mlflow": {},
            "mlflow.entities": entities,
            "mlflow.tracking": {"MlflowClient": Client},
            "alembic": {},
        }
        stand_in(monkeypatch, modules)
    from mlflow.tracking import MlflowClient

    return lambda: MlflowClient(f"sqlite:///{tmp_path.resolve()}/mlflow/mlflow.db")


def stand_in(monkeypatch, modules):
    for name, content in modules.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)


def test_mlflow_has_a_run_with_a_child_per_curve(feed, client, tmp_path):
    view = follow(feed, "mlflow")
    client, runs, token = client(), [], None
    while token or not runs:
        page = client.search_runs([client.get_experiment_by_name("wsl").experiment_id], page_token=token)
        runs, token = runs + list(page), page.token
    by_name = {run.info.run_name: run for run in runs}
    assert len(runs) == 3 and set(by_name) == {"made-up", "members/00017", "members/00017 (2)"}
    for name, expected in (("members/00017", FIRST), ("members/00017 (2)", SECOND)):
        run = by_name[name]
        history = client.get_metric_history(run.info.run_id, "loss/train")
        assert sorted((one.step, one.value) for one in history) == expected
        assert {one.timestamp // 1000 for one in history} >= {10**9, 10**9 + 1}
        assert run.data.tags["mlflow.parentRunId"] == by_name["made-up"].info.run_id
        assert run.info.start_time == 10**12
    about = by_name["members/00017 (2)"].info
    assert (about.status, about.end_time) == ("FINISHED", 10**12 + 63_000)
    parent = by_name["made-up"]
    assert parent.data.params["zoo.members"] == "8" and len(parent.data.params) == 152
    assert parent.data.params["zoo.classes.a_b"].startswith("xxx") and parent.info.status == "FINISHED"
    (number,) = client.get_metric_history(parent.info.run_id, "accuracy/seen/a_b")
    assert number.value == 0.5
    assert view == f"mlflow ui --backend-store-uri sqlite:///{tmp_path.resolve()}/mlflow/mlflow.db"


def test_mlflow_of_a_server_gets_everything_again_and_its_password_stays_in_memory(feed, client, monkeypatch, tmp_path):
    if REAL["mlflow"]:
        pytest.skip("it would look for the server")
    feed("mlflow", epochs(0, 1))
    address = "https://user:secret@tracking.example"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert feed("mlflow", epochs(0, 1)) == "its server is in MLFLOW_TRACKING_URI"
    assert [len(run.metrics) for run in Client.stores[address][1].values()] == [0, 2]  # the run, and its child
    files = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not any("secret" in text for text in files)


class Storage:
    """What trackio stores."""

    def __init__(self):
        self.rows, self.configs, self.open = {}, {}, None

    def init(self, project, name, group, config, resume, embed, auto_log_gpu, auto_log_cpu):
        assert (resume, embed, auto_log_gpu, auto_log_cpu) == ("allow", False, False, False)
        self.open = self.rows.setdefault((project, name), [])
        if config is not None:
            self.configs[project, name] = config
        print("* Created new run")

    def log(self, values, step):
        self.open.append({**values, "step": step})

    def finish(self):
        self.open = None

    def get_runs(self, project):
        return [name for of, name in self.rows if of == project]

    def get_logs(self, project, name):
        return self.rows[project, name]

    def get_run_config(self, project, name):
        return self.configs.get((project, name))


@pytest.fixture
def storage(monkeypatch, tmp_path):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # so that the variable is restored
    if REAL["trackio"]:
        from trackio.sqlite_storage import SQLiteStorage

        return SQLiteStorage
    monkeypatch.delenv("TRACKIO_DIR")
    made = Storage()
    tool = {"init": made.init, "log": made.log, "finish": made.finish, "Table": lambda dataframe: dataframe}
    stand_in(monkeypatch, {"trackio": tool})
    return made


def test_trackio_has_a_run_per_curve(feed, storage, tmp_path, capfd):
    view = follow(feed, "trackio")
    assert set(storage.get_runs("made-up")) == {"members/00017", "members/00017 (2)", "results"}
    for name, expected in (("members/00017", FIRST), ("members/00017 (2)", SECOND)):
        assert [(row["step"], row["loss/train"]) for row in storage.get_logs("made-up", name)] == expected
    (row,) = storage.get_logs("made-up", "results")
    assert row["accuracy/seen/a+b"] == 0.5 and "accuracy" in row
    assert storage.get_run_config("made-up", "results")["zoo"]["members"] == 8
    assert view == f"TRACKIO_DIR={tmp_path.resolve()}/trackio trackio show --project made-up"
    assert "Created" not in capfd.readouterr().out


class Logged:
    """A run of Weights & Biases, with what each process started it with."""

    def __init__(self):
        self.starts, self.rows, self.metrics, self.ends = [], [], [], 0
        self.config, self.summary = SimpleNamespace(update=self._configure), {}

    def _configure(self, content, allow_val_change):
        assert allow_val_change
        self.configured = content

    def init(self, **start):
        self.starts.append(start)
        return self

    def define_metric(self, name, step_metric=None, hidden=None):
        self.metrics.append((name, step_metric))

    def log(self, values, step):
        assert not self.rows or step > self.rows[-1][0]  # others are ignored
        self.rows.append((step, values))

    def finish(self):
        self.ends += 1


@pytest.fixture
def logged(monkeypatch, tmp_path):
    for name in (
        "WANDB_MODE",
        "WANDB_API_KEY",
        "WANDB_IDENTITY_TOKEN_FILE",
        "WANDB_BASE_URL",
        "WANDB_ENTITY",
        "NETRC",
        "WANDB_PROJECT",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    made = Logged()
    stand_in(monkeypatch, {"wandb": {"init": made.init, "Settings": dict, "Table": lambda dataframe: dataframe}})
    return made


def test_wandb_has_one_run_with_a_metric_per_curve(feed, logged, tmp_path):
    view = follow(feed, "wandb")
    assert len({start["id"] for start in logged.starts}) == 1 and len(logged.starts) == logged.ends == 4
    first = logged.starts[0]
    assert (first["project"], first["name"], first["resume"], first["mode"]) == ("wsl", "made-up", "allow", "offline")
    assert first["dir"] == str(tmp_path) and ("*", "epoch") in logged.metrics
    for title, expected in (("members/00017", FIRST), ("members/00017 (2)", SECOND)):
        rows = [row for _, row in logged.rows if f"{title}/train_loss" in row]
        assert [(row["epoch"], row[f"{title}/train_loss"]) for row in rows] == expected
    assert logged.rows[-1] == (7, {"accuracy": TABLE})
    assert logged.summary == RESULTS.numbers and logged.configured == CONFIG
    assert view == f"wandb sync {tmp_path}/wandb/offline-run-*-{first['id']}"


@pytest.mark.parametrize("login", ["key", "netrc", "other host", "mode"])
def test_wandb_is_online_only_for_users_who_are_logged_in(login, feed, logged, monkeypatch, tmp_path):
    if login == "key":
        monkeypatch.setenv("WANDB_API_KEY", "secret")
    elif login == "mode":
        monkeypatch.setenv("WANDB_API_KEY", "secret")
        monkeypatch.setenv("WANDB_MODE", "offline")
    else:
        host = "api.wandb.ai" if login == "netrc" else "elsewhere.example"
        (tmp_path / ".netrc").write_text(f"machine {host}\n  login user\n  password secret\n")
        (tmp_path / ".netrc").chmod(0o600)
    view = feed("wandb", epochs(0))
    expected = "online" if login in ("key", "netrc") else "offline"
    assert logged.starts[0]["mode"] == expected and "secret" not in view + str(logged.starts)
    assert view.startswith("https://") == (expected == "online")


def test_a_tracker_is_one_file_with_the_protocol():
    for name in TRACKERS:
        kind = TRACKERS[name]
        assert kind.__module__ == f"wsl.watch.trackers.{name}" and kind.package and not kind.__abstractmethods__
