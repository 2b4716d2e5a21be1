"""Leases: one process at a time has the right to make a chunk, on one machine or on several."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from dml_analysis import leases
from tests import fake_data, small_script
from tests.conftest import ROOT, snapshot
from tests.small_script import settings_of

CODE = (
    "import sys; from dml_analysis.leases import leased; from pathlib import Path\n"
    "for number in (1, 2):\n"
    "    with leased(Path(sys.argv[1]), number) as ours: print(ours)\n"
)
HOLD = CODE.replace("print(ours)", "print(ours, flush=True); import time; time.sleep(60)")
# A process of a machine of another name, whose leases are short: small_script.py with another host's name and another DURATION.
OF_MACHINE = (
    "import socket, sys; socket.gethostname = lambda name=sys.argv[2]: name\n"
    "sys.path.insert(0, sys.argv[1]); from dml_analysis import leases\n"
    "leases.DURATION = 2.0; sys.argv = sys.argv[2:]\n"
    "from tests import small_script; small_script.main()"
)


def others(folder):
    """Whether another process gets leases 1 and 2."""
    found = subprocess.run(
        [sys.executable, "-c", CODE, folder], capture_output=True, text=True, check=True
    )
    return [word == "True" for word in found.stdout.split()]


def is_ours(folder, number=1):
    with leases.leased(folder, number) as ours:
        return ours


def test_what_one_has_another_does_not_get(tmp_path):
    with leases.leased(tmp_path, 1) as ours:
        assert ours and others(tmp_path) == [False, True]
    assert others(tmp_path) == [True, True] and not list(tmp_path.iterdir())


def test_a_dead_process_loses_its_lease_at_once(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "True\n"
    assert not is_ours(tmp_path)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert is_ours(tmp_path) and not list(tmp_path.iterdir())


def test_tidy(tmp_path):
    """Leases of the dead go, those of the living stay."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    )
    holder.stdout.readline()
    leases.tidy(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".00001.lease"]
    holder.kill()
    holder.wait()
    holder.stdout.close()
    leases.tidy(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_is_had_by_one_thread_at_a_time(tmp_path):
    file, inside, most = tmp_path / "numbers.csv", [], []

    def work():
        for _ in range(5):
            with leases.locked(file):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.005)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert max(most) == 1 and len(most) == 20 and not list(tmp_path.iterdir())


# ---------------------------------------------------------------------------------------------------------------------
# Several machines.
# ---------------------------------------------------------------------------------------------------------------------
def on_machine(name, folder, *options):
    command = [sys.executable, "-c", OF_MACHINE, ROOT, name, folder, *map(str, options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def chunks_made(process):
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return [line.split()[1] for line in out.splitlines() if line.startswith("making")]


@pytest.fixture
def alone(tmp_path):
    """The results of one process."""
    settings = settings_of(tmp_path / "alone")
    assert chunks_made(on_machine("one", settings.paths["results"])) == ["0", "1", "2"]
    return list(snapshot(settings.results).values())


def test_machines_share_the_chunks(tmp_path, alone):
    """Each chunk is made once, and no row is lost or doubled."""
    settings = settings_of(tmp_path / "shared")
    made = [
        chunks_made(each)
        for each in [on_machine(name, settings.paths["results"], "--slow", 1) for name in "ab"]
    ]
    assert sorted(made[0] + made[1]) == ["0", "1", "2"] and all(made)
    assert list(snapshot(settings.results).values()) == alone
    assert len(fake_data.read_rows(settings.results / "powers.csv")) == 12 and not list(
        settings.results.rglob(".*")
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_machine_that_is_gone(tmp_path, alone, how):
    """Its chunk is made by another after a lease. One that was only asleep ends its work all the same: the same bytes."""
    settings = settings_of(tmp_path / "shared")
    gone = on_machine("a", settings.paths["results"], "--slow", 2)
    while not gone.stdout.readline().startswith("making"):
        pass
    gone.send_signal(how)
    begin = time.monotonic()
    assert sorted(chunks_made(on_machine("b", settings.paths["results"]))) == ["0", "1", "2"]
    assert time.monotonic() - begin > 1.5  # a lease
    gone.send_signal(signal.SIGCONT)
    gone.communicate(timeout=60)
    assert gone.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 0)
    assert list(snapshot(settings.results).values()) == alone and not list(
        settings.results.rglob(".*")
    )


def test_a_killed_run_leaves_no_leases(tmp_path, alone):
    """A process that was killed when it had made its chunk, before it gave up its lease, leaves that to the next run."""
    settings = settings_of(tmp_path / "shared")
    stores = [small_script.store_of(settings, power) for power in (2, 3)]
    for store in stores:
        store.save(0, **small_script.powers(store, 0))
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD.replace("(1, 2)", "(0,)"), store.folder],
            stdout=subprocess.PIPE,
        )
        holder.stdout.readline()
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
        assert list(store.folder.glob(".*"))
    done = subprocess.run(
        [sys.executable, ROOT / "tests/small_script.py", settings.paths["results"]],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stdout.count("making") == 2, done.stderr
    assert list(snapshot(settings.results).values()) == alone and not list(
        settings.results.rglob(".*")
    )
