"""The trunks that training starts from, as files, and the features of frozen ones."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from dml_analysis import checksums, leases
from dml_analysis.config import BN_INCEPTION, Settings
from dml_analysis.datasets import image_digests, readers
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError
from dml_analysis.files.array_files import Array
from dml_analysis.networks import checkpoint_files
from dml_analysis.networks.sources import Source
from dml_analysis.networks.specifications import seen, start_source
from dml_analysis.paper import Model
from dml_analysis.store import ResultStore, blocks

if TYPE_CHECKING:  # torch takes seconds to load
    from torch import nn

    from dml_analysis.networks.loading import Ready
    from dml_analysis.networks.transforms import Transform

# No setting, because rounding depends on it, and other rounding leads to other trained networks.
BATCH_SIZE = 25
CHUNK_SIZE = 4 * BATCH_SIZE


# -------------------------------------------------------------------------------------------------
# Trunks.
# -------------------------------------------------------------------------------------------------
def trunk_provenance(settings: Settings, source: Source) -> dict[str, Any]:
    """Return the digests of the files that build the trunk that training starts from."""
    if source.network == BN_INCEPTION:
        return {"trunk": checksums.short(settings.records, settings.paths["imagenet_trunk"])}
    description = source.description(settings.records)
    return (
        source.provenance(settings.records) | seen(description) | {"weights": description.weights}
    )


def build_trunk(source: Source, imagenet_trunk: Path) -> "tuple[nn.Module, Transform]":
    """Return (module, transform) of a source; imagenet_trunk: the weights of BN-Inception."""
    from dml_analysis.networks import checkpoints, loading

    module, transform = loading.build(source)
    if source.network == BN_INCEPTION:
        checkpoints.fill(module, imagenet_trunk)
    return module, transform


def start_trunk(settings: Settings, model: Model) -> Path:
    """Return the file of the trunk that a model's training starts from, after writing it if needed.

    Raises InputError if it was made with something else, or is not the file that was written.
    """
    from dml_analysis.networks import checkpoints

    source, file = start_source(settings, model), checkpoint_files.start_trunk_file(settings, model)
    folder = settings.paths["models"] / "training" / "trunk" / file.stem
    provenance = trunk_provenance(settings, source)
    store = ResultStore(folder, provenance, [[file.name]], {"sha256": Array("U64")})
    with leases.locked(file):
        if not (store.is_complete() and file.is_file()):
            module, _ = build_trunk(source, settings.paths["imagenet_trunk"])
            checkpoints.save(module.state_dict(), file)
            store.save(0, sha256=[_sha256(file)])
        elif _sha256(file) != store.load(0)["sha256"][0]:
            raise InputError(f"{file}: not the file that was made; delete it to make it again")
    return file


def _sha256(file: Path) -> str:
    status = file.stat()
    return checksums.sha256(file, status.st_size, status.st_mtime_ns)


# -------------------------------------------------------------------------------------------------
# Features.
# -------------------------------------------------------------------------------------------------
def features_store(
    settings: Settings, dataset: str, model: Model, samples: Sequence[Sample], name: str
) -> ResultStore:
    """Return the store of the features (f,) of a model's start trunk, one row for each sample.

    name: of the samples' folder. The store's subject is (model, samples).
    """
    source = start_source(settings, model)
    provenance = {
        "images": image_digests.described(settings.records, samples),
        **trunk_provenance(settings, source),
    }
    trunk = checkpoint_files.start_trunk_file(settings, model).stem
    return ResultStore(
        settings.paths["models"] / "training" / "features" / trunk / dataset / name,
        provenance,
        blocks(readers.ids_of(samples), CHUNK_SIZE),
        {"features": Array("f4", (source.description(settings.records).outputs,))},
        (model, samples),
    )


def load_start_trunk(settings: Settings, model: Model) -> "Ready":
    """Return the trunk that a model's training starts from, ready for inference."""
    from dml_analysis.networks.loading import load_trunk
    from dml_analysis.networks.modules import device_of

    source, file = start_source(settings, model), start_trunk(settings, model)
    device = device_of(settings.device)
    return load_trunk(source, source.description(settings.records), file, device)


def features_of(
    trunk: "Ready", samples: Sequence[Sample], advance: Callable[[int], Any]
) -> Float[np.ndarray, "n f"]:
    """Return a trunk's features of images; advance(n) is called after every n images."""
    import torch

    from dml_analysis.networks import modules
    from dml_analysis.networks.transforms import network_inputs

    features = []
    for block in blocks(samples, BATCH_SIZE):
        images = torch.stack(list(network_inputs(block, trunk.transform)))
        features.append(modules.features_of(trunk.module, images))
        advance(len(images))
    return torch.cat(features).numpy()
