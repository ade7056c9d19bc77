"""What a terminal shows of a part of the tiny run: started, interrupted, resumed, finished, damaged, failed."""

import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.slow
TARGET = "results/tiny/zoo/train.h5"  # four members, and what they need
WSL = (sys.executable, "-c", "import sys; from wsl.cli.main import app; sys.argv[0] = 'wsl'; app()")
SNAKEMAKE = (sys.executable, "-m", "snakemake")
PATIENCE = 300


@dataclass
class Shown:
    """What a command printed, without control codes, and its exit code; negative: the signal that ended it.

    ``forks`` counts the server of jobs and its forks at a signal, and ``left`` the processes that outlived the command.
    """

    text: str
    code: int
    forks: int = 0
    left: int = 0


class Terminal:
    """Runs commands in a project, on a terminal or not, and interrupts them."""

    def __init__(self, root: Path):
        self.root = root
        inherited = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
        self.environment = {**inherited, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(root), "TERM": "xterm"}

    def call(self, *command: str) -> Shown:
        return self.signalled(*command, number=None)

    def signalled(self, *command: str, number: int | None, when: Callable[[], bool] = lambda: True) -> Shown:
        """Run a command off a terminal, and send a signal to its processes, as a terminal does, at a moment."""
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        running = subprocess.Popen(command, cwd=self.root, env=self.environment, start_new_session=True, **streams)
        processes, forks = [], 0
        if number is not None:
            end = time.monotonic() + PATIENCE
            while running.poll() is None and time.monotonic() < end and not when():
                time.sleep(0.02)
            for process in psutil.Process(running.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    forks += any(part.endswith("wsl/jobs/server.py") for part in process.cmdline())
                    processes.append(process)
            os.killpg(running.pid, number)
        text = running.communicate(timeout=PATIENCE)[0]
        return Shown(text, running.returncode, forks, len(psutil.wait_procs(processes, timeout=5)[1]))

    def interrupted_on_terminal(self, *command: str, when: str) -> Shown:
        """Run a command on a terminal, and press Ctrl-C once its screen shows this."""
        process, terminal = pty.fork()
        if not process:
            os.chdir(self.root)
            os.execvpe(command[0], command, self.environment)
        read, pressed, end = b"", False, time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if select.select([terminal], [], [], 0.5)[0]:
                try:
                    read += os.read(terminal, 1 << 16)
                except OSError:  # the command has ended
                    break
            if not pressed and re.search(when, plain(read)):
                os.write(terminal, b"\x03")
                pressed = True
        return Shown(plain(read), os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))

    def torn(self) -> list[Path]:
        """Return files that are half-written, and locks."""
        folders = (self.root / "results", self.root / ".snakemake" / "locks")
        return [path for folder in folders for end in ("*.part", "*.lock") for path in folder.rglob(end)]


def plain(read: bytes) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", read.decode(errors="replace")).replace("\r", "\n")


def in_training(root: Path, members: int) -> Callable[[], bool]:
    """Return whether this many members are or were in training."""
    return lambda: len(list(root.glob("results/tiny/logs/train_cohort/*.log"))) >= members


@pytest.fixture(scope="module")
def story(new_project, tiny_config, change):
    """What the commands of a story show, and the files that some of them leave otherwise than they should."""
    project = new_project(change(tiny_config, zoo__max_epoch=20))  # long enough to be interrupted
    terminal = Terminal(project.root)
    asked = ("--configfile", "tiny.yaml", "--cores", "2", TARGET)
    run = (*WSL, "run", "tiny.yaml", "--cores", "2", "--resume", "make run", "--", TARGET)
    watch = (*WSL, "watch", "results/tiny", "--once")
    shown, torn = {}, {}
    started = in_training(project.root, 1)
    shown["interrupted"] = terminal.signalled(*SNAKEMAKE, *asked, number=signal.SIGINT, when=started)
    torn["interrupted"] = terminal.torn()
    shown["watched, interrupted"] = terminal.call(*watch)
    shown["on a terminal"] = terminal.interrupted_on_terminal(*run, when=r"\n *train_cohort/\d+")
    torn["on a terminal"] = terminal.torn()
    begun = len(list(project.root.glob("results/tiny/logs/train_cohort/*.log")))
    running = in_training(project.root, begun + 1)
    shown["terminated"] = terminal.signalled(*run, number=signal.SIGTERM, when=running)
    torn["terminated"] = terminal.torn()
    shown["finished"] = terminal.call(*run)
    shown["watched, finished"] = terminal.call(*watch)
    shown["again"] = terminal.call(*run)
    member = next((project.root / "results/tiny/zoo/members").glob("*.h5"))
    content = member.read_bytes()
    member.unlink()
    shown["watched, deleted"] = terminal.call(*watch)
    _, *again = shlex.split(shown["watched, deleted"].text.rpartition("Make again: ")[2])
    shown["made again"] = terminal.call(*SNAKEMAKE, *again)
    torn["made again"] = [] if member.is_file() and member.read_bytes() == content else [member]
    shown["watched, made again"] = terminal.call(*watch)
    project.append(
        "wsl/zoo/index.py", "\n\ndef write_index(paths, out, members):\n    raise ValueError('no [bold] index')\n"
    )
    shown["failed"] = terminal.call(*SNAKEMAKE, *asked)
    shown["failed run"] = terminal.call(*run)
    return shown, torn


def last_lines(shown: Shown, count: int = 1) -> list[str]:
    return [line for line in shown.text.splitlines() if line.strip()][-count:]


@pytest.mark.parametrize("name, number", [("interrupted", 2), ("on a terminal", 2), ("terminated", 15)])
def test_a_stopped_run_ends_with_one_line_and_leaves_nothing_torn(story, name, number):
    shown, torn = story
    assert shown[name].code == 128 + number, shown[name].text
    assert "Traceback" not in shown[name].text and "Error" not in shown[name].text
    command = (
        "snakemake --configfile tiny.yaml --cores 2 results/tiny/zoo/train.h5" if name == "interrupted" else "make run"
    )
    word = {2: "Interrupted", 15: "Terminated"}[number]
    (line,) = last_lines(shown[name])
    assert re.fullmatch(rf"{word}; finished files are kept\. Resume: \S*{re.escape(command)}", line)
    assert shown[name].text.count("Resume") == 1 and torn[name] == [] and shown[name].left == 0
    assert shown[name].forks >= 2 or name == "on a terminal"


def test_a_watch_agrees_after_ctrl_c(story):
    shown, _ = story
    watched = shown["watched, interrupted"]
    assert watched.code == 1 and "interrupted after" in watched.text and "failed" not in watched.text
    assert "Resume: " in watched.text


def test_snakemake_prints_short_lines(story):
    shown, _ = story
    lines = shown["interrupted"].text.splitlines()
    started = [line for line in lines if re.search(r"starts train_cohort/\d{5}$", line)]
    assert 1 <= len(started) <= 2 and "reason" not in shown["interrupted"].text
    assert max(map(len, lines)) < 250 and len(lines) < 60


def test_a_terminal_shows_stages_and_what_runs(story):
    shown, _ = story
    text = shown["on a terminal"].text
    assert re.search(r"tiny: \d+ of \d+ outputs; members: train \d/4\n+ \d+ (s|min) so far; ", text)
    assert re.search(r"\n *images +\S+ +\d+/\d+", text) and re.search(r"\n *zoo .* train_cohort \d/4", text)


def test_elsewhere_there_are_lines_and_the_end_names_the_log(story, new_project):
    shown, _ = story
    finished = shown["finished"]
    assert finished.code == 0 and "\x1b" not in finished.text
    assert re.search(r"^\d\d:\d\d:\d\d \d+ of (\d+) outputs; .* so far; ", finished.text, re.MULTILINE)
    assert re.search(r"^tiny: (\d+) of \1 outputs; members: train 4/4; complete, took ", finished.text, re.MULTILINE)
    assert last_lines(finished) == ["Full log: results/tiny/logs/snakemake.log"]
    assert shown["watched, finished"].code == 0
    assert shown["again"].code == 0 and "tiny: nothing to do" in shown["again"].text


def test_deleted_files_are_noticed_and_the_advice_makes_them_again(story):
    shown, torn = story
    assert shown["watched, deleted"].code == 1 and "Deleted since the run ended: " in shown["watched, deleted"].text
    assert shown["made again"].code == 0 and not torn["made again"], shown["made again"].text
    assert "starts train_cohort/" in shown["made again"].text
    assert shown["watched, made again"].code == 0


@pytest.mark.parametrize("name", ["failed", "failed run"])
def test_a_failure_shows_rule_log_and_error(story, name):
    shown, _ = story
    assert shown[name].code == 1 and "Traceback" not in shown[name].text
    assert "index_part/train" in shown[name].text and "ValueError: no [bold] index" in shown[name].text
    assert "results/tiny/logs/index_part/train.log" in shown[name].text
    assert max(map(len, shown[name].text.splitlines())) < 250


def test_a_config_that_is_refused_is_one_message(story, plain_snakemake, tiny_config, tmp_path):
    refused = plain_snakemake({**tiny_config, "sed": 1}, "--cores", "1", "--quiet", "host", "reason")
    assert refused.returncode == 1
    assert [line.split(";")[0] for line in refused.stdout.splitlines()[1:]] == [
        "the config cannot be run:",
        "  sed: unknown key",
    ]


def test_a_dry_run_is_short(plain_snakemake, tiny_config):
    planned = plain_snakemake(tiny_config, "-n", "--quiet", "host", "reason")
    lines = planned.stdout.splitlines()
    assert planned.returncode == 0 and len(lines) < 100 and max(map(len, lines)) < 250
    assert re.search(r"^ +train_cohort +8$", planned.stdout, re.MULTILINE)
