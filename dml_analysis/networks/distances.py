"""The models' distances as torch functions, for saliency maps.

metrics/coordinates.py has the NumPy counterpart, which orders neighbours.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from pytorch_metric_learning import distances

from dml_analysis.errors import InputError, one_line
from dml_analysis.imports import imported, is_name
from dml_analysis.paper import RAW_EUCLIDEAN

Distance = Callable[
    [Float[torch.Tensor, "n d"], Float[torch.Tensor, "m d"]], Float[torch.Tensor, "n m"]
]

EXACT = "donot_use_mm_for_euclid_dist"  # matrix products would lose digits


def distance_function(name: str) -> Distance:
    """Return the distance or similarity of this name.

    The distances of Table 1, from pytorch-metric-learning, normalise embeddings to unit length
    first; RAW_EUCLIDEAN does not. For "SNR Distance" the first argument is the anchor. A name of
    the form module:function names a function from embeddings (n, d), not normalised, to
    coordinates (n, k); the distance is the Euclidean one between coordinates.
    """
    if name == RAW_EUCLIDEAN:
        return lambda a, b: torch.cdist(a, b, compute_mode=EXACT)
    if is_name(name):
        return lambda a, b: torch.cdist(
            _coordinates(name, a), _coordinates(name, b), compute_mode=EXACT
        )
    return {
        "Euclidean Distance": lambda: distances.LpDistance(),
        "Squared Euclidean": lambda: distances.LpDistance(power=2),
        "Cosine Similarity": lambda: distances.CosineSimilarity(),
        "Dot Product Similarity": lambda: distances.DotProductSimilarity(),
        "SNR Distance": lambda: distances.SNRDistance(),
    }[name]()


def coordinates(name: str, embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
    """Return the coordinates that the function module:function gives for embeddings.

    Raises InputError if the function cannot be imported, fails, or gives something else.
    """
    with torch.no_grad():
        # A copy, as the function may change it, and torch warns of arrays that are read-only.
        return _coordinates(name, torch.from_numpy(np.array(embeddings))).cpu().numpy()


def check(name: str, embeddings: Float[np.ndarray, "n d"], gradients: bool) -> None:
    """Raise InputError if the function module:function does not work for embeddings.

    gradients: whether it must be differentiable.
    """
    leaf = torch.from_numpy(embeddings).requires_grad_(gradients)
    argument = leaf * 1  # no leaf, like the result of a network
    result = _coordinates(name, argument)
    if not torch.equal(argument, leaf):
        raise InputError(
            f"distance {name}: changes the embeddings that it is given; remove its in-place operations"
        )
    if not torch.allclose(result, _coordinates(name, leaf * 1)):
        raise InputError(
            f"distance {name}: gives other coordinates for the same embeddings each time; remove its random steps"
        )
    if gradients:
        try:
            torch.autograd.grad(result.sum(), leaf)
        except RuntimeError as error:  # a result that is detached, or changed in place
            raise InputError(f"distance {name}: gives no gradients ({one_line(error)})") from None


def _coordinates(name: str, embeddings: Float[torch.Tensor, "n d"]) -> Float[torch.Tensor, "n k"]:
    """Return the coordinates of embeddings by the function of this name.

    Raises InputError if the function cannot be imported, fails, or gives something else.
    """
    try:
        result = imported(name)(embeddings)
    except InputError:
        raise
    except Exception as error:
        shape, reason = tuple(embeddings.shape), one_line(error)
        raise InputError(f"distance {name}: fails for embeddings {shape} ({reason})") from None
    is_tensor = isinstance(result, torch.Tensor)
    if (
        not is_tensor
        or result.ndim != 2
        or len(result) != len(embeddings)
        or not result.is_floating_point()
    ):
        what = tuple(result.shape) if is_tensor else type(result).__name__
        raise InputError(
            f"distance {name}: gives {what}, but must give a tensor of floats ({len(embeddings)}, k)"
        )
    if not torch.isfinite(result).all():
        raise InputError(f"distance {name}: gives NaN or infinite coordinates; check its code")
    return result
