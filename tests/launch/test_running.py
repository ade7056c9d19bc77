"""`wsl run` without jobs; complete runs are in tests/workflow/test_terminal.py."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
import yaml
from typer.testing import CliRunner

from wsl.cli.main import app
from wsl.errors import ConfigError
from wsl.launch.running import LOG, Ending, _opened

CONFIG = {"run": "one", "images": {"source": "digits", "classes": 5}, "zoo": {"members": 8}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a config and a workflow: ``project(snakefile)``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(CONFIG))

    def make(snakefile: str):
        (tmp_path / "Snakefile").write_text(snakefile)
        return tmp_path

    return make


def run(*arguments, code):
    done = CliRunner().invoke(app, ["run", "one.yaml", "--cores", "1", "--resume", "make run", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def test_a_workflow_that_cannot_start_is_its_message_and_the_log(project):
    project("from snakemake.exceptions import WorkflowError\nraise WorkflowError('the disk is full')\n")
    output = run(code=1).splitlines()
    assert output == ["one: the disk is full", f"Full log: results/one/{LOG}", "Resume: make run"]


def test_a_complete_run_has_nothing_to_do_and_arguments_reach_snakemake(project):
    folder = project("rule all:\n    input: 'made'\nrule other:\n    output: 'made'\n    shell: 'touch made'\n")
    (folder / "made").touch()
    assert run(code=0).splitlines()[0] == "one: nothing to do"
    run("--", "--forcerun", "other", code=0)
    assert "rule other:" in (folder / "results" / "one" / LOG).read_text()


def test_a_config_that_is_refused_starts_nothing(project):
    folder = project("")
    (folder / "one.yaml").write_text(yaml.safe_dump({**CONFIG, "sed": 1}))
    assert "sed: unknown key" in run(code=1) and not (folder / "results").exists()


def test_a_run_that_another_process_makes_is_left_alone(project):
    log = project("") / "results" / "one" / LOG
    log.parent.mkdir(parents=True)
    log.write_text("so far")
    with open(log) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "is being made by another process; watch it: wsl watch results/one" in run(code=1)
    assert log.read_text() == "so far"


def test_processes_that_outlive_the_command_keep_the_lock(tmp_path):
    log = tmp_path / "results" / "one" / LOG
    with _opened(log) as file:
        child = subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=file)  # Snakemake, and a job of it
    while not log.read_text():
        time.sleep(0.01)
    child.kill()
    child.wait()
    with pytest.raises(ConfigError, match="is being made by another process"), _opened(log):
        pass
    os.kill(int(log.read_text()), signal.SIGKILL)
    for _ in range(500):  # until the system has ended it
        with suppress(ConfigError), _opened(log):
            return
        time.sleep(0.01)
    pytest.fail("the lock outlives all processes")


def test_the_command_to_resume_is_that_of_wsl_run(project, monkeypatch, capfd):
    project("import os\nprint('Resume:', os.environ.get('WSL_COMMAND'))\nrule all:\n    output: 'made'\n")
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/wsl", "run"])
    assert CliRunner().invoke(app, ["run", "one.yaml", "--cores", "2", "--", "-n", "--config", "seed=3"]).exit_code == 0
    assert "Resume: /somewhere/bin/wsl run one.yaml --cores 2 -- -n --config seed=3" in capfd.readouterr().out


def test_the_end_of_a_long_log_is_shown_without_chatter(tmp_path):
    log = tmp_path / "snakemake.log"
    log.write_text("Building DAG of jobs...\n" + "".join(f"line {number}\n" for number in range(500)))
    printed = Ending(1, False, None, log).printed.splitlines()
    assert len(printed) == 40 and printed[-1] == "line 499"
    log.write_text("Building DAG of jobs...\nWorkflowError:\nno\n")
    assert Ending(1, False, None, log).printed == "WorkflowError:\nno"


def test_no_torch_is_imported_by_the_commands_that_only_start_and_watch(tmp_path):
    code = (
        "import sys, wsl.cli.main, wsl.launch.running, wsl.launch.planning, wsl.launch.brief\n"
        "import wsl.watch.screen, wsl.watch.tracking, wsl.watch.trackers.tensorboard\n"
        "sys.exit(str({'torch', 'snakemake', 'sklearn'} & set(sys.modules) or '') or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
