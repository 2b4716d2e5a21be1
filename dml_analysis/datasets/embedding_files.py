"""Reader of user-provided embeddings: .npz files with `embeddings` and `image_ids`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Shaped

from dml_analysis.errors import InputError
from dml_analysis.files import array_files


def read(file: Path, image_ids: Sequence[str] | None = None) -> Float32[np.ndarray, "n d"]:
    """Return the embeddings of these images, in their order; by default of all in the file.

    The file may contain more images, in any order. Raise InputError if it is missing or invalid, if
    an image is missing or listed twice, or if a returned number is not finite.
    """
    embeddings, ids = _arrays(file)
    rows = {image_id: row for row, image_id in enumerate(ids)}
    if len(rows) < len(ids):
        duplicate = next(image_id for row, image_id in enumerate(ids) if rows[image_id] != row)
        raise InputError(f"{file}: image_ids lists {duplicate!r} twice; keep one of them")
    requested = ids if image_ids is None else image_ids
    missing = [image_id for image_id in requested if image_id not in rows]
    if missing:
        hint = "data/4_list_images.py lists the images that it must contain"
        if any("\\" in image_id for image_id in ids):
            hint = "write its image_ids with / instead of \\"
        raise InputError(
            f"{file}: image {missing[0]!r} is missing ({len(missing)} of {len(requested)}); {hint}"
        )
    with np.errstate(over="ignore"):  # large values become infinite and are reported below
        selected = embeddings[[rows[image_id] for image_id in requested]].astype(np.float32)
    is_invalid = ~np.isfinite(selected).all(axis=1)
    if is_invalid.any():
        image_id = requested[int(is_invalid.argmax())]
        raise InputError(
            f"{file}: the embedding of image {image_id!r} has NaN or infinite values; compute it again"
        )
    return selected


def _arrays(file: Path) -> tuple[Float[np.ndarray, "n d"], list[str]]:
    """Return the embeddings and image ids of a file. Raise InputError if they are invalid."""
    what = "an .npz file with `embeddings` (n, d), floats, and `image_ids` (n,), texts or whole numbers"
    with array_files.opened(file, what, "the settings' `models` name it") as arrays:
        embeddings, ids = (_array(arrays, name) for name in ("embeddings", "image_ids"))
        if embeddings.ndim != 2 or embeddings.shape[1] == 0 or embeddings.dtype.kind != "f":
            raise ValueError(f"embeddings are {embeddings.dtype} {embeddings.shape}")
        if ids.shape != (len(embeddings),) or ids.dtype.kind not in "SUiu":
            raise ValueError(f"image_ids are {ids.dtype} {ids.shape}")
        ids = np.char.decode(ids, "utf-8") if ids.dtype.kind == "S" else ids
    return embeddings, [str(image_id) for image_id in ids.tolist()]


def _array(arrays: Mapping[str, np.ndarray], name: str) -> Shaped[np.ndarray, "..."]:
    """Return an array of a file. Raise ValueError if there is none of that name, or no numbers."""
    if name not in arrays:
        raise ValueError(f"has no array {name}, but {', '.join(arrays) or 'none at all'}")
    try:
        return arrays[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        kind = "str" if name == "image_ids" else "float"
        raise ValueError(
            f"{name} are Python objects, as columns of pandas are; save np.array({name}, dtype={kind})"
        ) from None
