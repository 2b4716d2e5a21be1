"""Similarities of models and what is said of them: by hand, by plain loops, with planted relations, and without any."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
import scipy.cluster.hierarchy
import scipy.stats

from dml_analysis.controls import compared_groupings
from dml_analysis.controls.group_tests import published_scores
from dml_analysis.metrics import groupings
from dml_analysis.metrics.groupings import (
    agreement,
    assignments,
    cophenetic,
    count_assignments,
    linkage,
    mantel,
    profile_similarity,
    within_between_test,
    within_minus_between,
)

NAN = float("nan")


def symmetric(n_models, rng):
    """A similarity without any structure."""
    matrix = np.triu(rng.uniform(size=(n_models, n_models)), 1)
    return matrix + matrix.T + np.eye(n_models)


def is_uniform(p_values, steps, rng):
    """Whether p-values, which are multiples of 1 / steps, are uniform: a random point of each step is, if they are."""
    return (
        scipy.stats.kstest(
            np.array(p_values) - rng.uniform(size=len(p_values)) / steps, "uniform"
        ).pvalue
        > 0.05
    )


# --------------------------------------------------------------------------------------------------
# Within groups and between them.
# --------------------------------------------------------------------------------------------------
FOUR = np.array([[9, 5, 1, 2], [5, 9, 3, 2], [1, 3, 9, 4], [2, 2, 4, 9]])


def test_within_minus_between_by_hand():
    # Within 5 and 4; between 1, 2, 3, 2
    assert within_minus_between(FOUR, ["a", "a", "b", "b"]) == pytest.approx(4.5 - 2)
    # Within 5, 1, 3; between 2, 2, 4
    assert within_minus_between(FOUR, ["a", "a", "a", "None"]) == pytest.approx(3 - 8 / 3)
    unknown = FOUR.astype(float)
    np.fill_diagonal(unknown, NAN)
    given = unknown.copy()
    assert within_minus_between(given, ["a", "b", "a", "b"]) == pytest.approx(
        (1 + 2) / 2 - (5 + 2 + 3 + 4) / 4
    )
    assert np.array_equal(given, unknown, equal_nan=True)  # left as it was


@pytest.mark.parametrize("sizes, number", [([9, 5], 2002), ([2, 2], 3), ([7, 7], 1716), ([2, 2, 1], 15), ([1, 1, 1], 1),
                                           ([3, 2, 1], 60), ([2, 2, 2], 15)])  # fmt: skip
def test_each_assignment_once(sizes, number):
    """14! / (9! 5!); of two and two, and seven and seven, half of the named ones; 5! / (2! 2! 1!) / 2; 6! / 8 / 3!"""
    found = list(assignments(sizes))
    assert len(found) == count_assignments(sizes) == number
    as_sets = {
        frozenset(frozenset(np.flatnonzero(np.array(labels) == n).tolist()) for n in set(labels))
        for labels in found
    }
    assert len(as_sets) == number
    assert all(sorted(map(len, each)) == sorted(sizes) for each in as_sets)


def test_the_exact_test_by_hand():
    # Assignments of two and two: 5 + 4, 1 + 2 and 2 + 3 within
    found = within_between_test(FOUR, [*"aabb"], seed=0)
    assert found == (pytest.approx(2.5), pytest.approx(1 / 3), 3, True)
    assert within_between_test(FOUR, [*"abab"], seed=0).p_value == 1
    assert within_between_test(FOUR, [*"abba"], seed=0).p_value == pytest.approx(2 / 3)


def test_the_exact_test_by_all_permutations():
    rng = np.random.default_rng(6)
    for groups in ("aaabb", "aabbc", "aaaab", "aabbcc"):
        similarity = symmetric(len(groups), rng).round(1)  # with ties
        true = within_minus_between(similarity, [*groups])
        others = [within_minus_between(similarity, order) for order in permutations(groups)]
        found = within_between_test(similarity, [*groups], seed=0)
        assert found.p_value == pytest.approx(np.mean([each > true - 1e-9 for each in others]))


@pytest.mark.parametrize("scale", [1e9 / 7, 1e-9 / 7])
def test_rounding_makes_no_difference_of_ties(scale):
    rng = np.random.default_rng(19)
    for _ in range(20):
        whole = np.rint(4 * symmetric(9, rng))  # whose sums are exact
        p_values = [
            within_between_test(each, [*"aaaabbbbb"], 0).p_value for each in (whole, whole * scale)
        ]
        assert p_values[0] == p_values[1]


def test_models_without_any_difference_have_a_p_of_one():
    for similarity in (np.full((14, 14), 0.1), np.full((14, 14), 1e9 / 3)):
        for allowed in (10_000, 100):
            assert within_between_test(similarity, ["a"] * 9 + ["b"] * 5, 0, allowed).p_value == 1


def test_sampled_assignments_are_close_to_all():
    rng = np.random.default_rng(7)
    similarity, groups = symmetric(14, rng), [*"aababaabaabaab"]
    exact, sampled = (within_between_test(similarity, groups, 0, number) for number in (2002, 2001))
    assert (
        exact.exact
        and exact.assignments == 2002
        and not sampled.exact
        and sampled.assignments == 2001
    )
    assert exact.statistic == sampled.statistic and 0.01 < exact.p_value < 0.99
    assert abs(sampled.p_value - exact.p_value) < 4 * math.sqrt(
        exact.p_value * (1 - exact.p_value) / 2001
    )
    count = sampled.p_value * 2002 - 1
    assert count == pytest.approx(round(count), abs=1e-6)
    again, other = (within_between_test(similarity, groups, seed, 2001) for seed in (0, 1))
    assert sampled == again != other


def test_planted_groups_are_found():
    rng = np.random.default_rng(8)
    groups = np.array([*"aabababaaaabab"])
    similarity = symmetric(14, rng) + (groups[:, None] == groups)
    found = within_between_test(similarity, groups, seed=0)
    assert found.p_value == pytest.approx(
        1 / count_assignments([9, 5])
    ) and found.statistic == pytest.approx(1, abs=0.2)
    assert within_between_test(-similarity, groups, seed=0).p_value == 1  # one-sided
    groups = np.array([*"aabb"] * 6)  # so many that the true assignment is hardly ever sampled
    similarity = symmetric(24, rng) + (groups[:, None] == groups)
    assert within_between_test(
        similarity, groups, seed=0, permutations=999
    ).p_value == pytest.approx(1 / 1000)


@pytest.mark.parametrize("permutations, steps", [(126, 126), (99, 100)])
def test_p_is_uniform_without_groups(permutations, steps):
    rng, found = np.random.default_rng(9), []
    for seed in range(400):
        found.append(within_between_test(symmetric(9, rng), [*"aaaabbbbb"], seed, permutations))
    assert {each.exact for each in found} == {permutations == 126}
    assert is_uniform([each.p_value for each in found], steps, rng)


@pytest.mark.parametrize(
    "similarity, groups, message",
    [(FOUR, [*"aaaa"], "two groups"), (FOUR, [*"abcd"], "two groups"), (FOUR, [*"aab"], "need a group for each of 4 models, not 3"),
     (FOUR[:3], [*"aab"], "a matrix"), ([[1]], ["a"], "a matrix"), (np.triu(FOUR), [*"aabb"], "symmetric"),
     (np.where(FOUR == 4, NAN, FOUR), [*"aabb"], "finite"), (np.where(FOUR == 4, math.inf, FOUR), [*"aabb"], "finite")],
)  # fmt: skip
def test_similarities_that_are_refused(similarity, groups, message):
    for function in (within_minus_between, lambda *given: within_between_test(*given, seed=0)):
        with pytest.raises(ValueError, match=message):
            function(similarity, groups)


# --------------------------------------------------------------------------------------------------
# Mantel.
# --------------------------------------------------------------------------------------------------
def filled(*entries):
    """Three models' similarity from its entries 01, 02, 12."""
    matrix = np.full((3, 3), NAN)
    for (i, j), value in zip(combinations(range(3), 2), entries):
        matrix[i, j] = matrix[j, i] = value
    return matrix


def test_mantel_by_hand():
    # Entries 1, 2, 3 and 1, 1, 4: 3 / sqrt(2 * 6); ranks 1, 2, 3 and 1.5, 1.5, 3: 1.5 / sqrt(2 * 1.5)
    a, b = filled(1, 2, 3), filled(1, 1, 4)
    assert mantel(a, b, 0).correlation == pytest.approx(3 / 12**0.5)
    assert mantel(a, b, 0, kind="spearman").correlation == pytest.approx(1.5 / 3**0.5)
    # Of the six orders of three entries, two have the 4 next to the 3: a third of all
    assert mantel(a, b, 0).p_value == pytest.approx(1 / 3, abs=0.02)
    assert mantel(a, filled(1, 2, 9), 0).p_value == pytest.approx(1 / 6, abs=0.02)
    assert mantel(a, filled(3, 2, 1), 0) == (pytest.approx(-1), 1)


@pytest.mark.parametrize(
    "kind, of", [("pearson", scipy.stats.pearsonr), ("spearman", scipy.stats.spearmanr)]
)
def test_mantel_by_a_loop(kind, of):
    """Against all 120 relabellings of five models, with ties."""
    rng = np.random.default_rng(10)
    a, b = symmetric(5, rng).round(1), symmetric(5, rng).round(1)
    upper = np.triu_indices(5, 1)
    others = [
        of(a[np.ix_(order, order)][upper], b[upper]).statistic for order in permutations(range(5))
    ]
    found = mantel(a, b, 0, 4000, kind)
    assert found.correlation == pytest.approx(others[0])
    p = np.mean([each > others[0] - 1e-9 for each in others])
    assert 0.05 < p < 0.95 and abs(found.p_value - p) < 4 * math.sqrt(p * (1 - p) / 4000)
    count = found.p_value * 4001 - 1
    assert count == pytest.approx(round(count), abs=1e-6)


@pytest.mark.parametrize("kind", groupings.KINDS)
def test_a_planted_relation_is_found(kind):
    rng = np.random.default_rng(11)
    a = symmetric(14, rng)
    b = np.exp(3 * a) + 0.1 * symmetric(14, rng)
    found = mantel(a, b, 0, 499, kind)
    assert found.correlation > 0.8 and found.p_value == pytest.approx(1 / 500)
    assert mantel(a, -b, 0, 499, kind).p_value == 1  # one-sided
    order = rng.permutation(14)
    assert mantel(
        a[np.ix_(order, order)], b[np.ix_(order, order)], 0, 9, kind
    ).correlation == pytest.approx(found.correlation)


@pytest.mark.parametrize("kind", groupings.KINDS)
def test_mantel_is_uniform_for_unrelated_matrices(kind):
    """Also where the entries of one model depend on each other, which an ordinary test of a correlation ignores."""
    rng, found, ordinary = np.random.default_rng(12), [], []
    for seed in range(300):
        a, b = (np.add.outer(own, own) + 0.3 * symmetric(9, rng) for own in rng.normal(size=(2, 9)))
        found.append(mantel(a, b, seed, 99, kind).p_value)
        upper = np.triu_indices(9, 1)
        ordinary.append(scipy.stats.pearsonr(a[upper], b[upper], alternative="greater").pvalue)
    assert is_uniform(found, 100, rng)
    assert scipy.stats.kstest(ordinary, "uniform").pvalue < 1e-6


def test_mantel_at_its_edges():
    same = filled(0.1, 0.1, 0.1)  # the mean of which is not quite 0.1
    assert np.isnan([*mantel(filled(1, 2, 3), same, 0), *mantel(same, filled(1, 2, 3), 0)]).all()
    assert np.isnan(mantel(FOUR[:2, :2], FOUR[2:, 2:], 0)).all()
    a, b = filled(1, 2, 3), filled(1, 1, 4)
    assert mantel(a, b, 0, 50) == mantel(a, b, 0, 50) != mantel(a, b, 1, 50)
    for given in [
        (a, FOUR, 0),
        (a, b, 0, 9, "kendall"),
        (np.triu(FOUR), FOUR, 0),
        (FOUR, np.where(FOUR == 1, NAN, FOUR), 0),
    ]:
        with pytest.raises(ValueError):
            mantel(*given)


# --------------------------------------------------------------------------------------------------
# Trees.
# --------------------------------------------------------------------------------------------------
def test_a_tree_by_hand():
    # Distances .1 of 0 and 1; .5 and .7 of 2 from these, on average .6
    tree = linkage(filled(0.9, 0.5, 0.3))
    assert tree == pytest.approx(np.array([[0, 1, 0.1, 2], [2, 3, 0.6, 3]]))
    assert linkage(filled(0.9, 0.5, 0.3), "single")[1, 2] == pytest.approx(0.5)
    assert linkage(filled(0.9, 0.5, 0.3), "complete")[1, 2] == pytest.approx(0.7)
    assert len(scipy.cluster.hierarchy.dendrogram(tree, no_plot=True)["leaves"]) == 3


def test_similarities_below_zero():
    """As those of profiles and of embeddings may be: distances above 1, and the same tests as of any other numbers."""
    assert linkage(filled(-0.1, -0.3, -0.5)) == pytest.approx(
        np.array([[0, 1, 1.1, 2], [2, 3, 1.4, 3]])
    )
    assert (
        within_between_test(FOUR / 10 - 1, [*"aabb"], seed=0)[1:]
        == within_between_test(FOUR, [*"aabb"], seed=0)[1:]
    )
    assert mantel(filled(-1, -0.5, 0), filled(1, 2, 3), 0).correlation == pytest.approx(1)
    assert compared_groupings.SIMILARITIES["similarity"]("-0.25") == -0.25


def test_cophenetic_by_hand():
    # Heights .1, .6, .6 and distances .1, .5, .7, less their means: (-10, 5, 5) / 30 and (-10, 2, 8) / 30
    similarity = filled(0.9, 0.5, 0.3)
    expected = (100 + 10 + 40) / math.sqrt(150 * 168)
    assert cophenetic(linkage(similarity), similarity) == pytest.approx(expected)
    assert cophenetic(linkage(filled(0.9, 0.3, 0.3)), filled(0.9, 0.3, 0.3)) == pytest.approx(1)
    equal = filled(0.4, 0.4, 0.4)
    assert math.isnan(cophenetic(linkage(equal), equal))


def test_rounding_above_one_is_no_distance_below_zero():
    assert linkage(filled(1 + 1e-12, 0.5, 0.5))[0, 2] == 0


def test_trees_that_are_refused():
    for similarity, kind, message in [
        (FOUR, "average", "at most 1"), (filled(0.9, 0.5, 0.3), "ward", "unknown kind 'ward'"),
        (filled(NAN, 0.5, 0.3), "average", "finite"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=message):
            linkage(similarity, kind)
    with pytest.raises(ValueError, match="need a tree and a similarity of the same models"):
        cophenetic(linkage(filled(0.9, 0.5, 0.3)), symmetric(4, np.random.default_rng(0)))


def test_agreement_by_hand():
    similarity = np.where(np.equal.outer([*"aabb"], [*"aabb"]), 0.9, 0.1)
    tree = linkage(similarity)
    assert agreement(tree, [*"xxyy"]) == 1
    # None of the two pairs within is found: (0 - 2 * 2 / 6) / (2 - 2 * 2 / 6)
    assert agreement(tree, [*"xyxy"]) == pytest.approx(-1 / 2)
    assert (
        agreement(
            linkage(np.where(np.equal.outer([*"aabbcc"], [*"aabbcc"]), 0.9, 0.1)), [*"xxyyzz"]
        )
        == 1
    )


# --------------------------------------------------------------------------------------------------
# Profiles.
# --------------------------------------------------------------------------------------------------
def test_profiles_by_hand():
    # Columns 1, 2, 3 are -1, 0, 1 times sqrt(3 / 2), as are 5, 3, 1 backwards; 1, 1, 4 are -1, -1, 2 times sqrt(1 / 2)
    a, b = math.sqrt(3 / 2), math.sqrt(1 / 2)
    profiles = [[-a, -b, a], [0, -b, 0], [a, 2 * b, -a]]
    found = profile_similarity([[1, 1, 5], [2, 1, 3], [3, 4, 1]])
    assert found == pytest.approx(np.corrcoef(profiles))
    # Of the first and second: less their means, -b / 3 and so on
    assert found[0, 1] == pytest.approx(
        (b**2 - b**2 / 3) / math.sqrt((2 * a**2 + b**2 - b**2 / 3) * (b**2 * 2 / 3))
    )


def test_planted_profiles_are_found():
    """Nine models attend to one half of the properties, five to the other."""
    rng = np.random.default_rng(15)
    groups = ["a"] * 9 + ["b"] * 5
    scores = rng.normal(size=(14, 11)) + 3 * np.equal.outer(groups, [*"aaaaaabbbbb"])
    similarity = profile_similarity(scores)
    assert within_between_test(similarity, groups, seed=0).p_value == pytest.approx(1 / 2002)
    assert agreement(linkage(similarity), groups) == 1


def test_missing_scores():
    rng = np.random.default_rng(17)
    scores = rng.normal(size=(6, 5))
    scores[0, 4] = NAN
    found = profile_similarity(scores)
    # Models that have all properties are compared by all, with the last standardised over the five that have it
    whole, last = scipy.stats.zscore(scores[:, :4]), scipy.stats.zscore(scores[1:, 4])
    assert found[1:, 1:] == pytest.approx(np.corrcoef(np.column_stack([whole[1:], last])))
    assert found[0] == pytest.approx(np.corrcoef(whole)[0])
    # Properties that do not vary, or nobody has, are left out
    more = np.column_stack([scores, np.full(6, 0.1), np.full(6, NAN), [0.3, *[0.1 + 0.2] * 5]])
    assert profile_similarity(more) == pytest.approx(found)


def test_too_few_properties_are_nan():
    rng = np.random.default_rng(18)
    scores = rng.normal(size=(4, 4))
    scores[0, :2] = NAN
    found = profile_similarity(scores)
    assert (
        np.isnan(found[0]).all()
        and np.isnan(found[:, 0]).all()
        and np.isfinite(found[1:, 1:]).all()
    )
    assert np.isnan(profile_similarity(scores[:, :2])).all() and profile_similarity(
        scores[1:, :3]
    ).shape == (3, 3)
    assert np.isnan(
        profile_similarity([[1, 5, 5.0], [2, 6, 6], [3, 7, 7]])[1]
    ).all()  # the mean model has no profile


@pytest.mark.parametrize("scores", [[1, 2, 3], [[1, 2, math.inf], [1, 2, 3]]])
def test_scores_that_are_refused(scores):
    with pytest.raises(ValueError, match="scores"):
        profile_similarity(scores)


def test_published_profiles():
    """Table 6: no other nine and five losses have profiles so alike; the tree puts one of the nine with the five."""
    table = published_scores()
    scores = table[table.loss != "None"].pivot(
        index="loss", columns="property", values="nr_precision"
    )
    groups = table.drop_duplicates("loss").set_index("loss").type[scores.index]
    similarity = profile_similarity(scores)
    assert within_between_test(similarity, groups, seed=0).p_value == pytest.approx(1 / 2002)
    # Pairs together in both: 28 + 10; in the groups 36 + 10, in the clusters 28 + 15, of 91
    chance = 46 * 43 / 91
    assert agreement(linkage(similarity), groups) == pytest.approx(
        (38 - chance) / ((46 + 43) / 2 - chance)
    )


def test_groups_that_are_less_alike():
    """One-sided the least similar groups have p = 1; two-sided they are far from zero."""
    similarity = np.full((4, 4), 0.9)
    similarity[:2, :2] = similarity[2:, 2:] = 0.1
    one = groupings.within_between_test(similarity, list("aabb"), 0)
    two = groupings.within_between_test(similarity, list("aabb"), 0, two_sided=True)
    assert one.p_value == 1 and two.p_value == pytest.approx(1 / 3)
    assert one.statistic == two.statistic == pytest.approx(-0.8)
