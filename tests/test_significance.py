"""The Mann-Whitney test by hand and on the published Table 6."""

import pandas as pd
import pytest
import scipy.stats

from dml_analysis import checkout
from dml_analysis.metrics.significance import mann_whitney


def test_by_hand():
    # All of 2 above all of 3: one of the 10 splits, times two sides
    assert mann_whitney([4, 5], [1, 2, 3]) == (6, pytest.approx(0.2))
    assert mann_whitney([1, 2], [3, 4, 5]) == (0, pytest.approx(0.2))


def test_exact_also_with_ties():
    # Values 1 2 2 3 split as {2, 3} | {1, 2}: U = 3.5; 2 of the 6 splits reach that on a side, so p = 4 / 6
    assert mann_whitney([2, 3], [1, 2]) == (3.5, pytest.approx(4 / 6))


def published(name):
    table = pd.read_csv(checkout.ROOT / "dml_analysis" / "published" / "table6_nrprec.csv")
    values = table.value.fillna(0.82)  # the one blank cell, ProxyNCA's sun_rotation
    chosen = table.property == name
    return [values[chosen & (table.type == kind)] for kind in ("Ranking", "Classification")]


# "The paper" finds all but model and sun_rotation significant; on the printed loss means only five properties are.
@pytest.mark.parametrize(
    "name, p",
    [("color_hue", 0.0010), ("color_sat", 0.0010), ("bg_color_sat", 0.0010), ("color_val", 0.0040),
     ("camera_loc_z", 0.0040), ("rotation_z", 0.029), ("bg_color_val", 0.021), ("bg_color_hue", 0.042),
     ("sun_elevation", 0.042), ("sun_rotation", 0.51)],
)  # fmt: skip
def test_published_table_6(name, p):
    digits = len(f"{p}".split(".")[1])
    assert mann_whitney(*published(name)).p_value == pytest.approx(p, abs=0.51 * 10**-digits)
    assert mann_whitney(*published("model")).p_value == pytest.approx(0.0325, abs=0.001)


def test_half_two_sided_is_the_normal_approximation():
    # U = 45, mean 22.5, no ties: z = (22.5 - 0.5) / sqrt(9 * 5 * 15 / 12) = 2.9333, its upper tail 0.001677
    ranking, classification = range(10, 19), range(5)
    assert mann_whitney(ranking, classification, "half two-sided").p_value == pytest.approx(
        0.001677, abs=1e-6
    )
    assert mann_whitney(ranking, classification).p_value == pytest.approx(2 / 2002)


@pytest.mark.parametrize(
    "a, b, u, p",
    [([3], [1, 2, 4, 5], 2, 1), ([9], [1, 2, 4, 5], 4, 2 / 5), ([2], [1, 2, 4, 5], 1.5, 1), ([4], [1, 2, 4, 4], 3, 1), ([1, 2, 4, 5], [9], 0, 2 / 5),
     ([1], [1], 0.5, 1), ([1], [1, 1, 1], 1.5, 1), ([1, 1], [0], 2, 2 / 3)],
)  # fmt: skip
def test_one_value_alone(a, b, u, p):
    """Any of n values could be the one that is alone: p is twice the share that is as far out, ties counting half in U."""
    assert mann_whitney(a, b) == (u, pytest.approx(p))


def test_ties_in_large_samples_take_the_normal_approximation():
    # 6 zeros and 6 ones against 10 zeros and 2 ones, of 24: U = 12 * 12 / 2 + (6 * 10 - 6 * 2) / 2 = 96, mean 72;
    # variance 144 / 12 * (25 - (16^3 - 16 + 8^3 - 8) / (24 * 23)); continuity corrected by a half on each side
    ranking, classification = [0] * 6 + [1] * 6, [0] * 10 + [1] * 2
    spread = (12 * (25 - (16**3 - 16 + 8**3 - 8) / (24 * 23))) ** 0.5
    upper, lower = (scipy.stats.norm.sf((distance - 0.5) / spread) for distance in (24, -24))
    assert mann_whitney(ranking, classification) == (96, pytest.approx(2 * upper))
    assert mann_whitney(ranking, classification, "greater") == (96, pytest.approx(upper))
    assert mann_whitney(ranking, classification, "less") == (96, pytest.approx(lower))


@pytest.mark.parametrize(
    "a, b, greater, less",
    [([4, 5], [1, 2, 3], 1 / 10, 1), ([1, 2], [3, 4, 5], 1, 1 / 10), ([2, 3], [1, 2], 2 / 6, 1),
     ([9], [1, 2, 4, 5], 1 / 5, 1), ([1, 2, 4, 5], [9], 1, 1 / 5), ([2], [1, 2, 4, 5], 4 / 5, 3 / 5),
     ([3], [1, 2, 4, 5], 3 / 5, 3 / 5), ([4], [1, 2, 4, 4], 3 / 5, 1), ([1, 2, 4, 4], [4], 1, 3 / 5), ([1], [1], 1, 1)],
)  # fmt: skip
def test_one_sided_by_hand(a, b, greater, less):
    """The share of all splits of the values with a U as large, or as small; the splits of a value alone are the values."""
    assert mann_whitney(a, b, "greater").p_value == pytest.approx(greater)
    assert mann_whitney(a, b, "less").p_value == pytest.approx(less)
    assert mann_whitney(a, b, "greater").u == mann_whitney(a, b).u == mann_whitney(a, b, "less").u


@pytest.mark.parametrize(
    "a, b, alternative",
    [([], [1], "two-sided"), ([1], [float("nan")], "two-sided"), ([1], [2], "fewer")],
)
def test_bad_input(a, b, alternative):
    with pytest.raises(ValueError):
        mann_whitney(a, b, alternative)
