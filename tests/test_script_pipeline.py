"""Scripts that run one after the other, in copies of one process or each in its own."""

import os
import sys

import pytest

from dml_analysis import pipeline

SAYS = "import os, sys\nopen('said.txt', 'a').write(' '.join([*sys.argv, os.environ.get('RANK', '')]) + '\\n')\n"
SHARES = SAYS + "print('rank', os.environ['RANK'], 'of', os.environ['WORLD_SIZE'])  # todo(\n"
ENDS = {"one.py": SAYS, "two.py": SAYS + "sys.exit(0)\n", "three.py": SAYS + "sys.exit(3)\n", "text.py": SAYS + "sys.exit('wrong')\n",
        "waits.py": "import time\nfor _ in range(3000):\n    if 'one' not in open('said.txt').read(): time.sleep(0.01)\nprint('waited')\n" + SAYS,
        "alongside.py": SAYS, "fails.py": SAYS + "1 / 0\n", "shares.py": SHARES, "second.py": SHARES + "sys.exit(int(os.environ['RANK']) * 7)\n"}  # fmt: skip


@pytest.fixture(params=["copied", "started"])
def folder(request, tmp_path, monkeypatch):
    if request.param == "started":
        monkeypatch.setattr(sys, "platform", "darwin")
    return with_scripts(tmp_path, monkeypatch)


@pytest.fixture
def three_cores(tmp_path, monkeypatch):
    if sys.platform != "linux":
        pytest.skip("only Linux has copies")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2})
    monkeypatch.setattr(pipeline, "GPU", tmp_path / "none")
    return with_scripts(tmp_path, monkeypatch)


def with_scripts(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(pipeline, "MODULES", [])
    for name, content in ENDS.items():
        (folder / name).write_text(content)
    return folder


def said(folder):
    return [line.strip() for line in (folder / "said.txt").read_text().splitlines()]


def test_all_in_their_order_with_the_options(folder, capfd):
    assert pipeline.main(["one.py+", "wait", "two.py", "--", "--settings", "x.yaml"]) == 0
    assert said(folder) == ["one.py --settings x.yaml", "two.py --settings x.yaml"]
    assert capfd.readouterr().out.splitlines() == [
        "python one.py --settings x.yaml",
        "python two.py --settings x.yaml",
    ]


@pytest.mark.parametrize("name, status", [("three.py", 3), ("text.py", 1), ("fails.py", 1)])
def test_the_first_that_fails_is_the_last(folder, name, status, capfd):
    assert pipeline.main(["one.py", name, "two.py"]) == status
    assert said(folder) == ["one.py", name]
    assert {"text.py": "wrong", "fails.py": "ZeroDivisionError"}.get(
        name, ""
    ) in capfd.readouterr().err


def test_workers_share_a_stage_and_one_of_them_speaks(three_cores, capfd):
    assert pipeline.main(["shares.py", "one.py"]) == 0
    assert sorted(said(three_cores)[:3]) == ["shares.py 0", "shares.py 1", "shares.py 2"] and said(
        three_cores
    )[3:] == ["one.py"]
    assert capfd.readouterr().out.splitlines() == [
        "python shares.py",
        "rank 0 of 3",
        "python one.py",
    ]


def test_some_run_alongside_the_others(three_cores, capfd):
    """The first of them ends only when one.py has run; the second waits for the first, and two.py for both."""
    (three_cores / "said.txt").touch()
    assert pipeline.main(["waits.py+", "alongside.py+", "one.py", "wait", "two.py"]) == 0
    assert said(three_cores) == ["one.py", "waits.py", "alongside.py", "two.py"]
    order = ["python one.py", "python waits.py", "waited", "python alongside.py", "python two.py"]
    assert capfd.readouterr().out.splitlines() == order


def test_they_are_waited_for_in_the_end(three_cores, capfd):
    (three_cores / "said.txt").touch()
    assert pipeline.main(["waits.py+", "one.py"]) == 0
    assert said(three_cores) == ["one.py", "waits.py"] and "waited" in capfd.readouterr().out


@pytest.mark.parametrize("last", [["wait", "two.py"], []])
def test_one_of_them_that_fails_is_heard_and_the_last(three_cores, capfd, last):
    assert pipeline.main(["text.py+", *last]) == 1
    assert said(three_cores) == ["text.py"]
    assert capfd.readouterr().err.splitlines() == ["wrong"]


def test_where_another_fails_they_are_waited_for(three_cores):
    assert pipeline.main(["one.py", "waits.py+", "three.py", "two.py"]) == 3
    assert sorted(said(three_cores)) == ["one.py", "three.py", "waits.py"]


def test_one_alone_keeps_the_threads_it_would_have(three_cores, monkeypatch):
    """Also where numba is allowed fewer than there are cores: more than those it refuses."""
    numba = pytest.importorskip("numba")
    monkeypatch.setattr(numba, "set_num_threads", lambda count: 1 / (count == 1))
    assert pipeline.main(["one.py", "alongside.py+"]) == 0
    assert said(three_cores) == ["one.py", "alongside.py"]


def test_a_worker_that_fails_is_heard(three_cores, capfd):
    assert pipeline.main(["second.py", "one.py"]) == 7
    assert sorted(said(three_cores)) == ["second.py 0", "second.py 1", "second.py 2"]
    assert "rank 1 of 3" in capfd.readouterr().err


def test_a_gpu_is_for_one(three_cores, monkeypatch):
    monkeypatch.setattr(pipeline, "GPU", three_cores / "one.py")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert pipeline.main(["shares.py"]) == 0 and said(three_cores) == ["shares.py 0"]
