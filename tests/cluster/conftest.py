"""A Slurm cluster of one node on the loopback address, all of whose files lie in one folder."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

DAEMONS = ("munged", "slurmctld", "slurmd")
COMMANDS = ("sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun")
CONFIG = """
ClusterName=pwgan
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,bf_interval=5
GresTypes=gpu
EnforcePartLimits=ALL
ReturnToService=2
# The node has as many CPUs as it says, whatever the machine has.
SlurmdParameters=config_overrides
# squeue must still know the jobs that the plugin asks for.
MinJobAge=7200
KillWait=10
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=100000 Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class Job(NamedTuple):
    """A job in Slurm's records; ``requested`` is what it asked for beside CPUs and memory, as ``gres:gpu:1``."""

    number: int
    rule: str
    state: str
    start: str
    end: str
    requested: str

    @classmethod
    def read(cls, line: str) -> Job:
        """Read a line of ``scontrol --oneliner show jobs``."""
        told = dict(re.findall(r"(\w+)=(\S*)", line))
        named = ("JobId", "Comment", "JobState", "StartTime", "EndTime", "TresPerJob")
        number, *others = (told.get(name, "") for name in named)
        return cls(int(number), *others)


class Cluster:
    """Slurm's daemons, started by ``start`` and stopped by ``stop``, by their process numbers."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.host = folder, _host()
        for name in ("state", "spool", "bin", "dev"):
            (folder / name).mkdir(parents=True)
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        text = CONFIG.format(folder=folder, host=self.host, user="root", ports=_free_ports(2), cpus=8)
        (folder / "slurm.conf").write_text(text)
        # Only of a character device does Slurm set CUDA_VISIBLE_DEVICES.
        device = folder / "dev/nvidia0"
        os.mknod(device, 0o600 | 0o020000, Path("/dev/null").stat().st_rdev)
        (folder / "gres.conf").write_text(f"NodeName={self.host} Name=gpu File={device}\n")
        # The executor of the plugin's job steps removes SLURM_CONF from the environment.
        for name in COMMANDS:
            wrapper = folder / "bin" / name
            wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which(name)} "$@"\n')
            wrapper.chmod(0o755)

    def environment(self) -> dict[str, str]:
        """Return the variables of a shell on the login node."""
        own = {key: value for key, value in os.environ.items() if not key.startswith(("SNAKEMAKE", "SLURM"))}
        return own | {"PATH": f"{self.folder / 'bin'}{os.pathsep}{own['PATH']}"}

    def start(self) -> None:
        """Start the daemons that do not run, and wait until the node takes jobs."""
        arguments = {
            "munged": [
                f"--{option}={self.folder}/{file}"
                for option, file in {
                    "key-file": "munge.key",
                    "socket": "munge.socket",
                    "pid-file": "munged.pid",
                    "log-file": "munged.log",
                    "seed-file": "munged.seed",
                }.items()
            ],
            "slurmctld": ["-f", f"{self.folder}/slurm.conf"],
            "slurmd": ["-f", f"{self.folder}/slurm.conf"],
        }
        for name in DAEMONS:
            if self.process(name) is None:
                subprocess.run([name, *arguments[name]], check=True)
        self.until(lambda: self.ask("sinfo", "-h", "-o", "%T").strip() in ("idle", "mixed", "allocated"), 60)

    def process(self, name: str) -> psutil.Process | None:
        """Return the running daemon of this cluster, if there is one."""
        with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
            found = psutil.Process(int((self.folder / f"{name}.pid").read_text()))
            if found.name() == name and found.status() != psutil.STATUS_ZOMBIE:
                return found
        return None

    def kill(self, name: str) -> None:
        """Kill a daemon with SIGKILL."""
        daemon = self.process(name)
        assert daemon is not None
        daemon.send_signal(signal.SIGKILL)
        self.until(lambda: self.process(name) is None, 10)

    def stop(self) -> None:
        """Cancel all jobs and stop the daemons."""
        if self.process("slurmctld"):
            self.ask("scancel", "--state=PENDING,RUNNING,SUSPENDED", "--user=root")
            with contextlib.suppress(AssertionError):
                self.until(lambda: not self.ask("squeue", "-h", "-t", "PENDING,RUNNING,COMPLETING"), 30)
        for name in reversed(DAEMONS):
            if daemon := self.process(name):
                daemon.terminate()
                try:
                    daemon.wait(15)
                except psutil.TimeoutExpired:
                    daemon.kill()

    def ask(self, *command: str) -> str:
        """Run one of Slurm's commands and return what it says."""
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=60, check=False)
        return done.stdout

    @staticmethod
    def until(condition: Callable[[], object], seconds: float) -> None:
        """Wait until a condition holds; fail after so many seconds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"not within {seconds} s"
            time.sleep(0.2)

    def jobs(self) -> list[Job]:
        """Return the jobs that have ended, as Slurm recorded them."""
        lines = self.ask("scontrol", "--oneliner", "show", "jobs").splitlines()
        found = [Job.read(line) for line in lines if line.startswith("JobId=")]
        return [job for job in found if job.state not in ("PENDING", "RUNNING", "COMPLETING")]


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def missing() -> str:
    """Return why no cluster can be started here, in words; nothing if one can."""
    if os.getuid() != 0:
        return "a Slurm of its own needs root"
    absent = [name for name in (*DAEMONS, *COMMANDS) if shutil.which(name) is None]
    if absent:
        return f"Slurm is not installed ({', '.join(absent)}); on Debian: apt-get install slurm-wlm munge"
    try:
        socket.gethostbyname(_host())
    except OSError:
        return f"Slurm must resolve the name of this machine: add 127.0.0.1 {_host()} to /etc/hosts"
    return ""


def _host() -> str:
    return socket.gethostname().partition(".")[0]


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A running cluster, whose records are printed at the end."""
    if not request.config.getoption("--cluster"):
        pytest.skip("starts a Slurm of its own: make test-cluster")
    if reason := missing():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="pwgan-slurm-") as folder:
        os.chmod(folder, 0o755)  # munged demands it for its socket
        running = Cluster(Path(folder))
        jobs = []
        try:
            running.start()
            yield running
            jobs = running.jobs()
        finally:
            running.stop()
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\nSlurm's records:", *(" ".join(map(str, job)) for job in jobs), sep="\n")
