"""Putting downloads in place: check, unpack beside the place, move there file by file, note in the manifest."""

import os
import shutil
from collections import Counter
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dml_analysis import leases
from dml_analysis.datasets import manifest, readers
from dml_analysis.errors import InputError, MissingFile
from dml_analysis.networks import checkpoint_files
from dml_analysis.paper import FOLDS, MODELS
from dml_analysis.preparation import archives, download
from dml_analysis.preparation.download_sources import SOURCES

EXPERIMENTS = "models"  # their folder also has imagenet_trunk's file, and networks that were trained here
TRUNK = "imagenet_trunk"
SHOWN = 10  # files of a kind that --verify names


# ---------------------------------------------------------------------------------------------------------------------
# Where things belong.
# ---------------------------------------------------------------------------------------------------------------------
def folder_of(settings, name):
    """The folder of a dataset or of the checkpoints, with links resolved: files are moved into it on its own disk."""
    path = settings.paths[name]
    return (path.parent if name == TRUNK else path).resolve()


def _belongs(settings, name, file):
    """Whether a file of the folder is one of `name`."""
    if name == TRUNK:
        return file == settings.paths[name].name
    return name != EXPERIMENTS or SOURCES[name].takes(file.split("/")[0])


def _there(settings, name):
    folder = folder_of(settings, name)
    return [file for file in manifest.files_in(folder) if _belongs(settings, name, file)]


def _listed(settings, name):
    rows = manifest.read(folder_of(settings, name))
    return {file: row for file, row in rows.items() if _belongs(settings, name, file)}


def arranged(name, archive, members):
    """Member of an archive -> path in the folder of `name`; members that do not belong there are left out.

    Raises InputError if none does, or if two would be the same file.
    """
    source = SOURCES[name]
    root = None if source.folders else _root(name, archive, members)
    places = {member: _place(source, root, member) for member in members}
    places = {member: place for member, place in places.items() if place and place != manifest.NAME}
    if not places:
        wanted = " or ".join(source.folders)
        raise InputError(f"{archive}: has no folder {wanted}; is it of {name}?")
    place, times = Counter(places.values()).most_common(1)[0]
    if times > 1:
        raise InputError(f"{archive}: has {times} files that would be {place}; unpack it by hand")
    return places


def _root(name, archive, members):
    """The parts of the folder in the archive that has one of the dataset's marks, the highest if several do."""
    marks = readers.MARKS[name]
    roots = {PurePosixPath(member).parent.parts for member in members if PurePosixPath(member).name in marks}
    highest = [root for root in roots if len(root) == min(map(len, roots))]
    if not highest:
        raise InputError(f"{archive}: has no {' or '.join(marks)}; is it of {name}?")
    if len(highest) > 1:
        raise InputError(
            f"{archive}: {' and '.join(sorted(map('/'.join, highest)))} in it look like {name}; unpack one"
        )
    return highest[0]


def _place(source, root, member):
    """Where a member belongs: by its name, by the innermost known folder it is in, or by the dataset's root."""
    parts = PurePosixPath(member).parts
    known = source.known(parts[-1])
    if known and known.place:
        return known.place
    if root is not None:
        return "/".join(parts[len(root) :]) if parts[: len(root)] == root else None
    inner = [i for i, part in enumerate(parts[:-1]) if source.takes(part)]
    return "/".join(parts[inner[-1] :]) if inner else None


# ---------------------------------------------------------------------------------------------------------------------
# Putting files in place.
# ---------------------------------------------------------------------------------------------------------------------
class Plan(NamedTuple):
    """What is to become of a file that was given."""

    file: Path
    packed: bool  # an archive, or the very file that is wanted
    sizes: dict  # member -> bytes
    places: dict  # member -> path in the dataset's folder


def prepare(settings, name, given):
    """Put the archives and files `given`, by path or address, in place; without any, take stock of what is there."""
    folder, source = folder_of(settings, name), SOURCES[name]
    manifest.read(folder)  # a broken one is found before anything is moved
    plans = [_planned(settings, name, file) for file in [_at_hand(settings, name, each) for each in given]]
    if plans:
        sizes = [plan.sizes[member] for plan in plans for member in plan.places]
        archives.check_room(", ".join(str(plan.file) for plan in plans), folder, sum(sizes), len(sizes))
    elif not _there(settings, name):
        raise MissingFile(f"{folder}: nothing of {name} is there yet; where to look: {source.look}")
    with _alone(folder):
        for plan in plans:
            _put(settings, name, plan)
        lacks = lacking(settings, name)
        _take_stock(settings, name, check=not given)
    print(f"not complete yet: {lacks}; where to look: {source.look}" if lacks else f"{name} is complete")


def fetch_and_prepare(settings, name):
    """Fetch all of `name` that has an address, unless it is complete, and put it in place."""
    source = SOURCES[name]
    if not source.addresses:
        raise InputError(f"{name}: has no address to fetch it from; where to look: {source.look}")
    if lacking(settings, name):
        prepare(settings, name, source.addresses)
    else:
        print(f"{name} is complete: {settings.paths[name]}")


def _at_hand(settings, name, given):
    """The file that is given by its path or by its address; checked if there is a checksum for it."""
    source = SOURCES[name]
    if download.is_address(given):
        folder = settings.paths["downloads"] / name  # one for each: different things may come by the same name
        with _alone(folder):
            file = download.fetch(given, folder, source)
    else:
        file = Path(given)
        if file.is_dir():
            raise InputError(f"{file}: a folder; give archives or files, or move it to {settings.paths[name]} yourself")
        if not file.is_file():
            raise MissingFile(f"{file}: no such file")
    # The place of the trunk promises its checksum, whatever the file is called.
    known = source.known(file.name) or (name == TRUNK and source.known(settings.paths[name].name))
    if not known or not (known.md5 or known.sha256):
        print(f"{file}: no checksum is known of a file of this name")
    elif wrong := manifest.mismatch(file, known):
        hint = (
            ""
            if known.place or name == TRUNK
            else "; a copy that was packed anew is taken under another name, by its counts"
        )
        raise InputError(f"{file}: {wrong}; delete it and fetch it again{hint}")
    return file


def _planned(settings, name, file):
    known = SOURCES[name].known(file.name)
    place = settings.paths[name].name if name == TRUNK else known and known.place
    if place:
        return Plan(file, False, {place: file.stat().st_size}, {place: place})
    sizes = archives.listed(file)
    places = arranged(name, file, sizes)
    out = sorted(sizes.keys() - places.keys())
    if out:
        print(f"{file}: {len(out)} of its files are left out, as {name} has no use for them; the first: {out[0]}")
    return Plan(file, True, sizes, places)


def _put(settings, name, plan):
    """Unpack into a folder of its own, move what is new from there if all of it may be, and add it to the manifest."""
    folder = folder_of(settings, name)
    staging = (folder if os.path.ismount(folder) else folder.parent) / f".{folder.name}.preparing"  # on the same disk
    shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed; first, or it might be found
    base = folder if name in (TRUNK, EXPERIMENTS) else readers.found(folder, name)
    try:
        rows = (archives.unpack if plan.packed else archives.copy)(plan.file, plan.sizes, plan.places, staging)
        new = _new(base, rows, plan.file)
        for file in new:
            (base / file).parent.mkdir(parents=True, exist_ok=True)
            os.rename(staging / file, base / file)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    inside = base.relative_to(folder)
    manifest.add(folder, [row._replace(file=(inside / row.file).as_posix()) for row in rows.values()])
    print(f"{plan.file}: {len(new)} files put in {base}, {len(rows) - len(new)} were there")


def _new(base, rows, archive):
    """The files that are not in `base` yet. Raises InputError if something else is in the way of any of them."""
    for folder in sorted({base / parent for file in rows for parent in PurePosixPath(file).parents}):
        if os.path.lexists(folder) and not folder.is_dir():
            raise InputError(f"{folder}: is in the way of a folder of {archive}; move it away")
    there = [file for file in rows if os.path.lexists(base / file)]
    same = manifest.described(base, [file for file in there if (base / file).is_file()])
    for file in there:
        if same.get(file) != rows[file]:
            raise InputError(f"{base / file}: is there already and differs from that of {archive}; move it away")
    return sorted(rows.keys() - set(there))


@contextmanager
def _alone(folder):
    """Raises InputError if another run is at work on the same folder."""
    with leases.leased(folder, 0) as ours:
        if not ours:
            raise InputError(f"{folder}: another run is at work on it; wait for its end")
        yield


# ---------------------------------------------------------------------------------------------------------------------
# What is there.
# ---------------------------------------------------------------------------------------------------------------------
def lacking(settings, name):
    """What `name` is not complete without, in a line; "" if it is complete. Raises InputError if it is broken."""
    if name == EXPERIMENTS:
        return _lacking_experiments(settings)
    path = settings.paths[name]
    if name == TRUNK:
        if not path.is_file():
            return f"{path} is missing"
        known = SOURCES[name].known(path.name)
        if known and (wrong := manifest.mismatch(path, known)):
            raise InputError(f"{path}: {wrong}; fetch it again")
        return ""
    try:
        for split in ("train", "validation", "test"):
            readers.check_images(readers.load_items(settings, name, split, fold=0))
    except MissingFile as error:
        return str(error)
    return ""


def _lacking_experiments(settings):
    named, missing = [(model, dataset) for model in MODELS for dataset in model.runs], []
    for model, dataset in named:
        try:
            for fold in FOLDS:
                checkpoint_files.check_exist(checkpoint_files.files_of(settings, model, dataset, fold))
        except MissingFile as error:
            missing.append(error)
    return f"{len(missing)} of {len(named)} experiments; {missing[0]}" if missing else ""


def _take_stock(settings, name, check):
    """Add what is in place to the manifest. With `check`, raises InputError if what it lists already is different."""
    folder, listed, there = folder_of(settings, name), _listed(settings, name), _there(settings, name)
    if check:
        missing, changed, _ = manifest.compared(folder, listed, there)
        if missing or changed:
            raise InputError(
                f"{folder / manifest.NAME}: {len(missing)} of its files are missing and {len(changed)} changed; "
                f"--verify {name} names them; put them in place again, or delete it to accept what is there"
            )
    new = manifest.described(folder, [file for file in there if file not in listed])
    if new:
        manifest.add(folder, new.values())
    print(f"{folder / manifest.NAME}: lists {len(listed) + len(new)} files of {name}")


def verify(settings, names):
    """Compare what is in place with the manifests: of `names`, or of all that have one."""
    listed = {name: _listed(settings, name) for name in names or SOURCES}
    without = [name for name, rows in listed.items() if not rows]
    if without and (names or len(without) == len(SOURCES)):
        file = folder_of(settings, without[0]) / manifest.NAME
        raise MissingFile(f"{file}: lists nothing of {without[0]}; data/1_prepare.py {without[0]} writes it")
    wrong = 0
    for name, rows in listed.items():
        if rows:
            missing, changed, unlisted = manifest.compared(folder_of(settings, name), rows, _there(settings, name))
            for what, files in (("missing", missing), ("changed", changed), ("not listed", unlisted)):
                for file in files[:SHOWN]:
                    print(f"{name}: {what}: {file}")
                if len(files) > SHOWN:
                    print(f"{name}: {what}: ... {len(files)} in all")
            print(f"{name}: {len(rows) - len(missing) - len(changed)} of {len(rows)} files are as listed")
            wrong += len(missing) + len(changed)
    if wrong:
        raise InputError(f"{wrong} files are missing or changed; put them in place again with data/1_prepare.py")
