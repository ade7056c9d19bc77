"""Jobs of the server are like those that a shell starts, and none outlives the workflow or the server."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from wsl.jobs import server
from wsl.launch.serving import SWITCH, JobServer, ServedJob, modules_of
from wsl.launch.stopping import PREFIX, jobs_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the server runs on Linux only")
PATIENCE = 60
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
ENDS = {
    "success": "print('made')",
    "code": "import sys; sys.exit(3)",
    "large code": "import sys; sys.exit(256 + 7)",
    "message": "import sys; sys.exit('ValueError: no index')",
    "killed": "import os; os.kill(os.getpid(), 9)",
    "terminated": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "stopped": "import os, signal, sys\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)); os.kill(os.getpid(), signal.SIGTERM)",
    "interrupted": "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('goes on')",
    "at exit": "import atexit, threading\natexit.register(print, 'last', end='')\n"
    "threading.Timer(0.1, print, ['thread']).start()",
    "surroundings": "import os, sys, json, tempfile\n"
    "own = {name: value for name, value in os.environ.items() if name not in ('_', 'SHLVL', 'LC_CTYPE')}\n"
    "print(json.dumps([os.getcwd(), own, sys.argv, sys.path, __name__, tempfile.gettempdir()], sort_keys=True))\n"
    "print(sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:3])",
}


@pytest.fixture
def served():
    """Makes a server of modules; all end with the test."""
    made = []

    def make(*modules: str, stopped=lambda: False) -> JobServer:
        made.append(JobServer(PREFIX, stopped))
        made[-1].start(modules, SimpleNamespace(sp=subprocess))
        return made[-1]

    yield make
    for each in made:
        each.close()


def command(folder: Path, code: str) -> str:
    script = folder / "job.py"
    script.write_text(code)
    return f"{PREFIX} {sys.executable} {script}"


def outcome(popen, command: str, printed: Path, **environment: str) -> tuple[int, str]:
    """Return the exit code of a job, and what it prints on both streams."""
    options = {"shell": True, "executable": "bash", "env": {**os.environ, **ONE_THREAD, **environment}}
    with open(printed, "w") as stream:
        code = popen(command, stdout=stream, stderr=stream, **options).wait()
    return code, printed.read_text()


def until(found) -> None:
    end = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("end", ENDS)
def test_a_served_job_is_like_one_that_a_shell_starts(end, served, tmp_path):
    job = command(tmp_path, ENDS[end])
    expected = outcome(subprocess.Popen, job, tmp_path / "printed", TMPDIR=str(tmp_path))
    workflow = served()
    started = []

    def popen(*arguments, **options):
        started.append(workflow.popen(*arguments, **options))
        return started[-1]

    assert outcome(popen, job, tmp_path / "printed", TMPDIR=str(tmp_path)) == expected
    assert isinstance(started[0], ServedJob)


def test_jobs_run_at_the_same_time_and_their_ends_are_told_apart(served, tmp_path):
    workflow = served("json")
    jobs = []
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        # Each waits until all have begun, for a minute at most; the last one ends first.
        code = f"import pathlib, sys, time; folder = pathlib.Path({str(tmp_path)!r})"
        code += f"\n(folder / '{number}.begun').touch()"
        code += "\nend = time.monotonic() + 60\nwhile len([*folder.glob('*.begun')]) < 4:\n    time.sleep(0.01)\n"
        code += f"    if time.monotonic() > end: sys.exit(9)\ntime.sleep({0.3 - number / 10}); sys.exit({number})"
        jobs.append(workflow.popen(command(tmp_path / str(number), code), env=dict(os.environ)))
    assert [job.wait() for job in jobs] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "job, options",
    [
        (f"{PREFIX} {sys.executable} job.py", {"env": {"OMP_NUM_THREADS": "2"}}),
        (f"{PREFIX} {sys.executable} job.py", {"stdout": subprocess.PIPE}),
        (f"{PREFIX} python job.py", {}),  # of a conda environment
        (f"{PREFIX} {sys.executable} job.py more", {}),
        (f"{sys.executable} job.py", {}),
        ("true", {}),
    ],
)
def test_other_commands_are_started_as_ever(job, options, served, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("job.py").touch()
    process = served().popen(job, shell=True, **options)
    process.communicate()
    assert isinstance(process, subprocess.Popen)


@pytest.mark.parametrize("no", ["switched off", "another system", "another Snakemake"])
def test_without_a_server_nothing_changes(no, served, monkeypatch):
    shell = SimpleNamespace(sp=subprocess)
    if no == "switched off":
        monkeypatch.setenv(SWITCH, "0")
    elif no == "another system":
        monkeypatch.setattr(sys, "platform", "darwin")
    else:
        shell = SimpleNamespace()
    workflow, before = JobServer(PREFIX, lambda: False), vars(shell).copy()
    workflow.start([], shell)
    workflow.stop()
    workflow.close()
    assert vars(shell) == before


def test_a_server_with_threads_gives_up_and_jobs_start_without_it(served, tmp_path, monkeypatch):
    (tmp_path / "threaded.py").write_text("import threading; threading.Thread(target=threading.Event().wait).start()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    options = {"shell": True, "executable": "bash", "env": dict(os.environ)}
    process = served("threaded").popen(command(tmp_path, "raise SystemExit(5)"), **options)
    assert isinstance(process, subprocess.Popen) and process.wait() == 5


def test_after_an_edit_jobs_see_the_new_code(served, tmp_path, monkeypatch):
    project = tmp_path / "project"
    for name in ("wsl/__init__.py", "wsl/errors.py", "wsl/jobs/__init__.py", "wsl/jobs/server.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(server.__file__).parents[2] / name, project / name)
    monkeypatch.setattr(server, "__file__", str(project / "wsl/jobs/server.py"))
    code = "import sys; sys.path.insert(0, 'project')\nimport wsl.errors; print(getattr(wsl.errors, 'EDITED', False))"
    monkeypatch.chdir(tmp_path)
    workflow, job = served("wsl.errors"), command(tmp_path, code)
    assert outcome(workflow.popen, job, tmp_path / "printed") == (0, "False\n")
    (project / "wsl/errors.py").write_text("EDITED = True\n")
    assert outcome(workflow.popen, job, tmp_path / "printed") == (0, "True\n")


WAITS = """
import os, signal, sys, time
from pathlib import Path

def end(*_):
    Path("stopped").touch()
    sys.exit(143)

if Path("process").exists():
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
Path("writing").write_text(str(os.getpid()))
Path("writing").rename("process")
while True:
    time.sleep(0.01)
"""


@pytest.fixture
def waiting(served, tmp_path, monkeypatch):
    """A server, a job of it that only ends by a signal, and the server's process."""
    monkeypatch.chdir(tmp_path)
    options = {"shell": True, "executable": "bash", "env": dict(os.environ)}
    workflow = served()
    job = workflow.popen(command(tmp_path, WAITS), **options)
    until(Path("process").exists)
    process = psutil.Process(int(Path("process").read_text()))
    assert process.pid == job.pid
    return workflow, job, process.parent()


def test_the_job_of_a_killed_server_ends_and_starts_again_without_it(waiting):
    _, job, parent = waiting
    parent.kill()
    assert job.wait() == 7 and Path("stopped").exists() and not psutil.pid_exists(job.pid)


@pytest.mark.parametrize("stop", [JobServer.stop, JobServer.close])
def test_a_stopped_server_stops_its_jobs(stop, waiting):
    workflow, job, parent = waiting
    stop(workflow)
    assert job.wait() == 143 and Path("stopped").exists()
    workflow.close()
    assert not parent.is_running() and not psutil.pid_exists(job.pid)


def test_jobs_are_found_to_be_stopped_and_the_server_is_not(waiting):
    _, job, parent = waiting
    assert [found.pid for found in jobs_of(psutil.Process())] == [job.pid] != [parent.pid]


def test_nothing_outlives_a_killed_workflow(tmp_path):
    (tmp_path / "job.py").write_text(WAITS)
    workflow = f"""
import os, subprocess, types
from wsl.launch.serving import JobServer
server = JobServer({PREFIX!r}, lambda: False)
server.start([], types.SimpleNamespace(sp=subprocess))
job = {f"{PREFIX} {sys.executable} {tmp_path / 'job.py'}"!r}
server.popen(job, shell=True, env=dict(os.environ)).wait()
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(server.__file__).parents[2])}
    running = subprocess.Popen([sys.executable, "-c", workflow], cwd=tmp_path, env=environment)
    until((tmp_path / "process").exists)
    processes = psutil.Process(running.pid).children(recursive=True)
    assert len(processes) == 2
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert psutil.wait_procs(processes, PATIENCE)[1] == [] and (tmp_path / "stopped").exists()


def test_modules_are_those_of_the_functions_of_this_package():
    found = modules_of(["wsl.zoo.index.write_index", "wsl.zoo.index.other", "wsl_plugins.x.fit"])
    assert found[-1] == "wsl.zoo.index" and found.count("wsl.zoo.index") == 1
    assert not any(name.startswith("wsl_plugins") for name in found)


def test_the_libraries_of_jobs_start_no_thread(served, tmp_path):
    """With a thread, the server gives up."""
    used = served("pyarrow", "pandas", "torch", "h5py", "sklearn.decomposition")
    job = used.popen(command(tmp_path, "import sys; sys.exit('torch' not in sys.modules)"), shell=True, env=ONE_THREAD)
    assert isinstance(job, ServedJob) and job.wait() == 0
