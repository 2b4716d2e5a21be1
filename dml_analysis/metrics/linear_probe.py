"""Which properties a linear classifier can read off the features of images."""

import numpy as np
from jaxtyping import Bool, Float, Int

FIFTHS = 5
PENALTIES = np.logspace(0, 6, 13)


def probe_hits(
    features: Float[np.ndarray, "n d"], codes: Int[np.ndarray, "n k"], folds: Int[np.ndarray, " n"]
) -> Bool[np.ndarray, "n k"]:
    """Return whether a linear classifier that has not seen an image's fold gives it its code.

    codes: of k properties, each from 0 on. The classifier is a ridge regression on standardised
    features, with targets of 1 for an image's code and -1 for the others. The penalty of each
    property is the one of PENALTIES with the smallest leave-one-out error in the other folds, as in
    sklearn's RidgeClassifierCV. Raises ValueError if there are fewer than two folds, or a property
    has one code only.
    """
    features, codes, folds = np.asarray(features, float), np.asarray(codes), np.asarray(folds)
    if len(np.unique(folds)) < 2:
        raise ValueError("a probe needs images of two folds")
    if (codes.max(axis=0) == 0).any():
        raise ValueError("a probe needs a property with two values")
    columns = np.repeat(np.arange(codes.shape[1]), codes.max(axis=0) + 1)
    values = np.concatenate([np.arange(count) for count in codes.max(axis=0) + 1])
    targets = np.where(codes[:, columns] == values, 1.0, -1.0)
    hits = np.zeros(codes.shape, dtype=bool)
    for fold in np.unique(folds):
        own = folds == fold
        scores = _ridge_scores(features[~own], targets[~own], features[own], columns)
        for k in range(codes.shape[1]):
            hits[own, k] = scores[:, columns == k].argmax(axis=1) == codes[own, k]
    return hits


def _ridge_scores(
    features: Float[np.ndarray, "n d"],
    targets: Float[np.ndarray, "n c"],
    new: Float[np.ndarray, "m d"],
    groups: Int[np.ndarray, " c"],
) -> Float[np.ndarray, "m c"]:
    """Return the predictions of a ridge regression; the targets of a group share a penalty."""
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 0, scale, 1)
    u, s, vt = np.linalg.svd((features - mean) / scale, full_matrices=False)
    centre = targets.mean(axis=0)
    projected = u.T @ (targets - centre)
    projected_new = ((new - mean) / scale) @ vt.T
    n_groups, errors = groups.max() + 1, []
    for penalty in PENALTIES:
        shrunk = s**2 / (s**2 + penalty)
        leverage = (u**2 * shrunk).sum(axis=1) + 1 / len(features)
        residuals = targets - centre - u @ (shrunk[:, None] * projected)
        with np.errstate(divide="ignore", invalid="ignore"):
            left_out = np.square(residuals / (1 - leverage)[:, None]).mean(axis=0)
        errors.append(np.bincount(groups, left_out, n_groups))
    best = PENALTIES[np.nanargmin(errors, axis=0)][groups]
    shrinkage = s[:, None] / (s[:, None] ** 2 + best)
    return projected_new @ (shrinkage * projected) + centre


def random_fifths(n: int, seed: int) -> Int[np.ndarray, " n"]:
    """Return the number of the random fifth that each of n images is in."""
    if n < 2 * FIFTHS:
        raise ValueError(f"a probe needs at least {2 * FIFTHS} images")
    return np.random.default_rng(seed).permutation(np.arange(n) % FIFTHS)
