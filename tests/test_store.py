"""The one mechanism of results: stores, what they are made of, views, and several processes at once."""

import argparse
import json
import os
import re
import socket
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest

from dml_analysis import leases
from dml_analysis.errors import Finished, InputError, MissingFile, Unmeasured
from dml_analysis.files import atomic_files
from dml_analysis.store import check_all
from tests import fake_data, small_script
from tests.conftest import ROOT, snapshot
from tests.small_script import OPTIONS, compute, powers, settings_of, store_of, views


def options(**changes):
    return argparse.Namespace(**vars(OPTIONS) | changes)


@pytest.fixture
def settings(tmp_path):
    return settings_of(tmp_path)


@pytest.fixture
def whole(settings):
    """The settings of a run that is finished."""
    compute(settings)
    return settings


# ---------------------------------------------------------------------------------------------------------------------
# Stores.
# ---------------------------------------------------------------------------------------------------------------------
def test_what_is_put_is_got(settings):
    store = store_of(settings, 2)
    assert store.missing() == [0, 1, 2] and not store.is_complete()
    store.save(1, value=[9, 16], digits=[(0, 9), (1, 6)])
    assert store.missing() == [0, 2] and store.load(1)["value"].tolist() == [9.0, 16.0]
    assert store.load(1, "digits")["digits"].dtype == np.int64
    assert json.loads((store.folder / "provenance.json").read_text()) == store.provenance
    with pytest.raises(MissingFile, match="00000.npz: missing"):
        store.read()
    for number in (0, 2):
        store.save(number, **powers(store, number))
    assert store.read("value")["value"].tolist() == [0, 1, 4, 9, 16, 25]


@pytest.mark.parametrize(
    "provenance, message",
    [({"digits": "last"}, "was made with digits = its default, but now digits = last"),
     ({"base": 10}, "was made with base = its default, but now base = 10"),
     ({"seed": 1}, "was made with seed = 0, but now seed = 1"),
     ({"batch_size": 8}, "was made with batch_size = 32, but now batch_size = 8"),
     ({"reached": 0.5}, "was made with reached = none, but now reached = 0.5"),
     ({"numbers": ["0"]}, "was made with numbers = ")],
)  # fmt: skip
def test_things_of_different_making_are_refused(whole, provenance, message):
    store = store_of(whole, 2, **provenance)
    before = snapshot(whole.results)
    for use in (
        store.check,
        store.missing,
        lambda: store.save(0, value=[0] * 3, digits=[(0, 0)] * 3),
    ):
        with pytest.raises(InputError, match=message):
            use()
    assert snapshot(whole.results) == before and store.digest != store_of(whole, 2).digest


def test_all_stores_of_different_making_are_counted(whole):
    stores = [store_of(whole, 2, base=10), store_of(whole, 3), store_of(whole, 2, base=10)]
    with pytest.raises(
        InputError,
        match="power2: was made with base = its default, but now base = 10; restore what",
    ):
        check_all(stores)
    stores[1] = store_of(whole, 3, base=10)
    with pytest.raises(
        InputError, match=r"power2: .* base = 10 \(2 of 2 such folders differ\); restore"
    ):
        check_all(stores)


def test_parts_of_unknown_making_are_refused(whole):
    store = store_of(whole, 2)
    (store.folder / "provenance.json").unlink()
    with pytest.raises(InputError, match="has chunks, but no provenance.json"):
        store.missing()


def with_arrays(**arrays):
    def spoil(file):
        with np.load(file) as part:
            found = dict(part)
        np.savez(
            file, **{name: array for name, array in (found | arrays).items() if array is not None}
        )

    return spoil


BROKEN_PARTS = {
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-30]),
    "another kind of array file": lambda file: np.save(file.open("wb"), np.zeros(3)),
    "other rows": with_arrays(rows=np.array(["0", "1", "7"])),
    "other shape": with_arrays(digits=np.zeros((3, 5), int)),
    "objects": with_arrays(value=np.array([{}, {}, {}])),
    "an array less": with_arrays(value=None),
    "a flipped bit": lambda file: file.write_bytes(
        (b := bytearray(file.read_bytes())).__setitem__(150, b[150] ^ 1) or b
    ),
}


@pytest.mark.parametrize("spoil", BROKEN_PARTS.values(), ids=BROKEN_PARTS)
def test_broken_parts(whole, spoil):
    """One line that names the part; once that is deleted, the next run makes it again."""
    store, before = store_of(whole, 2), snapshot(whole.results)
    spoil(store.folder / "00000.npz")
    with pytest.raises(InputError, match="00000.npz: not a readable chunk .*delete it") as error:
        compute(whole)
    assert "\n" not in str(error.value)
    store.discard(0)
    compute(whole)
    assert snapshot(whole.results) == before


def test_parts_grow_by_arrays(settings):
    """What a part has stays when others are added; the bytes do not depend on the order."""
    wanted = {
        name: store_of(settings, 2)._replace(required=(name,)) for name in ("value", "digits")
    }
    arrays = powers(store_of(settings, 2), 1)
    for name, store in wanted.items():
        assert store.is_missing(1)
        store.save(1, **{name: arrays[name]})
        assert not store.is_missing(1)
    grown, file = store_of(settings, 2), store_of(settings, 2).folder / "00001.npz"
    assert grown.load(1)["value"].tolist() == arrays["value"] and grown.common() == set()
    content = file.read_bytes()
    file.unlink()
    for name in reversed(wanted):
        wanted[name].save(1, **{name: arrays[name]})
    assert file.read_bytes() == content
    file.write_bytes(content[:-20])
    with pytest.raises(InputError, match="00001.npz: not a readable chunk"):
        wanted["value"].is_missing(1)


@pytest.mark.parametrize("content", [b"", b"[1]", b"[" * 100_000])
def test_a_broken_provenance(whole, content):
    file = store_of(whole, 2).folder / "provenance.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match="provenance.json: not readable"):
        compute(whole)


# ---------------------------------------------------------------------------------------------------------------------
# Stages and views.
# ---------------------------------------------------------------------------------------------------------------------
def test_a_run_makes_what_is_missing(settings, capsys):
    made = []
    store_of(settings, 3).save(1, **powers(store_of(settings, 3), 1))
    compute(settings, begin=lambda chunk: made.append((chunk.number, subjects(chunk), chunk.rows)))
    rows = [slice(0, 3), slice(3, 5), slice(5, 6)]
    assert made == [(0, [2, 3], rows[0]), (1, [2], rows[1]), (2, [2, 3], rows[2])]
    assert "powers: 6 numbers to do, in 3 chunks" in capsys.readouterr().out
    rows = fake_data.read_rows(settings.results / "powers.csv")
    assert [float(row["value"]) for row in rows] == [0, 1, 4, 9, 16, 25, 0, 1, 8, 27, 64, 125]
    compute(settings, make=None)
    assert "all powers exist" in capsys.readouterr().out


def subjects(chunk):
    return [store.subject for store in chunk.stores]


def test_a_chunk_that_was_not_saved(settings):
    """A slip of whoever writes a script ends it, rather than let it run for ever."""
    work = [("powers", [store_of(settings, 2)])]
    with pytest.raises(RuntimeError, match="powers: chunk 0 was not saved"):
        for _ in small_script.todo(work, "powers", small_script.Run(settings, OPTIONS, "x.py", {})):
            pass


def test_views_have_whole_stores_of_the_whole_run(settings):
    """A narrowed run leaves the rows of others as they are, and shows none of a store that is not whole."""
    compute(settings, [3])
    first = store_of(settings, 2)
    first.save(0, **powers(first, 0))
    compute(settings, [3])
    assert {row["power"] for row in fake_data.read_rows(settings.results / "powers.csv")} == {"3"}
    compute(settings, [2])
    rows = fake_data.read_rows(settings.results / "powers.csv")
    assert [row["power"] for row in rows] == ["2"] * 6 + ["3"] * 6


def test_a_view_does_not_mix_things_of_different_making(whole):
    with pytest.raises(
        InputError, match="power2: was made with base = its default, but now base = 10"
    ):
        compute(whole, [2], files=views(whole, base=10))


def test_a_dry_run_writes_nothing(settings, capsys):
    with pytest.raises(Finished):
        compute(settings, options=options(dry_run=True), make=None)
    assert re.search(
        r"powers: 6 numbers to do, in 3 chunks\ndisk: 0\.0 GB in .* GB free",
        capsys.readouterr().out,
    )
    assert not settings.results.exists()


def test_no_room_on_the_disk(settings, monkeypatch):
    monkeypatch.setattr(atomic_files, "free_space", lambda folder: 6 * 2 * 24 - 1)
    with pytest.raises(
        InputError, match="small: the powers to come take 0.0 GB, but only 0.0 GB are free"
    ):
        compute(settings)
    assert not settings.results.exists()


@pytest.mark.parametrize("no_wait", [False, True])
def test_what_cannot_be_made_does_not_stop_the_rest(settings, capsys, no_wait):
    """A line for each store at the end; its rows are missing, and the next run tries again, this store alone."""
    begun = []

    def partly(store, number):
        return InputError("no\nthirds") if store.subject == 3 else powers(store, number)

    changed = options(no_wait=no_wait)
    for expected in ([[2, 3], [2], [2]], [[3]]):
        begun.clear()
        with pytest.raises(
            Unmeasured, match="powers: 1 could not be measured, see above; the others are"
        ):
            compute(
                settings,
                options=changed,
                make=partly,
                begin=lambda chunk: begun.append(subjects(chunk)),
            )
        assert begun == expected and "not measured: no\\nthirds\n" in capsys.readouterr().err
    assert store_of(settings, 2).is_complete() and store_of(settings, 3).missing() == [0, 1, 2]
    rows = fake_data.read_rows(settings.results / "powers.csv")
    assert [row["power"] for row in rows] == ["2"] * 6
    compute(settings, options=changed)
    assert store_of(settings, 3).is_complete()


def test_what_is_gone_while_it_is_not_needed(whole):
    """A record that is broken is not read for results, but a script that makes some does not write over it."""
    (whole.results / "run.json").write_text("broken")
    compute(whole)
    store_of(whole, 2).discard(0)
    with pytest.raises(InputError, match="run.json: not readable"):
        compute(whole)


# ---------------------------------------------------------------------------------------------------------------------
# Several processes at once.
# ---------------------------------------------------------------------------------------------------------------------
def start(settings, *options):
    command = [sys.executable, small_script.__file__, settings.paths["results"], *map(str, options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(*processes):
    """(exit status, numbers of the parts that it made, errors) of each."""
    outputs = [process.communicate(timeout=60) for process in processes]
    return [
        (
            process.returncode,
            [line.split()[1] for line in out.splitlines() if line.startswith("making")],
            errors,
        )
        for process, (out, errors) in zip(processes, outputs)
    ]


def test_processes_share_the_parts_and_wait_for_each_other(settings, tmp_path):
    found = ended(*(start(settings, "--slow", 0.5) for _ in range(3)))
    assert [status for status, *_ in found] == [0, 0, 0]
    assert sorted(number for _, numbers, _ in found for number in numbers) == [
        "0",
        "1",
        "2",
    ]  # each once
    alone = settings_of(tmp_path / "alone")
    compute(alone)
    ours, theirs = snapshot(settings.results), snapshot(alone.results)
    assert list(ours.values()) == list(theirs.values()) and len(ours) == 2 * 4 + 1
    assert not list(settings.results.rglob(".*"))


def first_line(process):
    assert process.stdout.readline() and process.stdout.readline()  # what is to do
    return process.stdout.readline().strip()


def test_a_chunk_of_several_stores_is_made_by_one_process(settings):
    """Whoever does not get the leases of all of them takes none."""
    first, second = (store_of(settings, power) for power in (2, 3))
    with leases.leased(second.folder, 0):
        ((status, numbers, _),) = ended(start(settings, "--no-wait"))
    assert (status, numbers) == (3, ["1", "2"])
    assert first.is_missing(0) and second.is_missing(0)


def test_no_wait(settings):
    """Ends at once with status 3, and says what is left."""
    slow = start(settings, "--slow", 3)
    assert first_line(slow) == "making 0"
    ((status, numbers, errors),) = ended(start(settings, "--no-wait"))
    assert (status, numbers) == (3, ["1", "2"])
    assert "unfinished: powers: other processes make 1 chunks; run this command again" in errors
    assert ended(slow)[0][0] == 0
    assert ended(start(settings, "--no-wait"))[0][0] == 0


def test_the_work_of_a_dead_process_is_taken_over(settings):
    dying = start(settings, "--slow", 2, "--die", 0)
    assert first_line(dying) == "making 0"
    other = start(settings)  # it waits for the first part
    (dead, *_), (status, numbers, _) = ended(dying, other)
    assert (status, numbers, dead) == (0, ["1", "2", "0"], 9)
    assert len(fake_data.read_rows(settings.results / "powers.csv")) == 12


def test_what_a_kill_left_half_written_is_removed(settings):
    """By whoever writes the same file next; not what a process that lives, or one of another host, is writing."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host, folder = socket.gethostname(), settings.results / "power2"
    folder.mkdir(parents=True)
    left = set()
    for stem, ending in (("00000", "npz"), ("provenance", "json")):
        for writer in (
            f"{host}-{dead.pid}",
            f"{host}-{os.getppid()}",
            f"elsewhere-{dead.pid}",
            f"{host}-{dead.pid}x",
        ):
            (folder / f".{stem}.{writer}.{ending}").touch()
            left.add(f".{stem}.{writer}.{ending}")
    compute(settings)
    hidden = {path.name for path in folder.iterdir() if path.name.startswith(".")}
    assert (
        hidden == {name for name in left if f"{host}-{dead.pid}." not in name} and len(hidden) == 6
    )


def test_narrowed_processes_meet(settings):
    """One is at both powers of a part, the other wants one of them: no part is made twice."""
    both = start(settings, "--slow", 3)
    assert first_line(both) == "making 0"
    one, two = ended(start(settings, "--powers", 3), both)
    assert one[0] == two[0] == 0 and one[1] == ["1", "2"]  # power 3 alone
    assert len(fake_data.read_rows(settings.results / "powers.csv")) == 12


def test_a_process_that_listed_its_work_long_ago(settings, monkeypatch):
    """What was made between the listing and the lease is not made again."""
    made, leased = [], leases.leased

    def overtaken(*arguments):
        monkeypatch.setattr(leases, "leased", leased)
        assert ended(start(settings))[0][0] == 0
        return leased(*arguments)

    monkeypatch.setattr(leases, "leased", overtaken)
    compute(settings, begin=lambda chunk: made.append(chunk.number))
    assert made == []


def test_a_view_that_is_overtaken(settings, tmp_path):
    """A process that has read its rows, and is slow to write them, does not overwrite newer ones."""
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from dml_analysis.files import csv_files; from tests import small_script; write = csv_files.write\n"
        "def slow(file, rows, columns): rows = list(rows); print('read', flush=True); time.sleep(2); write(file, rows, columns)\n"
        "csv_files.write = slow; sys.argv = sys.argv[1:]; small_script.main()"
    )
    command = [sys.executable, "-c", code, ROOT, settings.paths["results"], "--powers", "2"]
    slow = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while slow.stdout.readline() != "read\n":
        pass
    assert ended(start(settings, "--powers", 3))[0][0] == 0
    assert slow.wait() == 0
    assert len(fake_data.read_rows(settings.results / "powers.csv")) == 12
    slow.stdout.close()


def test_who_has_everybodys_leases_loses_and_doubles_nothing(settings, monkeypatch):
    """Where leases do not hold, the same work is done twice, to the same result."""
    monkeypatch.setattr(leases, "leased", lambda *_: nullcontext(True))
    monkeypatch.setattr(leases, "locked", lambda *_: nullcontext())
    compute(settings)
    again = [store_of(settings, power) for power in (2, 3)]
    before = snapshot(settings.results)
    for store in again:
        store.save(1, **powers(store, 1))
    compute(settings)
    assert snapshot(settings.results) == before


def test_a_part_leaves_the_number_of_threads_alone(settings):
    """Compiled code sets torch's number of threads to its own; the next part is made with the number there was."""
    import torch

    before, seen = torch.get_num_threads(), []

    def count(chunk):
        seen.append(torch.get_num_threads())
        torch.set_num_threads(before + 1)

    try:
        compute(settings, begin=count)
        assert seen == [before] * 3 and torch.get_num_threads() == before
    finally:
        torch.set_num_threads(before)
