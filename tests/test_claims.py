"""Claims: who has one, who takes it over, and processes of different machines that share a folder."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dml_analysis import leases
from dml_analysis.errors import InputError
from tests import fake_data, small_stage
from tests.conftest import ROOT, snapshot
from tests.small_stage import settings_of

ELSEWHERE = "elsewhere-0-0 17 abc"
CLAIM = ".00001.claim"
CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); from dml_analysis.leases import claimed; from pathlib import Path\n"
    "for number in (1, 2):\n"
    "    with claimed(Path(sys.argv[2]), number) as ours: print(ours)"
)
# A process of a machine of another name, whose leases are short: small_stage.py with leases.machine and LEASE set.
OF_MACHINE = (
    "import sys; sys.path.insert(0, sys.argv[1]); from dml_analysis import leases\n"
    "leases.machine = lambda name=sys.argv[2]: name\n"
    "leases.LEASE, leases.RENEWAL = 2.0, 0.2; sys.argv = sys.argv[2:]\n"
    "from tests import small_stage; small_stage.main()"
)


def others(folder):
    """Whether another process gets claims 1 and 2."""
    found = subprocess.run([sys.executable, "-c", CODE, ROOT, folder], capture_output=True, text=True)
    return [word == "True" for word in found.stdout.split()]


def write_claim(folder, owner, seconds_ago=0.0):
    """A claim on part 1, renewed so long ago."""
    (folder / CLAIM).write_text(owner)
    moment = time.time() - seconds_ago
    os.utime(folder / CLAIM, (moment, moment))


def is_ours(folder, number=1):
    with leases.claimed(folder, number) as ours:
        return ours


# ---------------------------------------------------------------------------------------------------------------------
# One claim.
# ---------------------------------------------------------------------------------------------------------------------
def test_what_one_has_another_does_not_get(tmp_path):
    with leases.claimed(tmp_path, 1) as ours:
        assert ours and others(tmp_path) == [False, True]
        assert not is_ours(tmp_path)  # not even this process, a second time
    assert others(tmp_path) == [True, True] and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "owner, seconds_ago, free",
    [(ELSEWHERE, 0, False), (ELSEWHERE, leases.LEASE - 30, False), (ELSEWHERE, leases.LEASE + 30, True),
     ("{machine} {dead} abc", 0, True), ("{machine} {alive} abc", 0, False), ("elsewhere {dead} abc", 0, False),
     ("{machine} {alive} abc", leases.LEASE + 30, True), ("", 0, False), ("", leases.LEASE + 30, True),
     ("{machine} nobody", 0, False)],
)  # fmt: skip
def test_whose_claim_is_abandoned(tmp_path, owner, seconds_ago, free):
    """That of this machine's dead at once, any other after a lease."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    write_claim(tmp_path, owner.format(machine=leases.machine(), dead=dead.pid, alive=os.getppid()), seconds_ago)
    assert is_ours(tmp_path) is free
    assert [path.name for path in tmp_path.iterdir()] == ([] if free else [CLAIM])


def test_a_process_that_has_ended_is_dead_before_its_parent_asks(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    ended.stdout.read()
    deadline = time.monotonic() + 10
    while leases.lives(ended.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not leases.lives(ended.pid)
    ended.wait()
    ended.stdout.close()


def test_a_claim_is_renewed_while_it_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(leases, "RENEWAL", 0.05)
    with leases.claimed(tmp_path, 1):
        os.utime(tmp_path / CLAIM, (1, 1))
        time.sleep(0.5)
        assert (tmp_path / CLAIM).stat().st_mtime > time.time() - 60


def test_who_has_lost_a_claim_leaves_the_new_owners_alone(tmp_path, monkeypatch):
    """As after a sleep longer than a lease: neither renewed nor deleted."""
    monkeypatch.setattr(leases, "RENEWAL", 0.05)
    with leases.claimed(tmp_path, 1):
        write_claim(tmp_path, ELSEWHERE, seconds_ago=50)
        time.sleep(0.3)
    assert (tmp_path / CLAIM).read_text() == ELSEWHERE
    assert (tmp_path / CLAIM).stat().st_mtime < time.time() - 40


def test_a_claim_that_was_taken_over_just_before_is_put_back(tmp_path, monkeypatch):
    """Between the look at an old claim and its removal somebody else has removed it, and made a new one."""
    write_claim(tmp_path, ELSEWHERE, seconds_ago=leases.LEASE + 30)
    rename = os.rename

    def overtaken(source, target):
        monkeypatch.setattr(os, "rename", rename)
        write_claim(tmp_path, "third-0-0 5 new")
        rename(source, target)

    monkeypatch.setattr(os, "rename", overtaken)
    assert not is_ours(tmp_path)
    assert (tmp_path / CLAIM).read_text() == "third-0-0 5 new" and len(list(tmp_path.iterdir())) == 1


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


def test_tidy(tmp_path):
    """Abandoned claims go, others stay."""
    write_claim(tmp_path, ELSEWHERE, seconds_ago=leases.LEASE + 30)
    (tmp_path / ".00002.claim").write_text(ELSEWHERE)
    leases.tidy(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".00002.claim"]


def test_a_run_tidies_up(tmp_path, alone):
    """A process that was killed when it had made its part, before it gave up its claim, leaves that to the next run."""
    settings = settings_of(tmp_path / "shared")
    for number in (0, 1):
        stores = [small_stage.store_of(settings, power) for power in (2, 3)]
        for store, arrays in zip(stores, small_stage.make(stores, number, lambda ticks: None)):
            store.put(number, **arrays)
            write_claim(store.folder, ELSEWHERE, seconds_ago=leases.LEASE + 30)
    assert parts_made(on_machine("b", settings.paths["results"])) == ["2"]
    assert list(snapshot(settings.results).values()) == alone and not list(settings.results.rglob(".*"))


# ---------------------------------------------------------------------------------------------------------------------
# File systems.
# ---------------------------------------------------------------------------------------------------------------------
def test_a_file_system_that_will_do(tmp_path):
    leases.check(tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())


def creates_twice(file):
    file.write_text("me")
    return "me"


BAD = {
    "creates a file twice": lambda patch: patch.setattr(leases, "_created", creates_twice),
    "keeps a file's old time": lambda patch: patch.setattr(leases, "_renew", lambda *_: None),
    "does not rename": lambda patch: patch.setattr(os, "replace", lambda *_: None),
}


@pytest.mark.parametrize("what", BAD)
def test_a_file_system_that_will_not_do(tmp_path, monkeypatch, what):
    BAD[what](monkeypatch)
    with pytest.raises(InputError, match=f"{tmp_path}: its file system {what}"):
        leases.check(tmp_path)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------------------------------------------------------
# Several machines.
# ---------------------------------------------------------------------------------------------------------------------
def on_machine(name, folder, *options):
    command = [sys.executable, "-c", OF_MACHINE, ROOT, name, folder, *map(str, options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def parts_made(process):
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return [line.split()[1] for line in out.splitlines() if line.startswith("making")]


@pytest.fixture
def alone(tmp_path):
    """The results of one process."""
    settings = settings_of(tmp_path / "alone")
    assert parts_made(on_machine("one", settings.paths["results"])) == ["0", "1", "2"]
    return list(snapshot(settings.results).values())


def test_machines_share_the_parts(tmp_path, alone):
    """Each part is made once, and no row is lost or doubled. No lock is asked for that would hold on one machine alone."""
    settings = settings_of(tmp_path / "shared")
    made = [parts_made(each) for each in [on_machine(name, settings.paths["results"], "--slow", 1) for name in "ab"]]
    assert sorted(made[0] + made[1]) == ["0", "1", "2"] and all(made)
    assert list(snapshot(settings.results).values()) == alone
    assert len(fake_data.read_rows(settings.results / "powers.csv")) == 12 and not list(settings.results.rglob(".*"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_machine_that_is_gone(tmp_path, alone, how):
    """Its part is made by another after a lease. One that was only asleep ends its work all the same: the same bytes."""
    settings = settings_of(tmp_path / "shared")
    gone = on_machine("a", settings.paths["results"], "--slow", 2)
    while not gone.stdout.readline().startswith("making"):
        pass
    gone.send_signal(how)
    begin = time.monotonic()
    assert sorted(parts_made(on_machine("b", settings.paths["results"]))) == ["0", "1", "2"]
    assert time.monotonic() - begin > 1.5  # a lease
    gone.send_signal(signal.SIGCONT)
    gone.communicate(timeout=60)
    assert gone.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 0)
    assert list(snapshot(settings.results).values()) == alone and not list(settings.results.rglob(".*"))


def test_the_renderers_environment_has_what_claims_take():
    """It has the standard library alone."""
    source = Path(leases.__file__).read_text(encoding="utf-8")
    found = {line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert found - {"dml_analysis"} <= sys.stdlib_module_names and "dml_analysis" in found
