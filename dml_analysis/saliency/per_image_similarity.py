"""The similarity of maps image by image, in one file that others can read without the stores: per_image_<dataset>.npz."""

import numpy as np

from dml_analysis.errors import InputError
from dml_analysis.files import array_files
from dml_analysis.paper import as_in_files
from dml_analysis.saliency import map_comparisons, saliency_maps


def files(settings):
    """Write a file for every protocol and dataset of the settings; yields its path.

    Its arrays: loss_a, loss_b and fold (k,), a row for each pair of networks, spelled as in
    pairs_<dataset>.csv; image_ids (n,); correlation and jsd (k, n),
    float32, NaN where a map is constant. Raises InputError if not all pairs have been compared.
    """
    items, found = saliency_maps.mapped_items(settings), {}
    for each in map_comparisons.comparisons_of(settings, items):
        found.setdefault((each.protocol, each.dataset), []).append(each)
    for (protocol, dataset), some in found.items():
        file = map_comparisons.pairs_file(settings, protocol, dataset).with_name(
            f"per_image_{dataset}.npz"
        )
        array_files.write(file, **_arrays(some))
        yield file


def _arrays(some):
    """The arrays of one file; some: the comparisons of its folds."""
    rows, values = [], []
    for each in some:
        arrays, store = each.arrays_of(each.maps), each.store_of(each.maps)
        names = {model.name for model in each.settings.models if not model.embeddings}
        if not store.is_complete() or names - each.maps.keys():
            raise InputError(
                f"{store.folder}: not all maps are compared; run saliency/2_compare_maps.py first"
            )
        read = store.read(*arrays.values())
        for pair, array in arrays.items():
            rows.append((*map(as_in_files, pair), each.fold_of(pair)))
            values.append(read[array].astype(np.float32))
    loss_a, loss_b, fold = (np.array(column) for column in zip(*rows))
    correlation, jsd = np.moveaxis(np.array(values), 2, 0)
    ids = np.array([item.image_id for item in some[0].items])
    return {
        "loss_a": loss_a,
        "loss_b": loss_b,
        "fold": fold,
        "image_ids": ids,
        "correlation": correlation,
        "jsd": jsd,
    }
