"""The known archives of datasets and checkpoints, and how to unpack one into its place.

Nothing in an archive is trusted: its checksum is compared first, and every member is checked before
any is unpacked. What lies at a place is looked at, but never opened.
"""

import errno
import hashlib
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

from tqdm import tqdm

from dml_analysis import leases
from dml_analysis.errors import InputError, one_line
from dml_analysis.files.atomic_files import free_space, named
from dml_analysis.networks.checkpoint_files import PARTS
from dml_analysis.paper import FOLD_FOLDER, FOLDS, MODELS, experiment_folder

GB = 10**9  # bytes; unpacking leaves so many free on the disk
AGAIN = "delete it and download it again"


class Archive(NamedTuple):
    """A file to download, and where its content belongs."""

    file: str  # its name in the downloads folder; with a * if it comes in several parts
    checksum: str  # method and the first or all hexadecimal digits; "" where none was published
    place: str  # in the dataset's folder; "" is what the dataset's path names
    look: str  # where to look for it
    # Patterns in the folder at `place`, each of which must match; () if a file belongs there.
    needs: tuple[str, ...] = ()

    def is_placed(self, base: Path) -> bool:
        """Return whether its content is in place, in the folder of its dataset."""
        return _is_complete(base / self.place, self.needs)


COPIES = "its first host is gone or often down; search for copies by its name and checksum"
KAGGLE = "https://www.kaggle.com/datasets/jessicali9530/stanford-cars-dataset"
BY_CLASS = "https://www.kaggle.com/datasets/jutrera/stanford-car-dataset-by-classes-folder"
MLRC = "https://github.com/KevinMusgrave/powerful-benchmarker/tree/metric-learning"
DEVKIT = [  # without checksums: the copies that are left need not be the files of the first host
    Archive("car_devkit.tgz", "", "devkit/cars_train_annos.mat",
            "https://github.com/pytorch/vision/files/11644847/car_devkit.tgz"),
    Archive("cars_test_annos_withlabels.mat", "", "devkit/cars_test_annos_withlabels.mat",
            "https://github.com/pytorch/vision/issues/7545#issuecomment-1631441616"),
]  # fmt: skip
CHECKPOINTS = tuple(
    f"{FOLD_FOLDER.format(fold=i)}/saved_models/{part}_best*.pth" for i in FOLDS for part in PARTS
)
# Path of the settings -> layouts, each of which will do -> archives.
LAYOUTS = {
    "Cars196": [
        [Archive("stanford-cars-dataset.zip", "", "cars_train", KAGGLE, ("*",)),
         Archive("stanford-cars-dataset.zip", "", "cars_test", KAGGLE, ("*",)), *DEVKIT],
        [Archive("car_ims.tgz", "md5 d5c8f0aa497503f355e17dc7886c3f14", "car_ims", COPIES, ("*",)),
         Archive("cars_annos.mat", "md5 b407c6086d669747186bd1d764ff9dbc", "cars_annos.mat", COPIES)],
        [Archive("cars_train.tgz", "md5 065e5b463ae28d29e77c1b4b166cfe61", "cars_train", COPIES, ("*",)),
         Archive("cars_test.tgz", "md5 4ce7ebf6a94d07f1952d94dd34c4d501", "cars_test", COPIES, ("*",)), *DEVKIT],
        [Archive("stanford-car-dataset-by-classes-folder.zip", "", "", BY_CLASS, ("train", "test"))],
    ],
    "CUB200": [[Archive("CUB_200_2011.tgz", "md5 97eceeb196236b17998738112f37df78", "",
                        "https://data.caltech.edu/records/65de6-vp158",
                        ("images.txt", "image_class_labels.txt", "images"))]],
    "SOP": [[Archive("Stanford_Online_Products.zip", "md5 7f73d41a2f44250d4779881525aea32e", "",
                     "https://cvgl.stanford.edu/projects/lifted_struct", ("Ebay_test.txt", "Ebay_train.txt"))]],
    "RenderedCars": [[Archive("3D cars dataset.zip", "", "",
                              "https://github.com/konstantinkobs/DML-analysis, the README in its folder 3D_cars",
                              ("samples.csv", "images"))]],
    "models": [[Archive(f"{experiment}*.zip", "", experiment, MLRC, CHECKPOINTS)
                for experiment in (experiment_folder(model, dataset) for model in MODELS for dataset in model.runs)]],
    "imagenet_trunk": [[Archive("bn_inception-52deb4733.pth", "sha256 52deb4733", "", COPIES)]],
}  # fmt: skip


def put_in_place(archive: Archive, files: list[Path], base: Path) -> None:
    """Check the files of an archive, unpack them next to their place, and rename the result.

    Raises InputError for a broken archive, a disk that is too small, or an incomplete target.
    """
    target = base / archive.place
    aside = target.with_name(f".{target.name}.unpacking")
    nearest = next(path for path in target.parents if os.path.lexists(path))
    if not nearest.is_dir():  # but a file, a pipe, or a link that leads nowhere or to itself
        raise InputError(f"{nearest}: not a folder; move it away")
    with leases.locked(target):
        if archive.is_placed(base):  # by another process, meanwhile
            return
        if os.path.lexists(target):
            raise InputError(
                f"{target}: exists but is not complete; complete it yourself, or move it away"
            )
        _remove(aside)  # of a killed run
        try:
            roots = {_unpack(file, archive, aside) for file in files}
            if len(roots) > 1 or not _is_complete(aside / min(roots), archive.needs):
                raise InputError(
                    f"{files[0]}: does not hold all of {target.name}; download all of its parts again"
                )
            os.rename(aside / min(roots), target)
        finally:
            _remove(aside)


def _remove(path: Path) -> None:
    """Delete a folder, or whatever else is there; rmtree alone would wait for a pipe's writer."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_complete(path: Path, needs: tuple[str, ...]) -> bool:
    """Return whether a file, or a folder with everything it needs, exists. Nothing is opened."""
    if not needs:
        return path.is_file()
    matches = (path.glob(pattern) for pattern in needs)
    return all(any(file.is_file() or file.is_dir() for file in files) for files in matches)


def _unpack(file: Path, archive: Archive, aside: Path) -> PurePosixPath:
    """Unpack what belongs into the archive's place to a folder; return its path in that folder."""
    if not file.is_file():
        raise InputError(f"{file}: neither a file nor a link to one; move it away")
    if archive.checksum:
        _check(file, *archive.checksum.split())
    if file.suffix not in (".tgz", ".zip"):
        aside.mkdir()
        with named(aside):
            shutil.copyfile(file, aside / file.name)
        return PurePosixPath(file.name)
    mark = PurePosixPath(archive.place).name or archive.needs[0]
    with _opened(file) as opened, named(aside):
        members = _listed(file, opened, free_space(aside) - GB)
        ends = [path for name in members for path in (name, *name.parents) if path.name == mark]
        if not ends:
            raise InputError(f"{file}: holds no {mark}; {AGAIN}")
        root = min(ends, key=lambda path: len(path.parts))
        root = root if archive.place else root.parent
        how: dict[str, Any] = {"filter": "data"} if isinstance(opened, tarfile.TarFile) else {}
        for path, member in tqdm(members.items(), f"unpacking {file.name}", leave=False):
            if path.is_relative_to(root):
                opened.extract(member, aside, **how)
    return root


def _check(file: Path, method: str, expected: str) -> None:
    """Raise InputError unless the checksum of a file begins with the expected digits."""
    with open(file, "rb") as stream:
        digits = hashlib.file_digest(stream, method).hexdigest()
    if not digits.startswith(expected):
        raise InputError(f"{file}: its {method} is {digits}, not {expected}; {AGAIN}")


@contextmanager
def _opened(file: Path) -> Iterator[tarfile.TarFile | zipfile.ZipFile]:
    """Yield an archive. Raises InputError if it is broken."""
    try:
        with zipfile.ZipFile(file) if file.suffix == ".zip" else tarfile.open(file) as opened:
            yield opened
    except InputError:
        raise
    except Exception as error:  # libraries raise a dozen kinds for broken files
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # of the disk
            raise
        raise InputError(f"{file}: not a complete archive ({one_line(error)}); {AGAIN}") from None


def _listed(
    file: Path, opened: tarfile.TarFile | zipfile.ZipFile, free: int
) -> dict[PurePosixPath, Any]:
    """Return the files in an archive, path -> member.

    Raises InputError for members that must not be unpacked, and if they do not fit into the free
    bytes: at once, as all of a .tgz is unpacked to list it.
    """
    files, size = {}, 0
    for member in opened if isinstance(opened, tarfile.TarFile) else opened.infolist():
        if isinstance(member, tarfile.TarInfo):
            name, bytes_, is_folder = member.name, member.size, member.isdir()
            is_file = member.isreg()
        else:
            name, bytes_, is_folder = member.filename, member.file_size, member.is_dir()
            is_file = stat.S_IFMT(member.external_attr >> 16) in (0, stat.S_IFREG)
        path = PureWindowsPath(name)  # knows drives and backslashes, too
        if path.anchor or ".." in path.parts or bytes_ < 0 or not (is_folder or is_file):
            what = "is a link or a device, leads out of its folder or has a size below zero"
            raise InputError(f"{file}: {name!a} in it {what}; {AGAIN}")
        size += bytes_ + tarfile.BLOCKSIZE
        if size > free:
            raise InputError(
                f"{file}: needs more than the {max(free, 0) / GB:.1f} GB that its disk has to "
                "spare; make room"
            )
        if not is_folder:
            files[PurePosixPath(name)] = member
    if isinstance(opened, tarfile.TarFile):
        opened.fileobj.read(100 * tarfile.RECORDSIZE)  # to the end, where gzip has its checksum
    return files
