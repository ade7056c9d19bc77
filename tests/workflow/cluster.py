"""A real Slurm of one node on loopback, with pretended GPUs: munged, slurmctld and slurmd, no service manager.

Needs root, since slurmd does, and Debian's packages munge, slurmctld, slurmd and slurm-client.
"""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
# Where Slurm looks by itself: the executor plugin hands no SLURM_CONF on to jobs.
CONFIG = Path("/etc/slurm/slurm.conf")
WAIT = 30  # seconds for the node to come up

SLURM_CONF = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={root}/munge.socket
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.log
# Nothing here needs cgroups or a database.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=5
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=600
KillWait=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=64000 Gres=gpu:{gpus} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Return why no Slurm can be brought up here, if so."""
    absent = [name for name in PROGRAMS if not shutil.which(name)]
    if absent:
        return f"{', '.join(absent)} not installed; `make slurm` does"
    if os.geteuid():
        return "slurmd needs root"
    if CONFIG.exists() and not CONFIG.is_symlink():
        return f"{CONFIG} is this machine's own"
    return None


class Cluster:
    """Brings Slurm up in a folder; a context.

    Args:
        root: an empty folder.
        gpus: pretended ones; Slurm numbers them from 0 and sets CUDA_VISIBLE_DEVICES.
    """

    def __init__(self, root: Path, gpus: int = 2):
        self.root, self.gpus, self.host = root, gpus, socket.gethostname().split(".")[0]

    def __enter__(self) -> "Cluster":
        root = self.root
        for name in ("state", "spool"):
            (root / name).mkdir()
        (root / "munge.key").write_bytes(os.urandom(128))
        (root / "munge.key").chmod(0o600)
        root.chmod(0o755)
        for gpu in range(self.gpus):
            # Slurm wants a device, whose last digits become its number: a twin of /dev/null.
            os.mknod(root / f"gpu{gpu}", 0o20666, os.makedev(1, 3))
        text = SLURM_CONF.format(host=self.host, root=root, gpus=self.gpus, ports=_free_ports())
        (root / "slurm.conf").write_text(text)
        gres = f"AutoDetect=off\nNodeName={self.host} Name=gpu File={root}/gpu[0-{self.gpus - 1}]\n"
        (root / "gres.conf").write_text(gres)
        (root / "cgroup.conf").write_text("ConstrainCores=no\nConstrainDevices=no\nConstrainRAMSpace=no\n")
        CONFIG.parent.mkdir(parents=True, exist_ok=True)
        CONFIG.unlink(missing_ok=True)
        CONFIG.symlink_to(root / "slurm.conf")
        munge = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munged.pid", "log-file": "munged.log"}
        munge["seed-file"] = "munged.seed"
        _run("munged", "--force", *(f"--{key}={root / name}" for key, name in munge.items()))
        _run("slurmctld", "-f", root / "slurm.conf", "-c")
        _run("slurmd", "-f", root / "slurm.conf", "-c", "-N", self.host)
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            # With no controller yet, sinfo would block for long.
            asked = subprocess.run(["timeout", "3", "sinfo", "-h", "-o", "%t"], capture_output=True, text=True)
            if asked.stdout.strip() == "idle":
                return self
            time.sleep(0.2)
        logs = "".join((root / f"{name}.log").read_text()[-2000:] for name in ("slurmctld", "slurmd"))
        self.__exit__()
        raise RuntimeError(f"Slurm did not come up:\n{logs}")

    def __exit__(self, *failure: object) -> None:
        subprocess.run(["timeout", "5", "scancel", "--me"], capture_output=True)
        for name in ("slurmd", "slurmctld", "munged"):
            path = self.root / f"{name}.pid"
            if path.is_file() and (pid := path.read_text().strip()):
                _stop(int(pid))
        if CONFIG.is_symlink() and CONFIG.readlink() == self.root / "slurm.conf":
            CONFIG.unlink()

    def jobs(self) -> list[dict[str, str]]:
        """Return every job that Slurm remembers: ``id``, ``state``, ``comment`` (of the plugin: its rule)."""
        asked = ["squeue", "--states=all", "-h", "-o", "%i|%T|%k"]
        lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
        return [dict(zip(("id", "state", "comment"), line.split("|"), strict=True)) for line in lines]

    def gpus_in_use(self) -> int:
        """Return how many GPUs running jobs hold."""
        shown = subprocess.run(["scontrol", "show", "node", "-d"], capture_output=True, text=True, check=True).stdout
        used = next(line for line in shown.splitlines() if "GresUsed" in line)
        return int(used.split("gpu:")[1].removeprefix("(null):").split("(")[0])


def _free_ports() -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _run(*command: object) -> None:
    subprocess.run([*map(str, command)], check=True, capture_output=True)


def _stop(pid: int) -> None:
    # A slurmd that cannot reach its controller ignores the first signal for minutes.
    for signal, seconds in ((15, 5), (9, 1)):
        end = time.monotonic() + seconds
        try:
            os.kill(pid, signal)
            while time.monotonic() < end:
                os.kill(pid, 0)
                time.sleep(0.05)
        except ProcessLookupError:
            return
