"""The known archives of datasets and checkpoints, and how to unpack one into its place.

Nothing in an archive is trusted: its checksum is compared first, and it is unpacked into a folder of
its own, which none of its members can leave. What lies at a place is looked at, but never opened.
"""

import errno
import gzip
import hashlib
import os
import shutil
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dml_analysis import leases
from dml_analysis.errors import InputError, one_line
from dml_analysis.files.atomic_files import named
from dml_analysis.networks.checkpoint_files import PARTS
from dml_analysis.paper import FOLD_FOLDER, FOLDS, MODELS, experiment_folder

CHUNK = 1 << 24  # bytes
OF_DISKS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES)
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

    Raises InputError for a broken archive or an incomplete target.
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
            if len(roots) > 1 or not _is_complete(min(roots), archive.needs):
                raise InputError(
                    f"{files[0]}: does not hold all of {target.name}; download all of its parts again"
                )
            os.rename(min(roots), target)
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


def _unpack(file: Path, archive: Archive, aside: Path) -> Path:
    """Unpack a file to a folder, and return the path of what belongs to the archive's place.

    Raises InputError if the file is not the archive, or is broken or dangerous.
    """
    if not file.is_file():
        raise InputError(f"{file}: neither a file nor a link to one; move it away")
    if archive.checksum:
        _check(file, *archive.checksum.split())
    aside.mkdir(exist_ok=True)
    try:
        with named(aside):
            if file.suffix == ".zip":
                shutil.unpack_archive(file, aside)
            elif file.suffix == ".tgz":
                shutil.unpack_archive(file, aside, "gztar", filter="data")
                with gzip.open(file) as stream:
                    while stream.read(CHUNK):  # to the end, where gzip has its checksum
                        pass
            else:
                return shutil.copyfile(file, aside / file.name)
    except Exception as error:  # libraries raise a dozen kinds for broken files
        if isinstance(error, OSError) and error.errno in OF_DISKS:
            raise
        raise InputError(f"{file}: not a complete archive ({one_line(error)}); {AGAIN}") from None
    mark = PurePosixPath(archive.place).name or archive.needs[0]
    matches = sorted(aside.rglob(mark), key=lambda path: len(path.parts))
    if not matches:
        raise InputError(f"{file}: holds no {mark}; {AGAIN}")
    return matches[0] if archive.place else matches[0].parent


def _check(file: Path, method: str, expected: str) -> None:
    """Raise InputError unless the checksum of a file begins with the expected digits."""
    with open(file, "rb") as stream:
        digits = hashlib.file_digest(stream, method).hexdigest()
    if not digits.startswith(expected):
        raise InputError(f"{file}: its {method} is {digits}, not {expected}; {AGAIN}")
