"""What the metrics take: embeddings and labels of many kinds, as checked NumPy arrays."""

import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int, Num, Shaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import torch

    # What public functions take as an array; they never change it.
    Data: TypeAlias = np.ndarray | torch.Tensor | pd.DataFrame | pd.Series | Sequence | float
else:
    Data = Any


def as_array(values: Shaped[Data, "*shape"]) -> Shaped[np.ndarray, "*shape"]:
    """Return values as a NumPy array, which may share their memory.

    values: an array of any layout, a torch tensor on any device, with or without gradients, a
    column or table of pandas, or a sequence. bfloat16, which NumPy lacks, becomes float32.
    """
    torch = sys.modules.get("torch")  # a tensor exists only if torch is loaded
    if torch is not None and isinstance(values, torch.Tensor):
        values = values.detach().cpu().resolve_conj().resolve_neg()
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    return np.asarray(values)


def checked_embeddings(
    embeddings: Num[Data, "n d"], name: str = "embeddings"
) -> Float[np.ndarray, "n d"]:
    """Return embeddings as an array of floats, float32 or wider.

    name: what errors call them. Raises ValueError on other shapes, without images or dimensions,
    and on anything but finite numbers.
    """
    array = as_array(embeddings)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"need {name} (n, d), n and d above 0, not {array.shape}")
    if array.dtype == object:  # a table of pandas whose columns differ in type
        array = _as_numbers(array)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} must be numbers, not {array.dtype}")
    if array.dtype.kind != "f" or array.dtype.itemsize not in (4, 8):
        with np.errstate(over="ignore"):  # what exceeds float64 is infinite
            array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} contain NaN or infinite values")
    return array


def _as_numbers(array: Shaped[np.ndarray, "n d"]) -> Shaped[np.ndarray, "n d"]:
    """Return objects as float64, NaN where they are missing; as they are if they are no numbers."""
    import pandas as pd  # loading takes time, and most embeddings do not need it

    if any(isinstance(value, str | bytes | bool) for value in array.flat):
        return array
    try:
        return np.where(pd.isna(array), np.nan, array).astype(np.float64)
    except (TypeError, ValueError):
        return array


def property_codes(table: Shaped[Data, "*n k"]) -> Int[np.ndarray, "n k"]:
    """Return which of each property's values every image has, as codes from 0.

    table: a column for each property, or a single one; integers, floats, booleans, strings or
    categories. A property's codes follow the order of those of its values that occur. Each
    different float is a value of its own: bin what is continuous first, e.g. by pandas.cut.

    Source: Kobs et al., section 4.1, whose properties have a few values each. Raises ValueError on
    missing values, on values that have no order, and on other shapes.

    >>> property_codes([["red", "blue"], ["red", "green"], ["black", "blue"]])
    array([[1, 0],
           [1, 1],
           [0, 0]])
    """
    return np.stack(
        [np.unique(column, return_inverse=True)[1].reshape(-1) for column in _columns(table)],
        axis=1,
    )


def label_codes(labels: Shaped[Data, "*n k"], n: int) -> Int[np.ndarray, "n k"]:
    """Return property_codes of the labels of n images. Raises ValueError if they are of others."""
    codes = property_codes(labels)
    _check_number(len(codes), n)
    return codes


def class_labels(labels: Shaped[Data, "*n"], n: int) -> Shaped[np.ndarray, " n"]:
    """Return the class labels of n images, (n,) or (n, 1), as an array of one dimension.

    Raises ValueError on anything else, on missing values and on values that have no order.
    """
    columns = _columns(labels)
    if len(columns) != 1:
        raise ValueError(f"need one class label for each image, not {len(columns)}")
    _check_number(len(columns[0]), n)
    return columns[0]


def _check_number(n_labels: int, n: int) -> None:
    if n_labels != n:
        raise ValueError(f"need labels of all {n} images, not of {n_labels}")


def _columns(table: Shaped[Data, "*n k"]) -> list[Shaped[np.ndarray, " n"]]:
    """Return the columns of labels, whose values can be sorted."""
    frame: Any = table
    if hasattr(frame, "columns"):  # of pandas, whose columns may differ in type
        columns = [_of_pandas(frame.iloc[:, place]) for place in range(frame.shape[1])]
    elif hasattr(frame, "iloc"):
        columns = [_of_pandas(frame)]
    else:
        array = as_array(table)
        if array.ndim not in (1, 2):
            raise ValueError(f"need labels (n,) or (n, k), not {array.shape}")
        columns = list(array.reshape(len(array), -1).T) if array.size else []
    if not columns or not len(columns[0]):
        raise ValueError("need labels of at least one image")
    return [_sortable(column) for column in columns]


def _of_pandas(column: Any) -> Shaped[np.ndarray, " n"]:
    """Return a column of pandas; categories as numbers in their order, NaN where missing."""
    if not hasattr(column, "cat"):
        return np.asarray(column)
    codes = np.asarray(column.cat.codes)
    return np.where(codes < 0, np.nan, codes) if (codes < 0).any() else codes


def _sortable(column: Shaped[np.ndarray, " n"]) -> Shaped[np.ndarray, " n"]:
    """Return values, objects of one type as an array of that type.

    Raises ValueError if one is missing, or if their types differ.
    """
    if column.dtype.kind in "biuUS":
        return column
    import pandas as pd  # loading takes time, and most labels do not need it

    if pd.isna(column).any():
        raise ValueError("labels contain NaN or missing values")
    if column.dtype != object:
        return column
    try:
        np.unique(column)
    except TypeError:
        raise ValueError(
            "labels of different types have no order; make all of them texts"
        ) from None
    return column
