"""Embeddings that somebody else has computed: .npz files with the arrays `embeddings` (n, d) and `image_ids` (n,)."""

import numpy as np

from dml_analysis.errors import InputError
from dml_analysis.files import array_files


def read(file, image_ids=None):
    """The embeddings (n, d), float32, of the images of these ids, in their order; by default of all in the file.

    The file may have more images, in any order. Raises InputError as errors.refused says, and if the file lacks an image,
    lists one twice, or holds numbers that are not finite.
    """
    embeddings, ids = _arrays(file)
    rows = {image_id: row for row, image_id in enumerate(ids)}
    if len(rows) < len(ids):
        twice = next(image_id for row, image_id in enumerate(ids) if rows[image_id] != row)
        raise InputError(f"{file}: image_ids lists {twice!r} twice; keep one of them")
    wanted = ids if image_ids is None else image_ids
    lacking = [image_id for image_id in wanted if image_id not in rows]
    if lacking:
        raise InputError(
            f"{file}: lacks image {lacking[0]!r} ({len(lacking)} of {len(wanted)}); data/4_list_images.py lists what it needs"
        )
    with np.errstate(over="ignore"):  # it is infinite then, which is said below
        chosen = embeddings[[rows[image_id] for image_id in wanted]].astype(np.float32)
    bad = ~np.isfinite(chosen).all(axis=1)
    if bad.any():
        raise InputError(f"{file}: the embedding of image {wanted[bad.argmax()]!r} has NaN or infinite values")
    return chosen


def _arrays(file):
    """(embeddings, image ids as a list of texts)."""
    what = "an .npz file with `embeddings` (n, d), floats, and `image_ids` (n,), texts or whole numbers"
    with array_files.opened(file, what, "the settings' `models` name it") as arrays:
        embeddings, ids = arrays["embeddings"], arrays["image_ids"]
        if embeddings.ndim != 2 or embeddings.shape[1] == 0 or embeddings.dtype.kind != "f":
            raise ValueError(f"embeddings are {embeddings.dtype} {embeddings.shape}")
        if ids.shape != (len(embeddings),) or ids.dtype.kind not in "Uiu":
            raise ValueError(f"image_ids are {ids.dtype} {ids.shape}")
    return embeddings, [str(each) for each in ids.tolist()]
