"""Scripts that run one after the other, in copies of one process or each in its own."""

import sys

import pytest

from common import in_turn

SAYS = "import sys\nopen('said.txt', 'a').write(' '.join(sys.argv) + '\\n')\n"
ENDS = {"one.py": SAYS, "two.py": SAYS + "sys.exit(0)\n", "three.py": SAYS + "sys.exit(3)\n", "text.py": SAYS + "sys.exit('wrong')\n",
        "fails.py": SAYS + "1 / 0\n"}  # fmt: skip


@pytest.fixture(params=["copied", "started"])
def folder(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(in_turn, "LIBRARIES", [])
    if request.param == "started":
        monkeypatch.setattr(sys, "platform", "darwin")
    for name, content in ENDS.items():
        (tmp_path / name).write_text(content)
    return tmp_path


def said(folder):
    return (folder / "said.txt").read_text().splitlines()


def test_all_in_their_order_with_the_options(folder, capfd):
    assert in_turn.main(["one.py", "two.py", "--", "--settings", "x.yaml"]) == 0
    assert said(folder) == ["one.py --settings x.yaml", "two.py --settings x.yaml"]
    assert capfd.readouterr().out.splitlines() == ["python one.py --settings x.yaml", "python two.py --settings x.yaml"]


@pytest.mark.parametrize("name, status", [("three.py", 3), ("text.py", 1), ("fails.py", 1)])
def test_the_first_that_fails_is_the_last(folder, name, status, capfd):
    assert in_turn.main(["one.py", name, "two.py"]) == status
    assert said(folder) == ["one.py", name]
    assert {"text.py": "wrong", "fails.py": "ZeroDivisionError"}.get(name, "") in capfd.readouterr().err
