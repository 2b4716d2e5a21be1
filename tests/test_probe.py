"""Linear probes: what can be read off, what cannot, and that no image is judged by a probe that has seen it."""

import numpy as np
import pytest

from dml_analysis.properties.linear_probe import hits_of


def test_what_is_there_is_read_off():
    random = np.random.default_rng(0)
    codes = np.repeat(np.arange(4), 25)
    features = random.normal(size=(100, 30))
    features[:, :4] += 8 * np.eye(4)[codes]
    assert hits_of(features, codes, 0).mean() == 1


def test_what_is_not_there_is_not():
    """More features than images: a probe that judged what it has seen would be right about all of it."""
    random = np.random.default_rng(0)
    hits = hits_of(random.normal(size=(200, 1000)), random.integers(0, 4, 200), 0)
    assert abs(hits.mean() - 0.25) < 3 * np.sqrt(0.25 * 0.75 / 200)


def test_the_fifths_come_from_the_seed():
    random = np.random.default_rng(0)
    features, codes = random.normal(size=(60, 5)), random.integers(0, 2, 60)
    np.testing.assert_array_equal(hits_of(features, codes, 1), hits_of(features, codes, 1))


@pytest.mark.parametrize("codes", [[0] * 20, [0, 1, 0, 1]])
def test_too_few_images(codes):
    with pytest.raises(ValueError, match="at least 10 images and two values"):
        hits_of(np.zeros((len(codes), 3)), np.array(codes), 0)
