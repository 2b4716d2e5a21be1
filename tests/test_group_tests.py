"""Tests between groups of models by hand, on made-up scores, and on the published Table 6."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from dml_analysis import checkout, paper
from dml_analysis.config import load_settings
from dml_analysis.controls import published_maps
from dml_analysis.controls.group_tests import (
    CLAIMS,
    COLUMNS,
    HELD,
    HELD_KEY,
    KEY,
    claims_held,
    holm,
    published_claims,
    published_scores,
    rank_biserial,
    rows_of,
    scores_of,
)
from dml_analysis.errors import MissingFile
from dml_analysis.files import csv_files
from dml_analysis.metrics.significance import mann_whitney
from dml_analysis.properties.property_scores import COLUMNS as SCORES
from dml_analysis.properties.property_scores import scores_file
from tests import fake_data

GROUPS = "Ranking", "Classification"
NAN = float("nan")


# --------------------------------------------------------------------------------------------------
# Holm and the rank-biserial correlation.
# --------------------------------------------------------------------------------------------------
def test_holm_by_hand():
    # 4 * .01, 3 * .02, 2 * .03 and 1 * .2; then .05 * 1 lies below 2 * .04 before it
    assert holm([0.03, 0.01, 0.2, 0.02]) == pytest.approx([0.06, 0.04, 0.2, 0.06])
    assert holm([0.05, 0.04]) == pytest.approx([0.08, 0.08])
    assert holm([0.6, NAN, 0.5, NAN]) == pytest.approx([1, NAN, 1, NAN], nan_ok=True)
    assert (
        holm([0.3]) == pytest.approx([0.3])
        and holm([]).tolist() == []
        and np.isnan(holm([NAN])).all()
    )


def test_holm_seldom_rejects_what_is_true():
    """Of eleven true hypotheses, the least p is below .05 / 11 in 1 - (1 - .05 / 11)^11 = 4.89% of all cases."""
    rng = np.random.default_rng(4)
    rejected = sum(holm(rng.uniform(size=11)).min() < 0.05 for _ in range(4000))
    assert scipy.stats.binomtest(rejected, 4000, 1 - (1 - 0.05 / 11) ** 11).pvalue > 0.05


@pytest.mark.parametrize("p_values", [[0.5, 1.1], [-0.1], [float("inf")]])
def test_holm_takes_probabilities(p_values):
    with pytest.raises(ValueError):
        holm(p_values)


def test_rank_biserial_by_hand():
    assert [rank_biserial(u, 2, 3) for u in (6, 3, 0)] == [1, 0, -1]
    assert rank_biserial(4.5, 2, 3) == pytest.approx(0.5)  # 4.5 of 6 pairs less 1.5 of 6
    for u, n_a, n_b in [(7, 2, 3), (-1, 2, 3), (0, 0, 3), (NAN, 2, 3)]:
        with pytest.raises(ValueError):
            rank_biserial(u, n_a, n_b)


# --------------------------------------------------------------------------------------------------
# Rows.
# --------------------------------------------------------------------------------------------------
FOLDED = pd.DataFrame(
    [(loss, group, fold, prop, value)
     for loss, group, of_model, of_sun in [
         ("A", "Ranking", (5, 9), (1, 1)), ("B", "Ranking", (6, 6), (1, NAN)),
         ("C", "Classification", (1, 3), (2, 2)), ("D", "Classification", (4, 4), (3, 3)),
         ("E", "Classification", (0, 8), (4, 4)),
         ("None", "None", (50, 50), (50, 50))]
     for prop, values in (("model", of_model), ("sun_elevation", of_sun)) for fold, value in zip("01", values)],
    columns=["loss", "type", "fold", "property", "nr_precision"],
)  # fmt: skip


def row(rows, *key):
    (found,) = (
        rows.set_index(["property", "unit", "alternative"]).sort_index().loc[[key]].itertuples()
    )
    return found


def test_rows_by_hand():
    rows = rows_of(FOLDED, *GROUPS)
    assert (
        list(rows) == list(COLUMNS)
        and len(rows) == 2 * 2 * 3
        and not rows.duplicated(list(KEY)).any()
    )
    # Means 7, 6 against 2, 4, 4: all six pairs, one of ten splits
    found = row(rows, "model", "loss_mean", "greater")
    assert found[3:7] == (2, 3, 6.5, pytest.approx(10 / 3)) and found[1:3] == GROUPS
    assert (found.u, found.p_value, found.rank_biserial) == (6, pytest.approx(0.1), 1)
    assert row(rows, "model", "loss_mean", "two-sided").p_value == pytest.approx(0.2)
    assert row(rows, "model", "loss_mean", "less").p_value == pytest.approx(1)
    # 5 9 6 6 against 1 3 4 4 0 8: only 8 is above 5, 6 and 6
    found = row(rows, "model", "loss_fold", "greater")
    assert (found.n_a, found.n_b, found.u, found.mean_a) == (4, 6, 21, 6.5)
    assert found.mean_b == pytest.approx(20 / 6) and found.rank_biserial == pytest.approx(
        2 * 21 / 24 - 1
    )


def test_what_is_missing_is_left_out_and_counted():
    rows = rows_of(FOLDED, *GROUPS)
    # Of B a fold is missing, and so its mean: 1 against 2, 3, 4
    found = row(rows, "sun_elevation", "loss_mean", "less")
    assert found[3:8] == (1, 3, 1, 3, 0) and found.p_value == pytest.approx(1 / 4)
    assert row(rows, "sun_elevation", "loss_fold", "less").n_a == 3
    gone = FOLDED.assign(
        nr_precision=FOLDED.nr_precision.where(
            (FOLDED.type != "Ranking") | (FOLDED.property == "model")
        )
    )
    rows = rows_of(gone, *GROUPS)
    found = row(rows, "sun_elevation", "loss_mean", "two-sided")
    assert (found.n_a, found.n_b) == (0, 3) and np.isnan(
        [found.u, found.p_value, found.p_holm, found.rank_biserial]
    ).all()
    assert row(rows, "model", "loss_mean", "two-sided").p_holm == pytest.approx(
        0.2
    )  # the only test that is left


def test_holm_is_over_the_properties_of_a_unit_and_alternative():
    rows = rows_of(FOLDED, *GROUPS)
    for _, some in rows.groupby(["unit", "alternative"]):
        assert len(some) == 2 and some.p_holm.tolist() == pytest.approx(holm(some.p_value).tolist())
    # p of "less": 1 and 1/4
    assert row(rows, "sun_elevation", "loss_mean", "less").p_holm == pytest.approx(0.5)


def test_sides_change_places_with_the_groups():
    one, other = (rows_of(FOLDED, *groups) for groups in (GROUPS, GROUPS[::-1]))
    for prop in ("model", "sun_elevation"):
        a, b = row(one, prop, "loss_mean", "greater"), row(other, prop, "loss_mean", "less")
        assert (a.p_value, a.mean_a, a.rank_biserial) == pytest.approx(
            (b.p_value, b.mean_b, -b.rank_biserial)
        )


def test_a_table_of_means_has_one_unit():
    means = FOLDED[FOLDED.fold == "0"].drop(columns="fold")
    rows = rows_of(means, *GROUPS)
    assert (
        set(rows.unit) == {"loss_mean"} and row(rows, "model", "loss_mean", "greater").mean_a == 5.5
    )


def test_tables_that_are_refused():
    with pytest.raises(ValueError, match="'Proxy'; there are Ranking, Classification, None"):
        rows_of(FOLDED, "Ranking", "Proxy")
    with pytest.raises(ValueError, match="two rows have the same loss, fold, property"):
        rows_of(pd.concat([FOLDED, FOLDED[:1]]), *GROUPS)
    with pytest.raises(ValueError, match="two rows have the same loss, property"):
        rows_of(FOLDED.drop(columns="fold"), *GROUPS)


def test_a_planted_difference_is_found():
    """Nine and five losses in four folds; one property of eleven differs, by three standard deviations."""
    rng = np.random.default_rng(5)
    models = [(f"loss {i}", GROUPS[i >= 9]) for i in range(14)]
    table = pd.DataFrame(
        [(loss, group, fold, prop.name, rng.normal() + 3 * (prop.name == "camera_loc_z" and group == "Ranking"))
         for loss, group in models for fold in "0123" for prop in paper.PROPERTIES], columns=list(FOLDED)
    )  # fmt: skip
    rows = rows_of(table, *GROUPS)
    for unit in ("loss_mean", "loss_fold"):
        some = rows[(rows.unit == unit) & (rows.alternative == "greater")]
        assert some[some.p_holm < 0.01].property.tolist() == ["camera_loc_z"]
        assert row(rows, "camera_loc_z", unit, "less").p_value > 0.99
    assert (
        row(rows, "camera_loc_z", "loss_mean", "less").n_b == 5
        and row(rows, "camera_loc_z", "loss_fold", "less").n_b == 20
    )


# --------------------------------------------------------------------------------------------------
# The published Table 6.
# --------------------------------------------------------------------------------------------------
PUBLISHED_P = {"color_hue": 0.0010, "color_sat": 0.0010, "bg_color_sat": 0.0010, "color_val": 0.0040,
               "camera_loc_z": 0.0040, "rotation_z": 0.029, "bg_color_val": 0.021, "bg_color_hue": 0.042,
               "sun_elevation": 0.042,
               "model": 0.033}  # fmt: skip


@pytest.fixture(scope="module")
def published():
    return rows_of(published_scores(), *GROUPS)


def test_published_table_6(published):
    assert len(published) == 11 * 3 and set(published.unit) == {"loss_mean"}
    for prop, p in PUBLISHED_P.items():
        found = row(published, prop, "loss_mean", "two-sided")
        assert (found.n_a, found.n_b) == (9, 5)
        assert found.p_value == pytest.approx(p, abs=0.51 * 10 ** -len(f"{p}".split(".")[1]))
    blank = row(published, "sun_rotation", "loss_mean", "two-sided")
    assert (blank.n_a, blank.n_b) == (9, 4) and blank.mean_b == pytest.approx(
        (0.80 + 0.83 + 0.78 + 0.77) / 4
    )
    # Three properties in which every loss of a group is above every one of the other: 11 times 2 of 2002 splits
    assert row(published, "color_sat", "loss_mean", "two-sided").p_holm == pytest.approx(
        11 * 2 / 2002
    )
    assert row(published, "color_sat", "loss_mean", "less").rank_biserial == -1


def test_published_means_are_those_of_the_scores(published):
    means = csv_files.read(
        checkout.ROOT / "dml_analysis" / "published" / "table6_means.csv",
        {"type": str, "property": str, "value": float},
    )
    means = means.set_index(["type", "property"]).value
    for found in published[published.property != "sun_rotation"].itertuples():
        for group, mean in zip(GROUPS, (found.mean_a, found.mean_b)):
            assert mean == pytest.approx(
                means[group, found.property], abs=0.0101
            )  # scores and means are rounded


# --------------------------------------------------------------------------------------------------
# Claims.
# --------------------------------------------------------------------------------------------------
def test_the_papers_claims():
    """All properties but car model and sun rotation differ; rotation and camera height are the ranking losses'."""
    claims = published_claims()
    assert list(claims) == list(CLAIMS) and claims.property.tolist() == [
        prop.name for prop in paper.PROPERTIES
    ]
    more = {group: set(some.property) for group, some in claims.groupby("group")}
    assert more["Ranking"] == {"rotation_z", "camera_loc_z"} and more["neither"] == {
        "model",
        "sun_rotation",
    }
    assert (claims.group == "neither").tolist() == (claims.significant == "no").tolist() and len(
        more["Classification"]
    ) == 7
    assert set(claims.section) == {"4.2"}


def test_they_are_on_the_side_of_the_published_means(published):
    for claim in published_claims().itertuples():
        found = row(published, claim.property, "loss_mean", "two-sided")
        if claim.group != "neither":
            assert (found.mean_a > found.mean_b) == (claim.group == "Ranking")


def held_of(table, unit, test, correction, level):
    some = table[
        (table.unit == unit)
        & (table.test == test)
        & (table.correction == correction)
        & (table.level == level)
    ]
    return {name: set(of.property) for name, of in some.groupby("held")}


def test_claims_on_the_published_table_6(published):
    held = claims_held(published, published_claims())
    assert list(held) == list(HELD) and not held.duplicated(list(HELD_KEY)).any()
    assert len(held) == (11 + 9) * 2 * 2
    largest = {"color_hue", "color_sat", "bg_color_sat"}
    five, neither = {*largest, "color_val", "camera_loc_z"}, {"model", "sun_rotation"}
    assert held_of(held, "loss_mean", "two-sided", "none", 0.01)["yes"] == five | neither
    assert held_of(held, "loss_mean", "two-sided", "none", 0.05)["no"] == {
        "model"
    }  # .033, where none is claimed
    assert (
        held_of(held, "loss_mean", "two-sided", "holm", 0.01)["yes"] == neither
    )  # 11 * 2 / 2002 = .011
    assert held_of(held, "loss_mean", "two-sided", "holm", 0.05)["yes"] == five | neither
    assert held_of(held, "loss_mean", "one-sided", "none", 0.01)["yes"] == five
    assert (
        held_of(held, "loss_mean", "one-sided", "holm", 0.01)["yes"] == largest
    )  # 9 / 2002 = .0045, 6 * 4 / 2002 = .012
    assert len(held_of(held, "loss_mean", "one-sided", "holm", 0.05)["yes"]) == 9
    of_hue = held[
        (held.property == "color_hue") & (held.correction == "holm") & (held.level == 0.01)
    ]
    assert of_hue.p_value.tolist() == pytest.approx(
        [11 * 2 / 2002, 9 / 2002]
    ) and of_hue.held.tolist() == ["no", "yes"]


def made_up(*rows):
    """Rows of COLUMNS: property, p two-sided, its p_holm, p greater, p less, and the means."""
    sides = ("two-sided", "greater", "less")
    return pd.DataFrame(
        [(prop, "loss_mean", side, *GROUPS, 9, 5, *means, 0.0, p, p_holm if side == "two-sided" else 1.0, 0.0)
         for prop, p_holm, ps, means in rows for side, p in zip(sides, ps)], columns=list(COLUMNS))  # fmt: skip


def claimed(*rows):
    return pd.DataFrame([(*each, "4.2") for each in rows], columns=list(CLAIMS))


def test_claims_by_hand():
    rows = made_up(
        ("rotation_z", 0.02, (0.004, 0.002, 0.999), (2, 1)),
        ("color_hue", 0.02, (0.004, 0.002, 0.999), (2, 1)),  # significant, on the other side
        ("color_sat", 0.06, (0.03, 0.99, 0.015), (1, 1)),  # neither mean is the larger
        ("model", 0.06, (0.02, 0.99, 0.01), (1, 2)),
    )
    claims = claimed(
        ("rotation_z", "Ranking", "yes"), ("color_hue", "Classification", "yes"),
        ("color_sat", "Classification", "yes"), ("model", "neither", "no"), ("sun_elevation", "Ranking", "yes"),
    )  # fmt: skip
    held = claims_held(rows, claims)
    untested = {"sun_elevation"}
    two, one = (
        lambda *of: held_of(held, "loss_mean", "two-sided", *of),
        lambda *of: held_of(held, "loss_mean", "one-sided", *of),
    )
    assert two("none", 0.01) == {
        "yes": {"rotation_z", "model"},
        "no": {"color_hue", "color_sat"},
        "not tested": untested,
    }
    assert two("none", 0.05) == {
        "yes": {"rotation_z"},
        "no": {"color_hue", "color_sat", "model"},
        "not tested": untested,
    }
    assert two("holm", 0.01) == {
        "yes": {"model"},
        "no": {"rotation_z", "color_hue", "color_sat"},
        "not tested": untested,
    }
    assert two("holm", 0.05)["yes"] == {"rotation_z", "model"}
    # Tested of the claims: .002, .999 and .015; Holm 3 * .002, 2 * .015, .999
    assert one("none", 0.01) == {
        "yes": {"rotation_z"},
        "no": {"color_hue", "color_sat"},
        "not tested": untested,
    }
    assert one("holm", 0.05) == {
        "yes": {"rotation_z", "color_sat"},
        "no": {"color_hue"},
        "not tested": untested,
    }
    some = held[(held.test == "one-sided") & (held.correction == "holm") & (held.level == 0.01)]
    assert some.p_value.tolist() == pytest.approx([0.006, 0.999, 0.03, NAN], nan_ok=True)


def test_a_p_at_the_level_is_not_below_it():
    rows = made_up(
        ("rotation_z", 0.01, (0.01, 0.01, 0.99), (2, 1)),
        ("model", 0.01, (0.01, 0.01, 0.99), (2, 1)),
    )
    held = claims_held(
        rows,
        claimed(
            ("rotation_z", "Ranking", "yes"),
            ("color_hue", "Classification", "yes"),
            ("model", "neither", "no"),
        ),
    )
    assert held_of(held, "loss_mean", "two-sided", "none", 0.01)["yes"] == {"model"}
    assert held_of(held, "loss_mean", "two-sided", "none", 0.01)["no"] == {"rotation_z"}


def test_claims_do_not_mind_which_group_comes_first():
    found = [
        claims_held(rows_of(published_scores(), *groups), published_claims())
        for groups in (GROUPS, GROUPS[::-1])
    ]
    pd.testing.assert_frame_equal(*found)


def test_each_unit_has_its_claims():
    claims = claimed(("model", "Ranking", "yes"), ("sun_elevation", "Classification", "yes"))
    held = claims_held(rows_of(FOLDED, *GROUPS), claims)
    assert len(held) == 2 * 2 * 2 * 2 * 2
    found = held[
        (held.property == "model")
        & (held.test == "one-sided")
        & (held.correction == "none")
        & (held.level == 0.05)
    ]
    by_unit = found.set_index("unit").p_value
    values = [[5, 9, 6, 6], [1, 3, 4, 4, 0, 8]]
    assert by_unit.loss_mean == pytest.approx(0.1)
    assert by_unit.loss_fold == pytest.approx(mann_whitney(*values, "greater").p_value)


def test_claims_are_about_their_groups():
    own = FOLDED.assign(type=FOLDED.type.replace("Classification", "Own"))
    with pytest.raises(
        ValueError, match="the claims are about the groups Classification and Ranking"
    ):
        claims_held(rows_of(own, "Ranking", "Own"), published_claims())
    both = pd.concat([rows_of(FOLDED, *GROUPS), rows_of(FOLDED, "Ranking", "None")])
    with pytest.raises(ValueError, match="the claims are about"):
        claims_held(both, published_claims())


# --------------------------------------------------------------------------------------------------
# CSV files.
# --------------------------------------------------------------------------------------------------
def test_rows_and_claims_can_be_read_again(tmp_path, published):
    held = claims_held(published, published_claims())
    for table, columns, key in ((published, COLUMNS, KEY), (held, HELD, HELD_KEY)):
        csv_files.write_table(tmp_path / "table.csv", table)
        again = csv_files.read(tmp_path / "table.csv", columns, key)
        pd.testing.assert_frame_equal(again, table.reset_index(drop=True), check_dtype=False)


def test_scores_are_of_trained_models(tmp_path):
    settings = load_settings(fake_data.write_settings(tmp_path))
    protocol = settings.protocols[0]
    with pytest.raises(
        MissingFile, match=r"nr_precision.csv: missing; run properties/3_score_properties.py first"
    ):
        scores_of(settings, protocol)
    rows = [
        (model.name, model.group, "0", "model", "Euclidean Distance", "all", 10, 0.5, 1.25)
        for model in settings.models
    ]
    csv_files.write(scores_file(settings, protocol), rows, SCORES)
    found = scores_of(settings, protocol)
    assert found.loss.tolist() == [model.name for model in settings.models if model.trained]
    assert len(found) < len(rows) and set(found.nr_precision) == {1.25}


# ---------------------------------------------------------------------------------------------------------------------
# The published similarities of maps.
# ---------------------------------------------------------------------------------------------------------------------
def test_the_published_maps():
    """The means are worked out by loops over the published pairs."""
    names, similarity = published_maps.published_similarity()
    types = {model.name: model.group for model in paper.MODELS}
    pairs = [(i, j) for i in range(14) for j in range(i)]
    within = [similarity[i, j] for i, j in pairs if types[names[i]] == types[names[j]]]
    between = [similarity[i, j] for i, j in pairs if types[names[i]] != types[names[j]]]
    of_none = {group: [similarity[14, i] for i in range(14) if types[names[i]] == group]
               for group in ("Ranking", "Classification")}  # fmt: skip
    table = published_maps.tests().set_index("question")
    by_type, _, none = (table.loc[question] for question in published_maps.QUESTIONS)
    assert by_type.difference == pytest.approx(np.mean(within) - np.mean(between))
    assert by_type.difference == pytest.approx(11.9, abs=0.05) and by_type.p_value < 0.001
    assert none.difference == pytest.approx(
        np.mean(of_none["Ranking"]) - np.mean(of_none["Classification"])
    )
    assert [np.mean(of_none[group]) for group in of_none] == [pytest.approx(55.7, abs=0.05), 61.0]
    assert none.p_value == pytest.approx(
        4 / 2002
    )  # one ranking loss ties with the lowest of the others
    assert (table.p_value >= table.smallest_p).all()
