"""data/1_prepare.py: what it puts in place, what it says is missing and what it refuses, through its command line."""

import errno
import hashlib
import io
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import zipfile

import pytest

from dml_analysis.preparation import LAYOUTS
from tests import fake_data
from tests.conftest import ROOT

SCRIPT = "data/1_prepare.py"
BIRDS = {
    "images.txt": b"1 001.A/a.jpg\n",
    "image_class_labels.txt": b"1 1\n",
    "images/001.A/a.jpg": b"an image",
}
CUB = {f"CUB_200_2011/{name}": content for name, content in BIRDS.items()}
FOLDERS = {"Cars196": "cars", "CUB200": "birds", "SOP": "products", "RenderedCars": "rendered", "models": "models",
           "imagenet_trunk": "models/trunk.pth", "downloads": "downloads"}  # fmt: skip


@pytest.fixture(autouse=True)
def no_checksums(monkeypatch):
    """Archives of these tests are not the published ones."""
    for name, layouts in LAYOUTS.items():
        monkeypatch.setitem(
            LAYOUTS, name, [[each._replace(checksum="") for each in layout] for layout in layouts]
        )


def replace_birds(monkeypatch, **changes):
    monkeypatch.setitem(LAYOUTS, "CUB200", [[LAYOUTS["CUB200"][0][0]._replace(**changes)]])


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "downloads").mkdir()
    paths = {name: str(tmp_path / folder) for name, folder in FOLDERS.items()}
    return fake_data.write_settings(tmp_path, paths=paths, trunk="bn_inception")


@pytest.fixture
def prepared(run_inside, settings):
    """A function that runs the script, which has to find or put everything in place; returns what it prints."""
    return lambda *names: run_inside(SCRIPT, settings, *names)


@pytest.fixture
def unfinished(prepared, capsys):
    """A function that runs the script, which has to end with exit status 3; returns the lines that it prints."""

    def run(*names):
        with pytest.raises(SystemExit) as stop:
            prepared(*names)
        output, errors = capsys.readouterr()
        assert stop.value.code == 3 and errors.splitlines()[-1].startswith("unfinished: ")
        return output.splitlines()

    return run


@pytest.fixture
def refused(fails, settings, tmp_path):
    """A function that runs the script, which has to end in one line and leave all as it was; returns the line."""

    def run(*names):
        before = files(tmp_path)
        line = fails(SCRIPT, settings, *names)
        assert files(tmp_path) == before and not list(tmp_path.glob(".*"))
        return line

    return run


MODES = {
    "link": (tarfile.SYMTYPE, stat.S_IFLNK),
    "pipe": (tarfile.FIFOTYPE, stat.S_IFIFO),
}  # in a .tgz, in a .zip


def pack(file, members):
    """Write an archive of name -> content, or what of MODES it is; returns its content."""
    if file.suffix == ".tgz":
        with tarfile.open(file, "w:gz") as archive:
            for name, content in members.items():
                info, odd = tarfile.TarInfo(name), isinstance(content, str)
                info.type, info.size = (
                    (MODES[content][0], 0) if odd else (tarfile.REGTYPE, len(content))
                )
                info.mode, info.linkname = 0o6777, "../../.." if content == "link" else ""
                archive.addfile(info, None if odd else io.BytesIO(content))
    else:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                info = zipfile.ZipInfo("x")
                info.filename, info.compress_type = (
                    name,
                    zipfile.ZIP_DEFLATED,
                )  # ZipInfo() would clean the name
                info.external_attr = MODES[content][1] << 16 if isinstance(content, str) else 0
                archive.writestr(info, content)
    return file.read_bytes()


def files(folder):
    """Path -> content of all files in a folder, hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# ---------------------------------------------------------------------------------------------------------------------
# What is put in place, and what is missing.
# ---------------------------------------------------------------------------------------------------------------------
CARS = {"samples.csv": b"frame", "images/1.png": b"image"}
ONE = {"car_ims/1.jpg": b"car", "cars_annos.mat": b"of all"}
TWO = {"cars_train/1.jpg": b"1", "cars_test/1.jpg": b"2", "devkit/cars_train_annos.mat": b"3",
       "devkit/cars_test_annos_withlabels.mat": b"4"}  # fmt: skip
DEVKIT = {"car_devkit.tgz": {"car_devkit/devkit/cars_train_annos.mat": b"3", "car_devkit/devkit/README.txt": b""},
          "cars_test_annos_withlabels.mat": b"4"}  # fmt: skip
DOUBLED = {"cars_train/cars_train/1.jpg": b"1", "cars_test/cars_test/1.jpg": b"2"}
BY_CLASS = ("train/Audi TT/1.jpg", "test/Audi TT/2.jpg")
NETWORKS = {f"cars_contrastive46_reproduction0/Test50_50_Partitions4_{fold}/saved_models/{part}_best.pth": b"weights"
            for fold in range(4) for part in ("trunk", "embedder")}  # fmt: skip
KINDS = {  # dataset and layout: downloads, what is in place then
    "CUB200": ({"CUB_200_2011.tgz": CUB | {"attributes.txt": b"beside the folder"}}, BIRDS),
    "CUB200 without a folder": ({"CUB_200_2011.tgz": {f"./{name}": BIRDS[name] for name in BIRDS}}, BIRDS),
    "RenderedCars": ({"3D cars dataset.zip": {f"3D cars dataset/{name}": CARS[name] for name in CARS}}, CARS),
    "Cars196 one": ({"car_ims.tgz": {"car_ims/1.jpg": b"car"}, "cars_annos.mat": b"of all"}, ONE),
    "Cars196 two": ({f"cars_{part}.tgz": {f"cars_{part}/1.jpg": content} for part, content in (("train", b"1"), ("test", b"2"))} | DEVKIT, TWO),
    "Cars196 zip": ({"stanford-cars-dataset.zip": DOUBLED} | DEVKIT, DOUBLED | dict(list(TWO.items())[2:])),
    "Cars196 by class": ({"stanford-car-dataset-by-classes-folder.zip": {f"car_data/car_data/{name}": b"" for name in BY_CLASS}}, dict.fromkeys(BY_CLASS, b"")),
    "imagenet_trunk": ({"bn_inception-52deb4733.pth": b"weights"}, {"trunk.pth": b"weights"}),
    "models": ({f"cars_contrastive46_reproduction0-2024-00{i}.zip": dict(list(NETWORKS.items())[i::2]) for i in (0, 1)}, NETWORKS),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_put_in_place(prepared, monkeypatch, tmp_path, kind):
    monkeypatch.setitem(LAYOUTS, "models", [LAYOUTS["models"][0][:1]])
    (downloads, expected), name = KINDS[kind], kind.split()[0]
    for file, content in downloads.items():
        if isinstance(content, bytes):
            (tmp_path / "downloads" / file).write_bytes(content)
        else:
            pack(tmp_path / "downloads" / file, content)
    output = prepared(name)
    assert (
        output.splitlines()[-1] == f"{name}: in place" and f"downloads/{min(downloads)}" in output
    )
    folder = tmp_path / FOLDERS[name].split("/")[0]
    assert files(folder) == expected and not list(tmp_path.glob(".*")) + list(folder.rglob(".*"))
    assert not any(path.stat().st_mode & 0o6022 for path in folder.rglob("*"))
    shutil.rmtree(tmp_path / "downloads")
    assert prepared(name) == f"{name}: in place\n" and files(folder) == expected


@pytest.mark.parametrize("name", ["Cars196", "models"])
def test_missing(unfinished, monkeypatch, name):
    """Each archive has a line that says what is missing, its name, its checksum and where to look; of many only some."""
    monkeypatch.setitem(
        LAYOUTS, name, [[each._replace(checksum="md5 0123") for each in LAYOUTS[name][0]]]
    )
    lines = unfinished(name)
    for archive, line in zip(LAYOUTS[name][0], lines[:5]):
        assert (
            line.startswith(f"{name}: ")
            and f"{archive.place} is missing: {archive.file} (md5 0123)" in line
        )
        assert line.endswith(f"; where to look: {archive.look}")
    assert len(lines) == min(len(LAYOUTS[name][0]), 6) and (
        name != "models" or "42 are missing" in lines[5]
    )


def test_all_names_and_part_of_a_dataset(unfinished, tmp_path):
    """Without names all are looked at; of several layouts the one that something is there of is completed."""
    pack(tmp_path / "downloads/car_ims.tgz", {"car_ims/1.jpg": b"car"})
    pack(tmp_path / "downloads/CUB_200_2011.tgz", CUB)
    lines = unfinished()
    assert (
        files(tmp_path / "cars") == {"car_ims/1.jpg": b"car"} and files(tmp_path / "birds") == BIRDS
    )
    assert "cars_annos.mat is missing" in "".join(lines) and "devkit" not in "".join(lines)
    assert {line.split(":")[0] for line in lines if "is missing" in line} == LAYOUTS.keys() - {
        "CUB200"
    }


def test_the_documentation_lists_every_archive(monkeypatch):
    monkeypatch.undo()  # with the published checksums
    text = (ROOT / "docs/inputs.md").read_text(encoding="utf-8")
    for archive in [
        each for name in LAYOUTS if name != "models" for layout in LAYOUTS[name] for each in layout
    ]:
        (row,) = [line for line in text.splitlines() if f"| `{archive.file}` |" in line]
        assert all(
            text in row
            for text in (archive.checksum or "none published", archive.look, archive.place)
        )


# ---------------------------------------------------------------------------------------------------------------------
# What is refused.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("ending", ["tgz", "zip"])
@pytest.mark.parametrize("name", ["../../evil", "/evil", "CUB_200_2011/link", "CUB_200_2011/pipe"])
def test_archives_that_lead_elsewhere(fails, settings, monkeypatch, tmp_path, ending, name):
    """Refused, or unpacked without such members; nothing is written outside, and there are only files."""
    replace_birds(monkeypatch, file=f"birds.{ending}")
    pack(tmp_path / f"downloads/birds.{ending}", CUB | {name: name.split("/")[-1] if name[0] == "C" else b""})  # fmt: skip
    try:
        line = fails(SCRIPT, settings, "CUB200")
    except pytest.fail.Exception:  # it did not end in an error
        assert ending == "zip" or name == "/evil"
    else:
        assert line.startswith(
            f"error: {tmp_path}/downloads/birds.{ending}: not a complete archive"
        )
        assert not (tmp_path / "birds").exists()
    assert not list(tmp_path.parent.glob("*evil*")) + list(tmp_path.glob("*evil*")) + list(tmp_path.glob(".*"))  # fmt: skip
    unpacked = [os.lstat(path).st_mode for path in (tmp_path / "birds").rglob("*")]
    assert all(stat.S_ISREG(mode) or stat.S_ISDIR(mode) for mode in unpacked)


@pytest.mark.parametrize("ending", ["tgz", "zip"])
def test_broken_archives(refused, monkeypatch, tmp_path, ending):
    """Cut at any place or with any bit changed: one line and nothing in place, or, where the bit is no matter, all."""
    rng, file, birds = random.Random(0), tmp_path / f"downloads/birds.{ending}", tmp_path / "birds"
    replace_birds(monkeypatch, file=file.name)
    noise = rng.randbytes(3000)
    content = pack(file, CUB | {"CUB_200_2011/noise": noise})
    broken = [content[: rng.randrange(len(content))] for _ in range(6)]
    broken += [
        content[100:],
        content[:-4] + b"\x7f" + content[-3:],
    ]  # where a zip has its list of members
    for at in (rng.randrange(len(content)) for _ in range(10)):
        broken.append(
            content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]
        )
    refusals = 0
    for each in broken:
        file.write_bytes(each)
        try:
            line = refused("CUB200")
        except pytest.fail.Exception:  # it did not end in an error
            assert files(birds) == BIRDS | {"noise": noise}
            shutil.rmtree(birds)
        else:
            assert line.startswith(f"error: {file}: ")
            refusals += 1
    assert refusals > 10


@pytest.mark.parametrize("method", ["md5", "sha256"])
def test_checksums(refused, prepared, monkeypatch, tmp_path, method):
    """All digits, or the first of them, are compared before a file is opened as an archive."""
    file = tmp_path / "downloads/CUB_200_2011.tgz"
    digits = hashlib.new(method, pack(file, CUB)).hexdigest()[:9]
    replace_birds(monkeypatch, checksum=f"{method} {digits}")
    assert (
        f"from {file} ({method} {digits})" in prepared("CUB200")
        and files(tmp_path / "birds") == BIRDS
    )
    shutil.rmtree(tmp_path / "birds")
    file.write_bytes(b"<!doctype html>Quota exceeded")
    got = hashlib.new(method, file.read_bytes()).hexdigest()
    assert (
        f"{file}: its {method} is {got}, not {digits}; delete it and download it again"
        in refused("CUB200")
    )


def test_archives_of_something_else_and_downloads_that_are_no_files(refused, tmp_path):
    file = tmp_path / "downloads/CUB_200_2011.tgz"
    pack(file, {"images/a.jpg": b""})
    assert "holds no images.txt; delete it and download it again" in refused("CUB200")
    pack(file, {"a/images.txt": b""})
    assert "does not hold all of birds; download all of its parts again" in refused("CUB200")
    file.unlink()
    os.mkfifo(file)
    assert f"{file}: neither a file nor a link to one" in refused("CUB200")


def test_full_disk(refused, monkeypatch, tmp_path):
    """An error of the disk is not taken for one of the archive."""
    pack(tmp_path / "downloads/CUB_200_2011.tgz", CUB)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tarfile.TarFile, "makefile", full)
    assert refused("CUB200") == f"error: {tmp_path}/.birds.unpacking: No space left on device; finished work is saved"  # fmt: skip


def test_bad_calls(refused, unfinished, tmp_path):
    assert refused("Cars") == "error: unknown name 'Cars'; known: " + ", ".join(LAYOUTS)
    (tmp_path / "downloads").rmdir()
    assert len(unfinished("CUB200")) == 1
    (tmp_path / "downloads").write_text("")
    assert f"{tmp_path}/downloads: not a folder" in refused()


# ---------------------------------------------------------------------------------------------------------------------
# What is at the places already, and killed runs.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "make, name, file, place",
    [(os.mkdir, "CUB200", "CUB_200_2011.tgz", "birds"), (os.mkfifo, "imagenet_trunk", "bn_inception-52deb4733.pth", "models/trunk.pth")],
)  # fmt: skip
def test_something_else_at_a_place(refused, unfinished, tmp_path, make, name, file, place):
    """It is neither read, which may hang, nor overwritten."""
    place = tmp_path / place
    place.parent.mkdir(exist_ok=True)
    make(place)
    before = untouched(place)
    assert "is missing" in "".join(unfinished(name))
    (tmp_path / "downloads" / file).write_bytes(b"")
    assert refused(name).startswith(
        f"error: {place}: exists but is not complete; complete it yourself"
    )
    assert untouched(place) == before


LOOPS = {
    "a pipe": os.mkfifo,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "two links to each other": lambda path: (path.symlink_to(f"{path.name}2".strip(".")), path.with_name(f"{path.name}2".strip(".")).symlink_to(path.name)),
    "a broken link": lambda path: path.symlink_to("nothing"),
}  # fmt: skip


@pytest.mark.parametrize("make", LOOPS.values(), ids=LOOPS)
def test_pipes_and_links_that_lead_nowhere(refused, prepared, unfinished, tmp_path, make):
    """At a place they are refused by name, in the folder for unpacking they are deleted; nothing waits for them."""
    pack(tmp_path / "downloads/3D cars dataset.zip", {name: CARS[name] for name in CARS})
    make(tmp_path / ".rendered.unpacking")
    assert "RenderedCars: in place" in prepared("RenderedCars")
    shutil.rmtree(tmp_path / "rendered/images")
    make(tmp_path / "rendered/images")
    line = refused("RenderedCars")
    assert line.startswith(f"error: {tmp_path}/rendered: exists but is not complete")
    make(tmp_path / "cars")
    (tmp_path / "downloads/cars_annos.mat").write_bytes(b"")
    assert refused("Cars196") == f"error: {tmp_path}/cars: not a folder; move it away"


def untouched(place):
    """What changes if a file is replaced or written to; listing a folder may change its access time."""
    status = os.lstat(place)
    return status.st_ino, status.st_mode, status.st_mtime_ns


KILLED = """
import os, runpy, signal, sys, tarfile
from dml_analysis import preparation
owner, function, calls = {"unpack": (tarfile.TarFile, "makefile", 3), "rename": (os, "rename", 1)}[sys.argv.pop(1)]
real, left = getattr(owner, function), [calls]
def kill(*arguments, **named):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **named)
setattr(owner, function, kill)
preparation._check = lambda *_: None
sys.argv[0] = "data/1_prepare.py"
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("where, unpacked", [("unpack", 2), ("rename", 4)])
def test_killed(prepared, settings, tmp_path, where, unpacked):
    pack(tmp_path / "downloads/CUB_200_2011.tgz", CUB | {"attributes.txt": b"beside the folder"})
    done = subprocess.run(
        [sys.executable, "-c", KILLED, where, "--settings", settings, "CUB200"], cwd=ROOT
    )
    assert done.returncode == -signal.SIGKILL and not (tmp_path / "birds").exists()
    assert len(files(tmp_path / ".birds.unpacking")) == unpacked
    (tmp_path / ".birds.unpacking/CUB_200_2011/images").mkdir(exist_ok=True)
    (tmp_path / ".birds.unpacking/CUB_200_2011/images/left.jpg").write_bytes(b"of an older archive")
    assert "CUB200: in place" in prepared("CUB200")
    assert files(tmp_path / "birds") == BIRDS and not list(tmp_path.glob(".*"))
