"""Folders with a sub-folder for each class, and the images in them."""

import os
from collections.abc import Iterator
from pathlib import Path

from dml_analysis.datasets.images import OTHER_SUFFIXES, SUFFIXES
from dml_analysis.errors import InputError, MissingFile

SEE = "(see docs/inputs.md)"
JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir")  # of operating systems
# If a dataset has no other sub-folders, each of these contains a sub-folder for each class.
PARTS = {"train", "test", "val", "valid", "validation"}


def class_folders(folder: Path | str) -> list[Path]:
    """Return the folders of classes. Those in several of PARTS with one name are one class.

    Raise MissingFile if the folder does not exist.
    """
    if not Path(folder).is_dir():
        raise MissingFile(
            f"{folder}: missing; a dataset of your own is a folder with a sub-folder for each class {SEE}"
        )
    folders = _sub_folders(Path(folder))
    if folders and {path.name for path in folders} <= PARTS:
        return [path for part in folders for path in _sub_folders(part)]
    return folders


def class_names(folder: Path | str) -> list[str]:
    """Return the names of the classes in their order. Raise as class_folders does."""
    return sorted({path.name for path in class_folders(folder)})


def images_of(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield (image, class) for all images, those in sub-folders of a class's folder too.

    Raise InputError for a class without images, an image of a kind that is not read, or a link to
    a folder inside a class.
    """
    labels = {name: label for label, name in enumerate(class_names(folder))}
    for class_folder in class_folders(folder):
        files = list(_files(class_folder))
        images = [path for path in files if path.suffix.lower() in SUFFIXES]
        others = [path for path in files if path.suffix.lower() in OTHER_SUFFIXES]
        if others:
            raise InputError(
                f"{others[0]}: images of this kind are not read; convert it to .png, or move it away"
            )
        if not images:
            raise InputError(
                f"{class_folder}: contains no image ({', '.join(SUFFIXES)}); "
                f"each sub-folder is a class {SEE}"
            )
        yield from ((path, labels[class_folder.name]) for path in images)


def other_files(folder: Path) -> list[Path]:
    """Return the files that are no images of a class, without those of operating systems."""
    stray = [
        path for path in sorted(folder.iterdir()) if path.is_file() and not _is_junk(path.name)
    ]
    files = [path for class_folder in class_folders(folder) for path in _files(class_folder)]
    return stray + [path for path in files if path.suffix.lower() not in SUFFIXES]


def _sub_folders(folder: Path) -> list[Path]:
    """Return the sub-folders in the order of their names."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not _is_junk(path.name))


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and in its sub-folders, in the order of their names.

    Raise InputError for a link to a folder, which could lead back.
    """
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_junk(name))
        for name in folders:
            if os.path.islink(os.path.join(parent, name)):
                raise InputError(
                    f"{os.path.join(parent, name)}: a link to a folder inside a class; "
                    "put the images there, or make it a class"
                )
        yield from (Path(parent, name) for name in sorted(files) if not _is_junk(name))


def _is_junk(name: str) -> bool:
    """Return whether operating systems write files or folders of this name, or hide them."""
    return name.startswith(".") or name in JUNK
