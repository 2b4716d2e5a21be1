"""How alike two networks embed the same images: CKA, mutual nearest neighbours and Procrustes.

Each is in two steps. `prepare` does what concerns one network alone. `compare` then gives the
similarity, for any assignment of the images of the second network to those of the first. So a
permutation null costs little more than its comparisons.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from jaxtyping import Float, Int, Num

from dml_analysis.metrics.coordinates import scaled, unit
from dml_analysis.metrics.inputs import Data, checked_embeddings
from dml_analysis.seeds import derived_seed

PERMUTATIONS = 100
NEIGHBORS = 10
MIN_IMAGES = 4  # of an unbiased HSIC
BLOCK = 4096  # rows that are multiplied at a time
ROUNDING = 1e-12  # a share of a biased HSIC below which the unbiased one is zero
MAX_TIES = 2**26  # nearest neighbours of all images together, tied ones included


class RepresentationSimilarity(NamedTuple):
    """A similarity of two networks, and what it is by chance."""

    value: float
    null_mean: float  # over permutations of the images of one network
    null_std: float  # over the same, with ddof 1
    p_value: float  # one-sided: (1 + permutations as alike or more) / (1 + permutations)


class Measure(NamedTuple):
    """A measure of similarity, in its two steps."""

    label: str  # in tables and figures
    prepare: Callable[[Float[np.ndarray, "n d"], int, str], Any]
    compare: Callable[[Any, Any, Int[np.ndarray, " n"]], float]


def representation_similarity(
    a: Num[Data, "n d1"],
    b: Num[Data, "n d2"],
    measure: str = "linear_cka",
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    neighbors: int = NEIGHBORS,
) -> RepresentationSimilarity:
    """Return how alike two embeddings of the same images are, with its permutation null.

    a, b: row i of both is image i; their dimensions may differ. The measures are:

    - "linear_cka": debiased linear centred kernel alignment; see linear_cka.
    - "mutual_knn": the share of nearest neighbours in common; see mutual_knn.
    - "procrustes": the overlap after the best rotation; see procrustes.

    All are 1 for embeddings that differ in rotation and scale alone. The null permutes the images
    of b. It shows what unrelated embeddings of these sizes have: about 0 for CKA, more for the
    others. Compare a value with that of two folds of one method, too: few reach 1.

    neighbors: of each image, for "mutual_knn". Memory is bounded: some copies of the embeddings,
    and one block of distances.

    Source: Kornblith et al. (ICML 2019); Huh et al., "The Platonic Representation Hypothesis" (ICML
    2024); Williams et al., "Generalized Shape Metrics on Neural Representations" (NeurIPS 2021).
    Raises ValueError on another measure, on fewer than two permutations, and as that measure does.

    >>> a = np.random.default_rng(0).normal(size=(100, 8))
    >>> b = a[:, ::-1] * 3 + 1  # the same but for rotation, scale and place
    >>> similarity = representation_similarity(a, b, "procrustes")
    >>> round(similarity.value, 6), round(similarity.p_value, 4), similarity.null_mean < 0.5
    (1.0, 0.0099, True)
    """
    if permutations < 2:
        raise ValueError(f"permutations is {permutations}, but at least two are needed")
    _, prepare, compare = _measure(measure)
    x, y = _pair(a, b)
    first, second = prepare(x, neighbors, "first"), prepare(y, neighbors, "second")
    value = compare(first, second, np.arange(len(x)))
    return summary(value, null(first, second, measure, len(x), permutations, seed))


def null(
    first: Any, second: Any, measure: str, n: int, permutations: int, seed: int
) -> Float[np.ndarray, " permutations"]:
    """Return the similarity of two prepared embeddings of n images under permutations of these."""
    generator = np.random.default_rng(derived_seed(seed, "permuted images"))
    compare = _measure(measure).compare
    return np.array([compare(first, second, generator.permutation(n)) for _ in range(permutations)])


def summary(
    value: float, similarities: Float[np.ndarray, " permutations"]
) -> RepresentationSimilarity:
    """Return a similarity with its null in short; equal up to rounding counts as equal."""
    as_large = (similarities >= value - ROUNDING).sum()
    return RepresentationSimilarity(
        value,
        float(similarities.mean()),
        float(similarities.std(ddof=1)),
        float((1 + as_large) / (1 + len(similarities))),
    )


def _measure(name: str) -> Measure:
    if name not in MEASURES:
        raise ValueError(f"unknown measure {name!r}; known: {', '.join(MEASURES)}")
    return MEASURES[name]


def _pair(
    a: Num[Data, "n d1"], b: Num[Data, "n d2"]
) -> tuple[Float[np.ndarray, "n d1"], Float[np.ndarray, "n d2"]]:
    """Return two embeddings; ValueError if they are not of the same MIN_IMAGES images or more."""
    x, y = checked_embeddings(a), checked_embeddings(b)
    if len(x) != len(y):
        raise ValueError(f"need embeddings of the same images, not of {len(x)} and {len(y)}")
    check_number(len(x))
    return x, y


def check_number(n: int) -> None:
    """Raise ValueError for fewer than MIN_IMAGES images."""
    if n < MIN_IMAGES:
        raise ValueError(f"similarity needs embeddings of at least {MIN_IMAGES} images, not {n}")


def _compared(measure: Measure, a: Num[Data, "n d1"], b: Num[Data, "n d2"], k: int) -> float:
    x, y = _pair(a, b)
    first, second = measure.prepare(x, k, "first"), measure.prepare(y, k, "second")
    return measure.compare(first, second, np.arange(len(x)))


def _centred(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Return embeddings in float64 minus their mean, scaled so that products cannot overflow.

    Constant columns are exactly zero.
    """
    x = scaled(x)
    x -= x[0].copy()
    return x - x.mean(axis=0)


def _product(
    x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], order: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "d1 d2"]:
    """Return X'Y, where the rows of Y are in this order."""
    starts = range(0, len(x), BLOCK)
    return sum(x[start : start + BLOCK].T @ y[order[start : start + BLOCK]] for start in starts)


# --------------------------------------------------------------------------------------------------
# Centred kernel alignment.
# --------------------------------------------------------------------------------------------------
class _Centred(NamedTuple):
    """Centred embeddings X."""

    x: Float[np.ndarray, "n d"]
    squares: Float[np.ndarray, " n"]  # of the norms of the rows
    hsic: float  # of X with itself


def linear_cka(x: Num[Data, "n d1"], y: Num[Data, "n d2"]) -> float:
    """Return debiased linear centred kernel alignment of two embeddings of the same images.

    CKA is HSIC(x, y) / sqrt(HSIC(x, x) HSIC(y, y)) (Kornblith et al., ICML 2019), in [-1, 1].
    HSIC is the unbiased HSIC_1 of Song et al. (JMLR 13, 2012), which leaves out the similarity of
    each image with itself. CKA is 1 for embeddings that differ only in rotation and scale. For
    unrelated embeddings it is 0 on average, however few the images, so it can be negative.

    Raises ValueError on other shapes, on values that are not finite, on fewer than MIN_IMAGES
    images, and if HSIC(x, x) or HSIC(y, y) is 0: then embeddings are constant or, minus some
    offset, all orthogonal to each other.
    """
    return _compared(MEASURES["linear_cka"], x, y, NEIGHBORS)


def _prepare_cka(x: Float[np.ndarray, "n d"], neighbors: int, name: str) -> _Centred:
    x = _centred(x)
    squares = np.square(x).sum(axis=1)
    unbiased, biased = _hsic(_product(x, x, np.arange(len(x))), squares, squares)
    if unbiased <= ROUNDING * biased:
        raise ValueError(
            f"in the {name} embeddings all images are equal or orthogonal to each other: CKA is "
            "undefined"
        )
    return _Centred(x, squares, unbiased)


def _compare_cka(first: _Centred, second: _Centred, order: Int[np.ndarray, " n"]) -> float:
    product = _product(first.x, second.x, order)
    across, _ = _hsic(product, first.squares, second.squares[order])
    value = across / (math.sqrt(first.hsic) * math.sqrt(second.hsic))
    return float(np.clip(value, -1, 1))  # rounding can exceed the bounds


def _hsic(
    product: Float[np.ndarray, "d1 d2"], p: Float[np.ndarray, " n"], q: Float[np.ndarray, " n"]
) -> tuple[float, float]:
    """Return n (n - 3) HSIC_1 of two linear kernels, and ||X'Y||^2.

    product: X'Y, of centred embeddings. Rows and columns of a centred kernel sum to 0, diagonal
    included. Its diagonal is p, the squared norms of the rows; q is that of the other kernel. So
    equation 5 of Song et al. becomes
    ||X'Y||^2 - n p'q / (n - 2) + sum(p) sum(q) / ((n - 1) (n - 2)), without a matrix (n, n).
    """
    n, biased = len(p), float(np.square(product).sum())
    return biased - n / (n - 2) * (p @ q) + p.sum() * q.sum() / ((n - 1) * (n - 2)), biased


# --------------------------------------------------------------------------------------------------
# Procrustes.
# --------------------------------------------------------------------------------------------------
def procrustes(x: Num[Data, "n d1"], y: Num[Data, "n d2"]) -> float:
    """Return the Procrustes similarity of two embeddings of the same images, in [0, 1].

    With X and Y centred and of Frobenius norm 1, it is the largest tr(X'YQ) over all rotations and
    reflections Q, which is the nuclear norm of X'Y. It is 1 for embeddings that differ only in
    rotation, scale and place. The Procrustes distance, the smallest ||X - YQ||, is
    sqrt(2 - 2 similarity), and the angle of Williams et al. (NeurIPS 2021) its arccos. Unrelated
    embeddings have far more than 0 if dimensions are many and images few: see its null.

    Raises ValueError on other shapes, on values that are not finite, on fewer than MIN_IMAGES
    images, and if all embeddings are equal.
    """
    return _compared(MEASURES["procrustes"], x, y, NEIGHBORS)


def _prepare_procrustes(
    x: Float[np.ndarray, "n d"], neighbors: int, name: str
) -> Float[np.ndarray, "n d"]:
    x = _centred(x)
    norm = np.linalg.norm(x)
    if norm == 0:
        raise ValueError(
            f"in the {name} embeddings all images are equal: Procrustes similarity is undefined"
        )
    return x / norm


def _compare_procrustes(
    first: Float[np.ndarray, "n d1"],
    second: Float[np.ndarray, "n d2"],
    order: Int[np.ndarray, " n"],
) -> float:
    nuclear = np.linalg.svd(_product(first, second, order), compute_uv=False).sum()
    return float(min(nuclear, 1))  # rounding can exceed the bound


# --------------------------------------------------------------------------------------------------
# Mutual nearest neighbours.
# --------------------------------------------------------------------------------------------------
def mutual_knn(x: Num[Data, "n d1"], y: Num[Data, "n d2"], neighbors: int = NEIGHBORS) -> float:
    """Return the share of nearest neighbours that two embeddings have in common, in [0, 1].

    It is the mean over images of the share of an image's k nearest others by one network that are
    among its k nearest by the other, by cosine (Huh et al., ICML 2024). Images that tie for the
    last of the k places share these evenly, in each network independently. By chance it is
    k / (n - 1) for n images.

    neighbors: k. Raises ValueError on other shapes, on values that are not finite, on fewer than
    MIN_IMAGES images, unless k is from 1 to n - 2, and if far too many images tie. Raises
    ZeroEmbedding for a zero embedding.
    """
    return _compared(MEASURES["mutual_knn"], x, y, neighbors)


def _prepare_knn(x: Float[np.ndarray, "n d"], neighbors: int, name: str) -> scipy.sparse.csr_array:
    """Return with which probability (n, n) each image is among the nearest of each other."""
    from dml_analysis.metrics.nearest_neighbors import in_blocks  # compiled code takes seconds

    n, pieces, total = len(x), [], 0
    if not 1 <= neighbors <= n - 2:
        raise ValueError(f"neighbors is {neighbors}, but must be from 1 to {n - 2}, for {n} images")

    def work(
        rows: slice, images: np.ndarray, begins: np.ndarray, ends: np.ndarray
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return each query's nearest images, tied ones included, and their probabilities."""
        nearest = []
        for row, begin, end in zip(images, begins[:, 0], ends[:, 0]):
            shares = np.ones(end)
            if end > begin:
                shares[begin:] = (neighbors - begin) / (end - begin)
            nearest.append((row[:end].copy(), shares))
        return nearest

    ranks = np.full((n, 1), neighbors)
    for block in in_blocks(scaled(unit(x)), np.arange(n), ranks, work):
        pieces += block
        total += sum(len(images) for images, _ in block)
        if total > MAX_TIES:
            raise ValueError(
                f"in the {name} embeddings too many images tie for nearest neighbour, as if they "
                "were equal: mutual nearest neighbours are undefined"
            )
    columns, shares = (np.concatenate(parts) for parts in zip(*pieces))
    ends = np.cumsum([0, *(len(images) for images, _ in pieces)])
    return scipy.sparse.csr_array((shares, columns, ends), shape=(n, n))


def _compare_knn(
    first: scipy.sparse.csr_array, second: scipy.sparse.csr_array, order: Int[np.ndarray, " n"]
) -> float:
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    second = second[order]
    second = scipy.sparse.csr_array(
        (second.data, places[second.indices], second.indptr), shape=second.shape
    )
    return float(first.multiply(second).sum() / first.sum())


MEASURES = {
    "linear_cka": Measure("linear CKA, debiased", _prepare_cka, _compare_cka),
    "mutual_knn": Measure("mutual nearest neighbours", _prepare_knn, _compare_knn),
    "procrustes": Measure("Procrustes", _prepare_procrustes, _compare_procrustes),
}
