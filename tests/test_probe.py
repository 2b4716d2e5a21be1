"""Linear probes: what can be read off, what cannot, and that no image is judged by a probe that has seen it."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dml_analysis.metrics.linear_probe import PENALTIES, probe_hits, random_fifths


@pytest.mark.parametrize("n_features", [4, 60])
def test_as_sklearn(n_features):
    """Each property as by RidgeClassifierCV alone, fold by fold."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(90, n_features)) * rng.uniform(0.5, 5, n_features)
    noise = rng.normal(size=(90, 3))
    codes = np.stack(
        [
            np.digitize(features[:, 0] + noise[:, 0], [-1, 1]),
            (features[:, 1] > noise[:, 1]).astype(int),
            rng.integers(0, 4, 90),
        ],
        axis=1,
    )
    folds = rng.integers(0, 3, 90)
    expected = np.zeros(codes.shape, dtype=bool)
    for fold in range(3):
        own = folds == fold
        for k, column in enumerate(codes.T):
            probe = make_pipeline(StandardScaler(), RidgeClassifierCV(PENALTIES))
            probe.fit(features[~own], column[~own])
            expected[own, k] = probe.predict(features[own]) == column[own]
    assert (probe_hits(features, codes, folds) == expected).mean() > 0.98


def test_nothing_can_be_read_off_noise():
    """More features than images: a probe that judged what it has seen would be right about all of it."""
    rng = np.random.default_rng(0)
    features, codes = rng.normal(size=(200, 400)), rng.integers(0, 4, (200, 1))
    assert 0.15 < probe_hits(features, codes, random_fifths(200, 0)).mean() < 0.35


def test_a_fold_that_explains_all_does_not_help():
    """A property that each car shows by another feature cannot be read off a car that is left out."""
    rng = np.random.default_rng(1)
    cars, codes = np.arange(400) % 4, rng.integers(0, 2, (400, 1))
    features = rng.normal(size=(400, 4)) * 0.1
    features[np.arange(400), cars] += 2 * codes[:, 0] - 1
    assert probe_hits(features, codes, random_fifths(400, 0)).mean() > 0.9
    assert probe_hits(features, codes, cars).mean() < 0.7


def test_a_value_that_the_other_folds_lack_is_never_predicted():
    features = np.eye(3)[[0, 0, 1, 1, 2, 2]] + 0.01 * np.arange(6)[:, None]
    codes = np.array([[0], [0], [1], [1], [2], [2]])
    assert not probe_hits(features, codes, np.array([0, 0, 1, 1, 2, 2])).any()


def test_images_that_are_too_few_or_all_alike():
    with pytest.raises(ValueError, match="at least 10 images"):
        random_fifths(9, 0)
    with pytest.raises(ValueError, match="two values"):
        probe_hits(np.eye(4), np.zeros((4, 1), int), np.arange(4))
    with pytest.raises(ValueError, match="two folds"):
        probe_hits(np.eye(4), np.arange(4)[:, None], np.zeros(4, int))
    assert sorted(np.bincount(random_fifths(12, 0))) == [2, 2, 2, 3, 3]
