"""The trunks that trainings begin with, as files; and, where trunks are frozen, their features of all images of a dataset."""

from functools import partial

from dml_analysis import checksums, leases
from dml_analysis.config import BN_INCEPTION
from dml_analysis.datasets import image_digests, readers
from dml_analysis.errors import InputError
from dml_analysis.files.array_files import Array
from dml_analysis.networks import checkpoint_files, sources, specifications
from dml_analysis.networks.specifications import seen, start_source
from dml_analysis.stages import Job, Stage
from dml_analysis.store import ResultStore, blocks

BATCH_SIZE = (
    25  # no setting: rounding depends on it, and training makes other networks of other rounding
)
BATCHES_PER_PART = 4


# ---------------------------------------------------------------------------------------------------------------------
# Trunks.
# ---------------------------------------------------------------------------------------------------------------------
def trunk_provenance(settings, source):
    """What the trunk is made of that trainings begin with: BN-Inception's ImageNet file, or whatever builds another."""
    if source.network == BN_INCEPTION:
        return {"trunk": checksums.short(settings.records, settings.paths["imagenet_trunk"])}
    found = source.description(settings.records)
    return source.provenance(settings.records) | seen(found) | {"weights": found.weights}


def built(settings, source):
    """(module, transform) of such a trunk, with its weights."""
    from dml_analysis.networks import (
        checkpoints,
        loading,  # torch takes seconds to load
    )

    module, transform = loading.build(source)
    if source.network == BN_INCEPTION:
        checkpoints.fill(module, settings.paths["imagenet_trunk"])
    return module, transform


def start_trunk(settings, model):
    """The file of the trunk that a model's training begins with, made if it does not exist yet.

    Raises InputError if it was made of something else, or is not the file that was made.
    """
    from dml_analysis.networks import checkpoints

    source, file = start_source(settings, model), checkpoint_files.start_trunk_file(settings, model)
    folder = settings.paths["models"] / "training" / "trunk" / file.stem
    store = ResultStore(
        folder, trunk_provenance(settings, source), [[file.name]], {"sha256": Array("U64")}
    )
    with leases.locked(file):
        if store.is_complete() and file.is_file():
            status = file.stat()
            if (
                checksums.sha256(file, status.st_size, status.st_mtime_ns)
                != store.load(0)["sha256"][0]
            ):
                raise InputError(
                    f"{file}: not the file that was made; delete it, and it is made again"
                )
            return file
        checkpoints.save(built(settings, source)[0].state_dict(), file)
        status = file.stat()
        store.save(0, sha256=[checksums.sha256(file, status.st_size, status.st_mtime_ns)])
    return file


# ---------------------------------------------------------------------------------------------------------------------
# Features.
# ---------------------------------------------------------------------------------------------------------------------
def features_store(settings, dataset, model, items, name):
    """The features (f,) of the trunk that a model's training begins with, a row for each of the items; name: of these."""
    source, ids = start_source(settings, model), readers.ids_of(items)
    arrays = {"features": Array("f4", (source.description(settings.records).outputs,))}
    provenance = {
        "images": image_digests.described(settings.records, items),
        **trunk_provenance(settings, source),
    }
    provenance |= (
        {"precision": "tf32"} if settings.precision == "tf32" else {}
    )  # features are never made in bf16
    trunk = checkpoint_files.start_trunk_file(settings, model).stem
    folder = settings.paths["models"] / "training" / "features" / trunk / dataset / name
    return ResultStore(
        folder, provenance, blocks(ids, BATCH_SIZE * BATCHES_PER_PART), arrays, (model, items)
    )


def features_stage(settings, stores):
    """The features on these stores."""
    jobs = [Job([store], partial(_make, settings)) for store in stores]
    items = [item for store in stores for item in store.subject[1]]
    return Stage("trunk features", "image", jobs, keep=partial(_keep, settings, stores),
                 check=lambda todo: readers.check_images(items), device=partial(specifications.device_of, settings))  # fmt: skip


def _keep(settings, stores):
    """What is known of the images and of the trunks, for when they are gone."""
    image_digests.keep(settings.records, [store.subject[1] for store in stores])
    sources.keep(settings.records, {start_source(settings, store.subject[0]) for store in stores})


def _make(settings, stores, number, tick):
    """A part of the features; see Job.make."""
    import torch

    from dml_analysis.networks.loading import load_trunk
    from dml_analysis.networks.modules import device_of, features_of
    from dml_analysis.networks.transforms import network_inputs

    (store,), features = stores, []
    model, items = store.subject
    source = start_source(settings, model)
    trunk = load_trunk(
        source,
        source.description(settings.records),
        start_trunk(settings, model),
        device_of(settings.device, settings.precision),
    )
    some = blocks(blocks(items, BATCH_SIZE * BATCHES_PER_PART)[number], BATCH_SIZE)
    batches = (torch.stack(list(network_inputs(each, trunk.transform))) for each in some)
    for images in batches:
        features.append(features_of(trunk.module, images))
        tick(len(images))
    return [{"features": torch.cat(features)}]
