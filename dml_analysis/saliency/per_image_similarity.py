"""The similarity of maps image by image, in one file without stores: per_image_<dataset>.npz."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dml_analysis.config import Settings
from dml_analysis.errors import InputError
from dml_analysis.files import array_files
from dml_analysis.paper import as_in_files
from dml_analysis.saliency.map_comparisons import Comparison, comparisons_of, pairs_file


def write_files(settings: Settings) -> Iterator[Path]:
    """Write a file for every protocol and dataset of the settings, and yield its path.

    Its arrays: loss_a, loss_b and fold (k,), a row for each pair of networks, spelled as in
    pairs_<dataset>.csv; image_ids (n,); correlation and jsd (k, n), float32, NaN where a map is
    constant. Raises InputError if not all pairs have been compared.
    """
    names = {model.name for model in settings.models if not model.embeddings}
    by_file: dict[Path, list[Comparison]] = {}
    for comparison in comparisons_of(settings):
        file = pairs_file(settings, comparison.protocol, comparison.dataset)
        file = file.with_name(f"per_image_{comparison.dataset}.npz")
        by_file.setdefault(file, []).append(comparison)
    for file, comparisons in by_file.items():
        array_files.write(file, **_arrays(comparisons, names))
        yield file


def _arrays(comparisons: list[Comparison], names: set[str]) -> dict[str, np.ndarray]:
    """Return the arrays of one file, of the comparisons of its folds; names: of all models."""
    rows, values = [], []
    for comparison in comparisons:
        arrays = comparison.pair_arrays(comparison.maps)
        store = comparison.store_of(comparison.maps)
        if not store.is_complete() or names - comparison.maps.keys():
            raise InputError(
                f"{store.folder}: not all maps are compared; run saliency/2_compare_maps.py first"
            )
        of_fold = store.read(*arrays.values())
        for pair, array in arrays.items():
            rows.append((*map(as_in_files, pair), comparison.fold_of(pair)))
            values.append(of_fold[array].astype(np.float32))
    loss_a, loss_b, fold = (np.array(column) for column in zip(*rows))
    correlation, jsd = np.moveaxis(np.array(values), 2, 0)
    return {
        "loss_a": loss_a,
        "loss_b": loss_b,
        "fold": fold,
        "image_ids": np.array([sample.image_id for sample in comparisons[0].samples]),
        "correlation": correlation,
        "jsd": jsd,
    }
