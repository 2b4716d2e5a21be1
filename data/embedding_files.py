"""Embeddings that somebody else has computed: .npz files with the arrays `embeddings` (n, d) and `image_ids` (n,)."""

import numpy as np

from common.errors import InputError, MissingFile
from common.imports import one_line


def read(file, image_ids=None):
    """The embeddings (n, d), float32, of the images of these ids, in their order; by default of all in the file.

    The file may have more images, in any order. Raises MissingFile if it does not exist, and InputError if it is no such
    file, lacks an image, lists one twice, or holds numbers that are not finite.
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
    chosen = embeddings[[rows[image_id] for image_id in wanted]].astype(np.float32)
    bad = ~np.isfinite(chosen).all(axis=1)
    if bad.any():
        raise InputError(f"{file}: the embedding of image {wanted[bad.argmax()]!r} has NaN or infinite values")
    return chosen


def _arrays(file):
    """(embeddings, image ids as a list of texts)."""
    if not file.is_file():
        raise MissingFile(f"{file}: missing; the settings' `models` name it")
    try:
        with np.load(file, allow_pickle=False) as arrays:
            embeddings, ids = arrays["embeddings"], arrays["image_ids"]
    except Exception as error:  # numpy and zipfile raise a dozen kinds for broken files
        raise InputError(
            f"{file}: not readable ({one_line(error)}); it must be an .npz with `embeddings` (n, d), numbers, and "
            "`image_ids` (n,), texts or whole numbers, and no Python objects"
        ) from None
    if embeddings.ndim != 2 or embeddings.shape[1] == 0 or not np.issubdtype(embeddings.dtype, np.floating):
        raise InputError(f"{file}: embeddings are {embeddings.dtype} {embeddings.shape}, but must be floats (n, d)")
    if ids.shape != (len(embeddings),) or ids.dtype.kind not in "Uiu":
        raise InputError(
            f"{file}: image_ids are {ids.dtype} {ids.shape}, but must be texts or whole numbers ({len(embeddings)},)"
        )
    return embeddings, [str(each) for each in ids.tolist()]
