"""A real Slurm on this one machine, of one node with two slots: installed, started, stopped. Debian or Ubuntu, as root."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

SLOTS = 2
PACKAGES = ("munge", "slurmctld", "slurmd", "slurm-client")
# Without control groups, which containers lack; tasks are put into slots by number of CPUs, whatever the machine has.
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={controller}
SlurmdPort={daemon}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
NodeName=here NodeHostname={host} NodeAddr=127.0.0.1 CPUs={slots} State=UNKNOWN
PartitionName=work Nodes=here Default=YES MaxTime=INFINITE State=UP
"""
READY = 60  # seconds that the daemons may take


class NotReady(Exception):
    """The programs are there, but not at work."""


def missing():
    """Why there cannot be a Slurm here; "" if there can."""
    if os.geteuid() != 0:
        return "this is not root"
    if not (shutil.which("slurmctld") or shutil.which("apt-get")):
        return "there is neither Slurm nor apt-get"
    return ""


def install():
    """Whether its programs are there, or could be had."""
    if all(shutil.which(each) for each in ("munged", "slurmctld", "slurmd", "sbatch")):
        return True
    quiet = {
        "stdout": subprocess.DEVNULL,
        "env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
    }
    steps = (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *PACKAGES],
    )
    return all(subprocess.run(each, **quiet).returncode == 0 for each in steps)


@contextmanager
def running(folder):
    """A cluster whose files are in the folder, for as long as the block lasts; yields what the environment needs to reach it."""
    environment = os.environ | {"SLURM_CONF": str(_configured(folder))}
    with _munge(folder), _daemons(folder, environment):
        _wait_until_ready(environment)
        yield environment


def _configured(folder):
    for name in ("state", "spool"):
        (folder / name).mkdir()
    host, (controller, daemon) = socket.gethostname(), _free_ports(2)
    text = CONFIGURATION.format(
        folder=folder, host=host, controller=controller, daemon=daemon, slots=SLOTS
    )
    (folder / "slurm.conf").write_text(text)
    return folder / "slurm.conf"


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def _munge(folder):
    """Slurm's programs trust each other by munge. One that runs already is taken as it is."""
    if subprocess.run(["munge", "-n"], capture_output=True).returncode == 0:
        yield
        return
    key = Path("/etc/munge/munge.key")
    if not key.exists():
        subprocess.run(["mungekey", "--create"], check=True)
    shutil.chown(key, "munge", "munge")
    for place in ("/run/munge", "/var/log/munge", "/var/lib/munge"):
        Path(place).mkdir(parents=True, exist_ok=True)
        shutil.chown(place, "munge", "munge")
    Path("/run/munge").chmod(0o755)
    daemon = subprocess.Popen(
        ["runuser", "-u", "munge", "--", "munged", "--foreground"], stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        daemon.terminate()
        daemon.wait()


@contextmanager
def _daemons(folder, environment):
    """slurmctld and slurmd."""
    commands = {"slurmctld": ["slurmctld", "-D"], "slurmd": ["slurmd", "-D", "-N", "here"]}
    started = []
    try:
        for name, command in commands.items():
            with open(folder / f"{name}.out", "wb") as output:
                started.append(
                    subprocess.Popen(
                        command, env=environment, stdout=output, stderr=subprocess.STDOUT
                    )
                )
        yield
    finally:
        subprocess.run(["scancel", "--user", "root"], env=environment, capture_output=True)
        time.sleep(2)  # in which tasks end
        for daemon in reversed(started):
            daemon.terminate()
            daemon.wait()


def _wait_until_ready(environment):
    for _ in range(READY):
        found = subprocess.run(
            ["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True
        )
        if found.stdout.strip() == "idle":
            return
        time.sleep(1)
    raise NotReady(
        f"Slurm does not start here: after {READY} s sinfo says {(found.stdout or found.stderr).strip()!r}"
    )
