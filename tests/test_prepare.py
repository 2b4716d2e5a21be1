"""data/1_prepare.py: archives, checksums, manifests and downloads, through its command line."""

import csv
import hashlib
import io
import os
import random
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections import namedtuple

import pytest

from dml_analysis import paper
from dml_analysis.datasets import readers
from dml_analysis.files import atomic_files
from dml_analysis.preparation import archives, download
from dml_analysis.preparation.download_sources import SOURCES, File
from tests import fake_data, mock_inputs
from tests.conftest import ROOT
from tests.local_server import Served, ftp_server, http_server

SCRIPT = "data/1_prepare.py"
BIRDS = {"images.txt": b"1 001.A/a.jpg\n2 101.B/b, \xc3\xa4 \"c\".jpg\n", "image_class_labels.txt": b"1 1\n2 101\n",
         "images/001.A/a.jpg": b"an image", "images/101.B/b, \u00e4 \"c\".jpg": b"another image"}  # fmt: skip
CUB = {f"CUB_200_2011/{name}": content for name, content in BIRDS.items()}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Datasets of any size count as whole, no checksum is known, and nobody waits."""
    anything = {name: split._replace(images=None) for name, split in readers.SPLITS.items()}
    monkeypatch.setattr(readers, "SPLITS", anything)
    for name, source in SOURCES.items():
        files = tuple(file._replace(md5="", sha256="") for file in source.files)
        monkeypatch.setitem(SOURCES, name, source._replace(files=files))
    monkeypatch.setattr(download, "sleep", lambda seconds: None)


@pytest.fixture
def settings(tmp_path):
    folders = {name: str(tmp_path / "data" / name) for name in [*paper.DATASETS, "models", "downloads"]}
    trunk = {"imagenet_trunk": folders["models"] + "/trunk.pth"}
    return fake_data.write_settings(tmp_path, paths=folders | trunk)


@pytest.fixture
def ready(run_inside, settings):
    """A function that runs the script on `settings` and returns what it prints."""
    return lambda *options: run_inside(SCRIPT, settings, *map(str, options))


@pytest.fixture
def refused(fails, settings):
    """A function that runs the script, and returns the line it ends in."""
    return lambda *options: fails(SCRIPT, settings, *map(str, options))


@pytest.fixture
def server():
    with http_server() as (address, paths):
        yield address, paths


def knows(monkeypatch, source, **fields):
    monkeypatch.setitem(SOURCES, source, SOURCES[source]._replace(files=(File(**fields),)))


def tar(file, members, mode="w:gz"):
    """An archive of name -> content, or TarInfo's fields instead of content."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, mode) as archive:
        for name, content in members.items() if isinstance(members, dict) else members:
            info = tarfile.TarInfo(name)
            if isinstance(content, dict):
                for key, value in content.items():
                    setattr(info, key, value)
                archive.addfile(info)
            else:
                info.size, info.mode = len(content), 0o4777
                archive.addfile(info, io.BytesIO(content))
    return file


def zipped(file, members):
    """The same; (content, mode) for members that are more than files."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items() if isinstance(members, dict) else members:
            info = zipfile.ZipInfo("x")
            info.filename = name  # ZipInfo() would clean it
            content, mode = content if isinstance(content, tuple) else (content, 0)
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return file


def files(folder):
    """Path -> content of all files, hidden ones too, but for the claims that killed processes leave to the next."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lease"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def in_place(tmp_path, name="CUB200"):
    found = files(tmp_path / "data" / name) if (tmp_path / "data" / name).exists() else {}
    return {name: content for name, content in found.items() if name != "manifest.csv"}


def listed(folder):
    with open(folder / "manifest.csv", newline="", encoding="utf-8") as file:
        return {row["file"]: (int(row["bytes"]), row["sha256"]) for row in csv.DictReader(file)}


def as_listed(found):
    return {name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in found.items()}


# ---------------------------------------------------------------------------------------------------------------------
# Archives as they come.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("pack", [tar, zipped])
@pytest.mark.parametrize("top", ["CUB_200_2011", ".", "a b/CUB_200_2011/CUB_200_2011"])
def test_cub200(ready, tmp_path, pack, top):
    members = {f"{top}/{name}": content for name, content in BIRDS.items()}
    beside = {} if top == "." else {"attributes.txt": b"stray"}
    junk = {"__MACOSX/._x": b"", f"{top}/.DS_Store": b"", f"{top}/images/._a.jpg": b""}
    output = ready("CUB200", pack(tmp_path / "birds.bin", members | beside | junk))
    assert in_place(tmp_path) == BIRDS and listed(tmp_path / "data/CUB200") == as_listed(BIRDS)
    assert "no checksum is known" in output and "CUB200 is complete" in output
    assert ("1 of its files are left out" in output and "attributes.txt" in output) == bool(beside)
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_file() and os.access(path, os.X_OK)]
    assert not list((tmp_path / "data").glob(".*prep*"))
    assert "0 files put in" in ready("CUB200", tmp_path / "birds.bin")
    assert "CUB200: 4 of 4 files are as listed" in ready("--verify")


@pytest.mark.parametrize("mode", ["w", "w:xz", "w:bz2"])
def test_other_kinds_of_tar(ready, tmp_path, mode):
    ready("CUB200", tar(tmp_path / "birds", CUB, mode))
    assert in_place(tmp_path) == BIRDS


def test_a_tar_that_ends_in_a_zip(ready, tmp_path):
    inner = zipped(tmp_path / "inner.zip", {"images.txt": b""}).read_bytes()
    with tarfile.open(tar(tmp_path / "birds.tar", CUB, "w"), "a") as archive:
        info = tarfile.TarInfo("CUB_200_2011/z.zip")
        info.size = len(inner)
        archive.addfile(info, io.BytesIO(inner))
    assert "5 files put in" in ready("CUB200", tmp_path / "birds.tar")


def test_an_archive_of_a_folder_with_a_manifest(ready, tmp_path):
    ready("CUB200", tar(tmp_path / "birds.tgz", CUB | {"CUB_200_2011/manifest.csv": b"of another"}))
    assert listed(tmp_path / "data/CUB200") == as_listed(BIRDS)


def test_known_checksum(ready, refused, tmp_path, monkeypatch):
    archive = tar(tmp_path / "CUB_200_2011.tgz", CUB)
    knows(monkeypatch, "CUB200", name=archive.name, md5=hashlib.md5(archive.read_bytes()).hexdigest())
    assert "no checksum" not in ready("CUB200", archive)
    numbered = tar(tmp_path / "CUB_200_2011 (1).tgz", CUB | {"x": b""})
    message = refused("CUB200", numbered)
    got, expected = (hashlib.md5(file.read_bytes()).hexdigest() for file in (numbered, archive))
    assert message.startswith(
        f"error: {numbered}: its md5 is {got}, that of CUB_200_2011.tgz {expected}; delete it and fetch it again"
    )
    assert message.endswith("a copy that was packed anew is taken under another name, by its counts")
    assert "no checksum is known" in ready("CUB200", numbered.rename(tmp_path / "packed anew.tgz"))


def test_an_address_that_is_none(refused):
    assert "http://[::1/x.zip: not an address (Invalid IPv6 URL)" in refused("CUB200", "http://[::1/x.zip")


def test_known_checksum_of_a_file_that_is_no_archive(refused, tmp_path, monkeypatch):
    """Under another name it would be taken for an archive."""
    knows(monkeypatch, "Cars196", name="cars_annos.mat", md5="0" * 32, place="cars_annos.mat")
    (tmp_path / "cars_annos.mat").write_bytes(b"others")
    assert refused("Cars196", tmp_path / "cars_annos.mat").endswith("; delete it and fetch it again")


def test_checksums_of_the_readme():
    here, there = (
        (ROOT / file).read_text(encoding="utf-8")
        for file in ("data/README.md", "dml_analysis/preparation/download_sources.py")
    )
    checksums = set(re.findall(r"\b[0-9a-f]{32}\b", here))
    assert len(checksums) == 4 and checksums <= set(re.findall(r'md5="(\w+)"', there))


def test_cars196_in_one_folder(ready, tmp_path):
    images = {f"car_ims/{n}.jpg": b"car" for n in (1, 2)}
    output = ready("Cars196", tar(tmp_path / "car_ims.tgz", images))
    assert "not complete yet: " in output and "cars_train_annos.mat: missing" in output and "Kaggle" in output
    mock_inputs.annotations(tmp_path / "cars_annos (1).mat", relative_im_path=list(images), **{"class": [1, 196]})
    assert "Cars196 is complete" in ready("Cars196", tmp_path / "cars_annos (1).mat")
    assert listed(tmp_path / "data/Cars196").keys() == {*images, "cars_annos.mat"}


def test_cars196_in_parts(ready, tmp_path):
    """As it is found: folders doubled, the other layout's annotations beside, one file still elsewhere."""
    names = {"fname": ["1.jpg", "2.jpg"]}
    train = mock_inputs.annotations(tmp_path / "a.mat", **names, **{"class": [1, 150]})
    images = {f"cars_{part}/cars_{part}/{n}.jpg": b"car" for part in ("train", "test") for n in (1, 2)}
    kaggle = zipped(tmp_path / "archive.zip", images | {"cars_annos.mat": train})
    test = mock_inputs.annotations(tmp_path / "b.mat", **names, bbox_x1=[1, 2])
    kit = {"car_devkit/devkit/cars_train_annos.mat": train, "car_devkit/devkit/cars_test_annos.mat": test}
    output = ready("Cars196", kaggle, tar(tmp_path / "car_devkit.tgz", kit))
    assert "not complete yet" in output and "put cars_test_annos_withlabels.mat beside it" in output
    mock_inputs.annotations(tmp_path / "cars_test_annos_withlabels.mat", **names, **{"class": [2, 151]})
    assert "Cars196 is complete" in ready("Cars196", tmp_path / "cars_test_annos_withlabels.mat")
    devkit = {f"devkit/cars_{part}.mat" for part in ("train_annos", "test_annos", "test_annos_withlabels")}
    expected = {f"cars_{part}/{n}.jpg" for part in ("train", "test") for n in (1, 2)} | devkit
    assert in_place(tmp_path, "Cars196").keys() == expected | {"cars_annos.mat"}


def test_rendered_cars(ready, tmp_path):
    fake_data.make_cars(tmp_path / "made", 4)
    members = {f"3D cars dataset/{name}": content for name, content in files(tmp_path / "made").items()}
    assert "RenderedCars is complete" in ready("RenderedCars", zipped(tmp_path / "cars.zip", members))
    assert in_place(tmp_path, "RenderedCars") == files(tmp_path / "made")
    (tmp_path / "data/RenderedCars/images/3.png").unlink()
    (tmp_path / "data/RenderedCars/manifest.csv").unlink()
    assert "not complete yet: " in ready("RenderedCars")
    assert "1 files put in" in ready("RenderedCars", tmp_path / "cars.zip")


def test_broken_counts_are_an_error(refused, tmp_path, monkeypatch):
    monkeypatch.setitem(readers.SPLITS, "CUB200", readers.SPLITS["CUB200"]._replace(images=11_788))
    assert "2 images listed, but CUB200 has 11788" in refused("CUB200", tar(tmp_path / "birds.tgz", CUB))


NETWORK = "Test50_50_Partitions4_0/saved_models/"


def test_models_in_several_zips(ready, refused, tmp_path):
    """As Google Drive packs a folder: each zip has a part of its tree."""
    car, bird = "cars_contrastive46_reproduction0", "cub_triplet37_reproduction0"
    one = zipped(tmp_path / "m-001.zip", {f"all/cars/{car}/{NETWORK}trunk_best.pth": b"1", "all/logs/a.txt": b""})
    two = zipped(tmp_path / "m-002.zip", {f"all/cars/{car}/{NETWORK}embedder_best.pth": b"2", f"{bird}/c.yaml": b"3"})
    output = ready("models", one, two)
    files = {"trunk_best.pth": b"1", "embedder_best.pth": b"2"}
    expected = {f"{car}/{NETWORK}{name}": content for name, content in files.items()} | {f"{bird}/c.yaml": b"3"}
    assert in_place(tmp_path, "models") == expected
    assert "all/logs/a.txt" in output and "not complete yet: 42 of 42 experiments; " in output
    (tmp_path / "data/models/some_trunk.pth").write_bytes(b"ours")
    (tmp_path / "bn.pth").write_bytes(b"weights")
    assert "imagenet_trunk is complete" in ready("imagenet_trunk", tmp_path / "bn.pth")
    assert listed(tmp_path / "data/models") == as_listed(expected | {"trunk.pth": b"weights"})
    assert "has no folder *_reproduction0" in refused("models", zipped(tmp_path / "x.zip", {"a/b.pth": b""}))
    (tmp_path / "data/models/trunk.pth").write_bytes(b"wEights")
    assert "3 of 3 files" in ready("--verify", "models")
    assert "1 files are missing or changed" in refused("--verify")


def test_imagenet_trunk_by_the_start_of_its_checksum(ready, refused, tmp_path, monkeypatch, server):
    knows(monkeypatch, "imagenet_trunk", name="trunk.pth", sha256=hashlib.sha256(b"weights").hexdigest()[:9])
    (tmp_path / "copy.pth").write_bytes(b"others")
    assert "copy.pth: its sha256 begins" in refused("imagenet_trunk", tmp_path / "copy.pth")
    address, paths = server
    paths["/mirror.pth"] = Served(b"others")
    assert "mirror.pth: its sha256 begins" in refused("imagenet_trunk", f"{address}/mirror.pth")
    (tmp_path / "copy.pth").write_bytes(b"weights")
    assert "is complete" in ready("imagenet_trunk", tmp_path / "copy.pth")
    (tmp_path / "data/models/trunk.pth").write_bytes(b"others")
    assert "trunk.pth: its sha256 begins" in refused("imagenet_trunk")


def test_of_another_dataset(refused, tmp_path):
    birds = tar(tmp_path / "birds.tgz", CUB)
    marks = {"SOP": "Ebay_test.txt", "RenderedCars": "samples.csv", "Cars196": "car_ims", "models": "_reproduction0"}
    for name, mark in marks.items():
        message = refused(name, birds)
        assert message.startswith(f"error: {birds}: has no ") and mark in message and in_place(tmp_path, name) == {}


def test_two_roots_and_two_files_for_one_place(refused, tmp_path):
    both = CUB | {f"copy/{name}": content for name, content in BIRDS.items()}
    assert "CUB_200_2011 and copy in it look like CUB200" in refused("CUB200", tar(tmp_path / "birds.tgz", both))
    twice = {"cars_train/1.jpg": b"", "cars_train/cars_train/1.jpg": b""}
    assert "has 2 files that would be cars_train/1.jpg" in refused("Cars196", tar(tmp_path / "cars.tgz", twice))


# ---------------------------------------------------------------------------------------------------------------------
# Archives that are refused.
# ---------------------------------------------------------------------------------------------------------------------
def link(kind):
    return {"type": kind, "linkname": "/etc/passwd"}


BAD_NAMES = [("../evil", "leads out"), ("a/../../evil", "leads out"), ("/evil", "absolute"),
             ("C:\\evil", "drive letter"), ("..\\evil", "leads out"), ("\\evil", "absolute"), ("a\nb", "no plain text"),
             ("x" * 256, "too long")]  # fmt: skip
ODD = [(tar, {"l": link(tarfile.SYMTYPE)}, "link"), (tar, {"l": link(tarfile.LNKTYPE)}, "link"),
       (tar, {"l": link(tarfile.FIFOTYPE)}, "device"), (tar, {"l": link(tarfile.CHRTYPE)}, "device"),
       (zipped, {"l": (b"/etc/passwd", stat.S_IFLNK | 0o777)}, "link"), (zipped, {"l": (b"", stat.S_IFIFO)}, "device"),
       (tar, [("a", b""), ("./a", b"")], "is there twice"), (zipped, [("a", b""), ("a", b"")], "is there twice"),
       (tar, {"a": b"", "a/b": b""}, "a file and a folder"), (zipped, {"a/b": b"", "a": b""}, "a file and a folder"),
       (zipped, {"a/": b"", "a": b""}, "a file and a folder"), (zipped, {"nul\0x": b""}, "no plain text"),
       (tar, {"": b""}, "no name"), (zipped, {".": b""}, "no name"),
       (tar, {"bomb": bytes(9_000_000)}, "200 times"), (zipped, {"bomb": bytes(9_000_000)}, "200 times")]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("pack, members, reason", ODD + [(p, {n: b""}, r) for p in (tar, zipped) for n, r in BAD_NAMES])
def test_refused(refused, tmp_path, monkeypatch, pack, members, reason):
    monkeypatch.setattr(atomic_files, "SLACK", 10**6)
    (tmp_path / "data/CUB200").mkdir(parents=True)
    (tmp_path / "data/CUB200/mine").write_text("mine")
    archive = pack(tmp_path / "birds", [*CUB.items(), *(members.items() if isinstance(members, dict) else members)])
    before = files(tmp_path)
    message = refused("CUB200", archive)
    assert message.startswith(f"error: {archive}: ") and reason in message
    assert files(tmp_path) == before and not list((tmp_path / "data").glob(".*"))


def test_encrypted_zip(refused, tmp_path):
    archive = zipped(tmp_path / "birds.zip", CUB)
    content = bytearray(archive.read_bytes())
    content[content.rindex(b"PK\1\2") + 8] |= 1  # the flag of the last entry in the list
    archive.write_bytes(content)
    assert "is encrypted; nothing of it was unpacked" in refused("CUB200", archive)


def test_negative_size(refused, tmp_path):
    """As if it gave bytes back."""
    archive = tar(tmp_path / "birds.tar", CUB | {"n": {"size": -512}}, "w")
    assert "'n' in it has a size below zero" in refused("CUB200", archive)


def test_full_disk(refused, tmp_path, monkeypatch):
    archive = tar(tmp_path / "birds.tgz", CUB)
    usage = namedtuple("usage", "free")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage(archives.RESERVE + 10))
        assert "do not fit on the disk" in refused("CUB200", archive)
    inodes = namedtuple("inodes", "f_files f_favail")
    monkeypatch.setattr(archives.os, "statvfs", lambda _: inodes(100, 3))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10 * archives.RESERVE))
    assert "files are more than the disk" in refused("CUB200", archive) and not in_place(tmp_path)


@pytest.mark.parametrize("pack", [tar, zipped])
def test_broken_archives(refused, ready, tmp_path, pack):
    """Cut at any place or with any byte changed: one line and nothing in place, or, if the byte is no matter, all."""
    rng, noise = random.Random(0), random.Random(1).randbytes(3000)
    whole = pack(tmp_path / "birds", CUB | {"CUB_200_2011/noise": noise}).read_bytes()
    broken = [whole[: rng.randrange(len(whole))] for _ in range(30)]
    for _ in range(60):
        at = rng.randrange(len(whole))
        broken.append(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :])
    refusals = 0
    for content in broken:
        (tmp_path / "birds").write_bytes(content)
        try:
            message = refused("CUB200", tmp_path / "birds")
        except pytest.fail.Exception:  # it did not end in an error
            assert in_place(tmp_path) == BIRDS | {"noise": noise}
            shutil.rmtree(tmp_path / "data/CUB200")
        else:
            refusals += 1
            assert message.startswith(f"error: {tmp_path}") and not in_place(tmp_path)
        assert not list((tmp_path / "data").rglob(".*"))
    assert refusals > 60


def test_a_damaged_header(refused, tmp_path):
    """A tar has no checksums but those of its headers, and at a wrong one TarFile just stops."""
    archive = tar(tmp_path / "birds.tar", CUB, "w")
    archive.write_bytes(archive.read_bytes().replace(b"CUB_200_2011/images/001", b"CUB_200_2011/images/002"))
    assert "a header is damaged" in refused("CUB200", archive) and not in_place(tmp_path)


def test_no_archives(refused, tmp_path):
    (tmp_path / "page.zip").write_text("\n<!DOCTYPE html><title>Quota exceeded</title>")
    assert "page.zip: a web page" in refused("CUB200", tmp_path / "page.zip")
    assert "none.tgz: no such file" in refused("CUB200", tmp_path / "none.tgz")
    assert f"{tmp_path}: a folder" in refused("CUB200", tmp_path)


# ---------------------------------------------------------------------------------------------------------------------
# What is there already; killed runs.
# ---------------------------------------------------------------------------------------------------------------------
def test_a_file_that_differs_stops_it_before_anything_is_moved(refused, ready, tmp_path):
    image = tmp_path / 'data/CUB200/images/101.B/b, ä "c".jpg'
    image.parent.mkdir(parents=True)
    image.write_bytes(b"another imagE")
    archive = tar(tmp_path / "birds.tgz", CUB)
    assert f"{image}: is there already and differs" in refused("CUB200", archive)
    assert len(in_place(tmp_path)) == 1
    image.write_bytes(b"another image")
    assert "3 files put in" in ready("CUB200", archive) and in_place(tmp_path) == BIRDS


def test_a_file_in_the_way_of_a_folder(refused, tmp_path):
    (tmp_path / "data/CUB200").mkdir(parents=True)
    (tmp_path / "data/CUB200/images").write_text("")
    assert "images: is in the way" in refused("CUB200", tar(tmp_path / "birds.tgz", CUB))
    assert in_place(tmp_path) == {"images": b""}


KILLED = """
import os, runpy, signal, sys
from dml_analysis.preparation import archives
owner, function, calls = {"write": (archives, "_write", 3), "move": (os, "rename", 2)}[sys.argv.pop(1)]
real, left = getattr(owner, function), [calls]
def kill(*arguments):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
setattr(owner, function, kill)
sys.argv[0] = "data/1_prepare.py"
runpy.run_path("data/1_prepare.py", run_name="__main__")
"""


@pytest.mark.parametrize("where, moved", [("write", 0), ("move", 1)])
def test_killed(ready, settings, tmp_path, where, moved):
    archive = tar(tmp_path / "birds.tgz", CUB)
    command = [sys.executable, "-c", KILLED, where, "--settings", settings, "CUB200", archive]
    assert subprocess.run(command, cwd=ROOT, stderr=subprocess.DEVNULL).returncode == -signal.SIGKILL
    assert (tmp_path / "data/.CUB200.preparing").exists()
    assert in_place(tmp_path).items() <= BIRDS.items() and len(in_place(tmp_path)) == moved
    assert f"{4 - moved} files put in" in ready("CUB200", archive)
    assert in_place(tmp_path) == BIRDS and not (tmp_path / "data/.CUB200.preparing").exists()


def test_two_runs_at_once(refused, tmp_path):
    (tmp_path / "data/CUB200").mkdir(parents=True)
    claim = (
        "import sys; sys.path.insert(0, sys.argv[1]); from dml_analysis.leases import leased; from pathlib import Path\n"
        "with leased(Path(sys.argv[2]), 0): print(flush=True); input()"
    )
    command = [sys.executable, "-c", claim, str(ROOT), tmp_path / "data/CUB200"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        assert "another run is at work" in refused("CUB200", tar(tmp_path / "birds.tgz", CUB))
        other.communicate(b"\n")


@pytest.mark.parametrize("is_mount, staging", [(False, "disk/.birds.preparing"), (True, "disk/birds/.birds.preparing")])
def test_a_folder_on_another_disk(ready, tmp_path, monkeypatch, is_mount, staging):
    """By a link or by a mount: files are unpacked on the disk that they belong on."""
    birds_in(tmp_path / staging)  # of a killed run
    (tmp_path / "disk/birds").mkdir(exist_ok=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/CUB200").symlink_to(tmp_path / "disk/birds")
    monkeypatch.setattr(os.path, "ismount", lambda path: is_mount)
    renamed, rename = [], os.rename
    monkeypatch.setattr(os, "rename", lambda old, new: renamed.append(old) or rename(old, new))
    ready("CUB200", tar(tmp_path / "birds.tgz", CUB))
    assert in_place(tmp_path) == BIRDS and not (tmp_path / staging).exists()
    assert all(path.is_relative_to(tmp_path / staging) for path in renamed) and len(renamed) == 4


def test_a_file_too_large_for_the_disk(refused, tmp_path):
    archive = tar(tmp_path / "birds.tgz", CUB | {"CUB_200_2011/z": random.Random(0).randbytes(300_000)})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        message = refused("CUB200", archive)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "z: File too large" in message and in_place(tmp_path) == {} and not list((tmp_path / "data").glob(".*"))


def birds_in(folder):
    for name, content in BIRDS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


# ---------------------------------------------------------------------------------------------------------------------
# Manifests.
# ---------------------------------------------------------------------------------------------------------------------
def test_taking_stock(ready, refused, tmp_path):
    folder = tmp_path / "data/CUB200"
    assert "nothing of CUB200 is there yet" in refused("CUB200")
    assert "lists nothing of CUB200" in refused("--verify", "CUB200") and "lists nothing of" in refused("--verify")
    birds_in(folder)
    ready("CUB200")
    assert listed(folder) == as_listed(BIRDS) and list(listed(folder)) == sorted(BIRDS)
    (folder / "new.txt").write_text("new")
    (folder / ".git").mkdir()
    (folder / ".git/config").touch()
    assert "CUB200: not listed: new.txt" in ready("--verify")
    ready("CUB200")
    manifest = (folder / "manifest.csv").read_bytes()
    assert listed(folder) == as_listed(BIRDS | {"new.txt": b"new"})
    (folder / "images.txt").write_bytes(BIRDS["images.txt"] + b"\n")
    (folder / "new.txt").unlink()
    message = refused("CUB200")
    assert "1 of its files are missing and 1 changed; --verify CUB200 names them" in message
    assert (folder / "manifest.csv").read_bytes() == manifest
    (folder / "manifest.csv").unlink()
    assert "lists 4 files" in ready("CUB200")


def test_verify_names_what_is_wrong(refused, ready, tmp_path, capsys):
    folder = tmp_path / "data/CUB200"
    birds_in(folder)
    ready("CUB200")
    (folder / "images/001.A/a.jpg").write_bytes(b"an imagE")
    (folder / "images.txt").unlink()
    assert "2 files are missing or changed" in refused("--verify", "CUB200")
    output = capsys.readouterr().out
    assert "CUB200: missing: images.txt" in output and "CUB200: changed: images/001.A/a.jpg" in output


def test_a_broken_manifest(refused, tmp_path):
    birds_in(tmp_path / "data/CUB200")
    (tmp_path / "data/CUB200/manifest.csv").write_text("file,bytes\nimages.txt,many\n")
    assert "manifest.csv: not a manifest" in refused("CUB200")


def test_names_that_no_list_can_hold(refused, tmp_path):
    birds_in(tmp_path / "data/CUB200")
    (tmp_path / "data/CUB200/two\nlines").touch()
    assert "the name 'two\\nlines' in it cannot be listed" in refused("CUB200")


# ---------------------------------------------------------------------------------------------------------------------
# Downloads.
# ---------------------------------------------------------------------------------------------------------------------
@pytest.fixture
def body(tmp_path):
    """An archive of CUB200 with some noise in it, so that there is something to cut."""
    noise = {"CUB_200_2011/noise": random.Random(0).randbytes(3_000_000)}
    return tar(tmp_path / "made.tgz", CUB | noise).read_bytes()


@pytest.fixture
def fetching(server, ready, refused, tmp_path, monkeypatch, body):
    """A function that serves the archive as told, under a known checksum, and fetches it: its output, or its error."""
    address, paths = server

    def fetch(fails=False, name="CUB_200_2011.tgz", known=True, **how):
        if known:
            knows(monkeypatch, "CUB200", name=name, md5=hashlib.md5(body).hexdigest(), address=f"{address}/{name}")
        paths[f"/{name}"] = Served(**{"body": body} | how)
        output = (refused if fails else ready)("CUB200", f"{address}/{name}")
        left = files(tmp_path / "data/downloads/CUB200")
        return output, paths[f"/{name}"].given, left

    return fetch


def test_download(fetching, body, ready, server, tmp_path):
    _, given, left = fetching()
    assert given == [0] and left == {"CUB_200_2011.tgz": body} and BIRDS.items() <= in_place(tmp_path).items()
    assert "CUB200 is complete: " in ready("--download", "CUB200") and "fetched already" in fetching()[0]
    (tmp_path / "data/CUB200/images/001.A/a.jpg").unlink()
    assert "1 files put in" in ready("--download", "CUB200")
    (tmp_path / "data/downloads/CUB200/CUB_200_2011.tgz").write_bytes(b"spoilt")
    assert fetching()[2] == left


@pytest.mark.parametrize(
    "how, expected",
    [({"cuts": 1}, [0, 1000]), ({"cuts": 7}, [*range(0, 8000, 1000)]), ({"cuts": 2, "ranges": False}, [0, 0, 0]),
     ({"cuts": 1, "validators": ("Last-Modified",)}, [0, 1000]), ({"cuts": 1, "validators": ()}, [0, 0]),
     ({"cuts": 1, "weak": True}, [0, 1000]), ({"cuts": 1, "weak": True, "validators": ("ETag",)}, [0, 0]),
     ({"statuses": [503, 502]}, [503, 502, 0]), ({"cuts": 1, "statuses": [429]}, [429, 0, 1000])],
)  # fmt: skip
def test_connections_that_are_cut(fetching, body, how, expected):
    _, given, left = fetching(cut=1000, **how)
    assert given == expected and left == {"CUB_200_2011.tgz": body}


def test_a_server_that_never_gets_further(fetching, body, monkeypatch, tmp_path):
    pauses = []
    monkeypatch.setattr(download, "sleep", pauses.append)
    message, given, left = fetching(fails=True, cut=1000, cuts=99, ranges=False)
    assert "the connection was cut after 1000 of" in message and "look elsewhere: https://data.caltech" in message
    assert given == [0] * 6 and pauses == sorted(pauses) and len(pauses) == 5
    assert left["CUB_200_2011.tgz.part"] == body[:1000] and not in_place(tmp_path)
    _, given, left = fetching()  # the next run goes on
    assert given == [1000] and left == {"CUB_200_2011.tgz": body}


def test_a_part_from_another_address(fetching, server, refused, body, tmp_path):
    address, paths = server
    paths["/elsewhere/CUB_200_2011.tgz"] = Served(body, cut=1000, cuts=99, ranges=False)
    refused("CUB200", f"{address}/elsewhere/CUB_200_2011.tgz")
    assert fetching()[1] == [0]


def test_a_part_that_is_complete_already(fetching, body, tmp_path):
    fetching(fails=True, cut=len(body), cuts=99, length=len(body) + 1, ranges=False)
    assert (tmp_path / "data/downloads/CUB200/CUB_200_2011.tgz.part").read_bytes() == body
    _, given, left = fetching()
    assert given == [len(body)] and left == {"CUB_200_2011.tgz": body}  # 416: there is no more


def test_a_file_that_changes_between_two_tries(fetching, body):
    _, given, left = fetching(body=bytes(len(body)), then=body, cut=1000, cuts=1, validators=("ETag",))
    assert given == [0, 0] and left == {"CUB_200_2011.tgz": body}  # If-Range: all of the new one


def test_a_file_that_changes_unnoticed(fetching, body, monkeypatch):
    monkeypatch.setattr(Served, "etag", '"always"')
    output, given, left = fetching(body=bytes(len(body)), then=body, cut=1000, cuts=1)
    assert given == [0, 1000, 0] and "once more from its start" in output
    assert left == {"CUB_200_2011.tgz": body}


@pytest.mark.parametrize(
    "how, reason",
    [({"body": b"other"}, "its md5 is"), ({"body": b"<html>Quota exceeded"}, "the server sent a web page"),
     ({"body": b"<html>Quota", "known": False, "name": "mirror.tgz"}, "the server sent a web page"),
     ({"length": 50_000}, "its md5 is"), ({"statuses": [404]}, "404"), ({"statuses": [403]}, "403"),
     ({"statuses": [503] * 9}, "503"), ({"body": b""}, "its md5 is")],
)  # fmt: skip
def test_wrong_answers(fetching, tmp_path, server, how, reason):
    message, _, left = fetching(fails=True, **how)
    assert message.startswith(f"error: {server[0]}/{how.get('name', 'CUB_200_2011.tgz')}: ") and reason in message
    assert "https://data.caltech" in message and left == {} and in_place(tmp_path) == {}


def test_no_room_for_a_download(fetching, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(archives.RESERVE + 10))
    message, _, left = fetching(fails=True)
    assert "do not fit on the disk" in message and left == {}


@pytest.mark.parametrize(
    "address, reason",
    [("http://127.0.0.1:9/a.tgz", "no connection"), ("http://no.such.host.invalid/a.tgz", "no connection"),
     ("http://127.0.0.1:port/a.tgz", "not an address"), ("https://127.0.0.1:9/", "names no file"),
     ("ftp://127.0.0.1:9/a.tgz", "no connection")],
)  # fmt: skip
def test_dead_hosts(refused, monkeypatch, address, reason):
    monkeypatch.setattr(download, "sleep", None)  # nobody waits for them
    message = refused("CUB200", address)
    assert message.startswith(f"error: {address}: ") and reason in message


def test_names_of_addresses():
    assert download.file_name("http://h/a/3D%20cars%20dataset.zip?dl=1") == "3D cars dataset.zip"
    assert download.file_name("http://h/..%2F..%5Cevil%00.tgz") == "evil_.tgz"
    assert download.file_name("http://h/x/%2e%2e%2f.bashrc") == "bashrc"


def test_names_with_spaces_and_letters_of_any_language(server, ready, tmp_path, body):
    address, paths = server
    paths["/V%C3%B6gel%201.tgz"] = Served(body)
    ready("CUB200", f"{address}/V\u00f6gel 1.tgz")
    assert (tmp_path / "data/downloads/CUB200/V\u00f6gel 1.tgz").read_bytes() == body


def test_ftp(ready, refused, tmp_path, body, monkeypatch):
    with ftp_server(body, cuts=[500, 1000]) as address:
        md5 = hashlib.md5(body).hexdigest()
        knows(monkeypatch, "CUB200", name="birds.tgz", md5=md5, address=f"{address}/a/birds.tgz")
        ready("--download", "CUB200")
    assert BIRDS.items() <= in_place(tmp_path).items()
    with ftp_server(body, cuts=[1000] * 9) as address:
        assert "cut after 1000 of" in refused("CUB200", f"{address}/other.tgz")


def test_the_command_line(refused, ready, capsys):
    assert "unknown name 'Cars'; known: Cars196, CUB200" in refused("Cars")
    message = refused("--download", "models")
    assert "models: has no address to fetch it from; where to look: https://github.com/KevinMusgrave" in message
    for wrong in ([], ["--download", "--verify"], ["--download", "SOP", "x.zip"]):
        with pytest.raises(SystemExit) as stop:
            ready(*wrong)
        assert stop.value.code == 2
    with pytest.raises(SystemExit):
        ready("--help")
    assert "FILE_OR_ADDRESS" in capsys.readouterr().out
