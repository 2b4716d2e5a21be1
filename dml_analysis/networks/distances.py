"""The distances of models as functions of torch, for saliency maps; coordinates.py has what orders neighbours by them."""

import torch
from pytorch_metric_learning import distances

from dml_analysis.errors import InputError, one_line
from dml_analysis.imports import imported, is_name
from dml_analysis.paper import RAW_EUCLIDEAN

EXACT = "donot_use_mm_for_euclid_dist"  # products would cost digits


def distance_function(name):
    """Return the distance or similarity of this name: called with (n, d) and (m, d), it gives (n, m).

    Those of Table 1, from pytorch-metric-learning, normalise embeddings to unit length first; RAW_EUCLIDEAN takes them as
    they are. For "SNR Distance" the first argument is the anchor. A name of the form module:function is that of a function
    from embeddings (n, d), as they are, to coordinates (n, k): then it is the Euclidean distance between these.
    """
    if name == RAW_EUCLIDEAN:
        return lambda a, b: torch.cdist(a, b, compute_mode=EXACT)
    if is_name(name):
        return lambda a, b: torch.cdist(_coordinates(name, a), _coordinates(name, b), compute_mode=EXACT)
    return {
        "Euclidean Distance": lambda: distances.LpDistance(),
        "Squared Euclidean": lambda: distances.LpDistance(power=2),
        "Cosine Similarity": lambda: distances.CosineSimilarity(),
        "Dot Product Similarity": lambda: distances.DotProductSimilarity(),
        "SNR Distance": lambda: distances.SNRDistance(),
    }[name]()


def coordinates(name, embeddings):
    """What the function of this name makes of an array of embeddings (n, d): an array (n, k), to which all of it applies."""
    with torch.no_grad():
        return _coordinates(name, torch.from_numpy(embeddings)).cpu().numpy()


def check(name, embeddings, gradients):
    """Raise InputError if the function of this name does not work for embeddings (n, d); gradients: if its own are wanted."""
    given = torch.from_numpy(embeddings).requires_grad_(gradients)
    some = given * 1  # as the result of a network
    found = _coordinates(name, some)
    if not torch.equal(some, given):
        raise InputError(
            f"distance {name}: changes the embeddings that it is given; take operations in place out of it"
        )
    if not torch.allclose(found, _coordinates(name, given * 1)):
        raise InputError(f"distance {name}: gives other coordinates for the same embeddings each time; is it random?")
    if gradients:
        try:
            torch.autograd.grad(found.sum(), given)
        except RuntimeError as error:  # of numbers that are detached, or changed in place
            raise InputError(f"distance {name}: gives no gradients ({one_line(error)})") from None


def _coordinates(name, embeddings):
    """Raises InputError if the function cannot be imported, fails, or gives something else."""
    try:
        found = imported(name)(embeddings)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"distance {name}: fails for embeddings {tuple(embeddings.shape)} ({one_line(error)})"
        ) from None
    if (
        not isinstance(found, torch.Tensor)
        or found.ndim != 2
        or len(found) != len(embeddings)
        or not found.is_floating_point()
    ):
        what = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise InputError(f"distance {name}: gives {what}, but must give a tensor of floats ({len(embeddings)}, k)")
    if not torch.isfinite(found).all():
        raise InputError(f"distance {name}: gives NaN or infinite coordinates")
    return found
