"""Causes and controls in the report: their tables from made-up CSV files, whose numbers are worked out by hand, and findings."""

import numpy as np
import pandas as pd
import pytest

from dml_analysis import checkout, number_texts, paper, tables
from dml_analysis.causes import embedding_shifts, map_regions, rank_1_errors, weight_randomization
from dml_analysis.causes.cause_figures import regions_figure
from dml_analysis.config import Settings, TrainingSettings
from dml_analysis.controls import (
    compared_groupings,
    compared_representations,
    control_figures,
    group_tests,
    map_ablations,
    noise_ceilings,
    score_controls,
)
from dml_analysis.files import csv_files
from dml_analysis.methods import find
from dml_analysis.networks.specifications import ALL_FOLDS
from dml_analysis.paper import PROPERTIES
from dml_analysis.properties import property_scores
from dml_analysis.reality_check import accuracy, improvements
from dml_analysis.replication import claims
from dml_analysis.report import (
    accuracy_section,
    cause_section,
    claim_section,
    control_section,
    findings,
    glossary,
    map_findings,
    printed,
    questions,
    summary,
    table_section,
)
from dml_analysis.saliency.saliency_tables import Similarity
from dml_analysis.training import training_logs

PAPER, RELEASED = paper.PROTOCOLS.values()
MODELS = [
    find(name, paper.MODELS) for name in ("Contrastive", "Triplet", "ArcFace", "CosFace", "None")
]
TYPE = {model.name: model.group for model in MODELS}
NAMES = [prop.name for prop in PROPERTIES]
WORDS = {prop.name: prop.label.lower() for prop in PROPERTIES}
NUMBERS = {"Contrastive": 1.0, "Triplet": 2.0, "ArcFace": 4.0, "CosFace": 6.0, "None": 7.0}


@pytest.fixture
def settings(tmp_path):
    paths = checkout.PATHS | {
        "results": tmp_path / "results",
        "figures": tmp_path / "figures",
        "D": tmp_path,
    }
    return Settings(
        name="demo",
        protocols=[PAPER, RELEASED],
        models=MODELS,
        datasets=["D"],
        folds=[0, 1],
        tables={2: "D"},
        paths=paths,
    )


def write(file, columns, *rows):
    """Write rows, dictionaries; what one does not have is 1, or the text x."""
    filler = {str: "x", int: 1}
    csv_files.write(
        file,
        [[row.get(name, filler.get(kind, 1.0)) for name, kind in columns.items()] for row in rows],
        columns,
    )


def only(tables, number=1):
    """Return the tables, of which there must be this many."""
    tables = list(tables)
    assert len(tables) == number
    return tables[0] if number == 1 else tables


def each_network(folds=(0, 1)):
    return [
        {"loss": name, "type": TYPE[name], "fold": fold, "n_images": 7}
        for name in TYPE
        for fold in folds
    ]


# ---------------------------------------------------------------------------------------------------------------------
# Words.
# ---------------------------------------------------------------------------------------------------------------------
def test_numbers_as_they_are_printed():
    numbers = [number_texts.number(value, 2) for value in (1.005, -0.5, -0.001, np.nan)]
    assert numbers == ["1.00", "−0.50", "0.00", "–"]
    p_values = [number_texts.p(value) for value in (0.0304, 0.001, 0.00099, 1e-5, np.nan)]
    assert p_values == ["0.030", "0.001", "0.001", "1e−05", "–"]
    assert [number_texts.signed(value, 3) for value in (-0.0004, -0.1)] == ["+0.000", "−0.100"]
    assert printed.percents(pd.Series([0.5, np.nan])).tolist() == ["50.0", "–"]
    assert [printed.several(n, "image") for n in (1, 1200)] == ["1 image", "1,200 images"]
    folds = [printed.folds(names) for names in ([0], [0, 1], [ALL_FOLDS])]
    assert folds == ["fold 0", "folds 0, 1", "one network for all folds"]


# ---------------------------------------------------------------------------------------------------------------------
# What is shown, and where.
# ---------------------------------------------------------------------------------------------------------------------
def test_nothing_is_shown_of_what_there_is_not(settings):
    for each in [*cause_section.QUESTIONS, *control_section.QUESTIONS]:
        assert [table for table in each.tables(settings, PAPER) if table.rows] == []


def test_a_question_has_its_tables_and_figures(settings):
    from PIL import Image

    folder = settings.figures / "paper"
    folder.mkdir(parents=True)
    for name in ("one_D", "two_D", "pairs"):
        Image.new("RGB", (4, 3)).save(folder / f"{name}.png")
    table = questions.Table("one", "A caption.", "x", pd.DataFrame({"y": ["1"]}, index=["a"]))
    asked = [questions.Question("First?", lambda settings, protocol: [table] if protocol is PAPER else [], ("one_",)),
             questions.Question("Second?", lambda settings, protocol: [], ("three_",)),
             questions.Question("Third?", lambda settings, protocol: [table._replace(cells=pd.DataFrame())], ("pairs",), "A text.", "explorer")]  # fmt: skip
    html = str(questions.section(settings, asked, "folder/script.py"))
    assert (
        "First?" in html
        and "Second?" not in html
        and "Third?" in html
        and html.count("<caption>A caption.") == 1
    )
    assert (
        html.count("<figure") == 1 and "one, D" not in html and 'alt="one_D"' in html
    )  # pairs are elsewhere
    assert '<a href="#explorer">' in html and html.count("A text.") == 1
    assert (
        'data-of="released"' in html and "Run folder/script.py" in html
    )  # for which there is nothing


# ---------------------------------------------------------------------------------------------------------------------
# Causes.
# ---------------------------------------------------------------------------------------------------------------------
def test_regions(settings):
    mass = {"car": 0.5, "ground": 0.3, "backdrop": 0.2}
    rows = [each | {"region": region, "mass": share + 0.01 * NUMBERS[each["loss"]] * (1 if region == "car" else 0), "pixels": share - 0.1}
            for each in each_network() for region, share in mass.items()]  # fmt: skip
    write(map_regions.csv_file(settings, PAPER, "D"), map_regions.COLUMNS, *rows)
    table = only(cause_section.regions(settings, PAPER))
    assert table.headings == [
        "region of the image",
        "pixels",
        "Ranking (2)",
        "Classification (2)",
        "None (1)",
    ]
    assert table.rows == [
        ["car", "40.0", "51.5", "55.0", "57.0"],
        ["ground", "20.0", *["30.0"] * 3],
        ["backdrop", "10.0", *["20.0"] * 3],
    ]
    assert "7 images" in table.caption and "p is" not in table.caption
    p_values = {"images": 0.04, "models": 0.5}
    write(map_regions.tests_file(settings, PAPER, "D"), map_regions.TESTS,
          *({"measure": measure, "region": region, "unit": unit, "group_a": "Ranking", "group_b": b, "n_a": 7 if unit == "images" else 2, "difference": 0,
             "n_b": 7 if unit == "images" else 3, "p_value": p if measure == "mass" and region == "car" and b != "None" else 0.9}
            for measure in ("mass", "highest") for b in ("None", "Classification") for region in mass for unit, p in p_values.items()))  # fmt: skip
    table = only(cause_section.regions(settings, PAPER))
    assert table.headings[-2:] == [
        f"p over {unit}, Ranking vs. Classification" for unit in ("images", "models")
    ]
    assert [row[-2:] for row in table.rows] == [
        ["0.040", "0.500"],
        ["0.900", "0.900"],
        ["0.900", "0.900"],
    ]
    assert "each of 7 images" in table.caption and "test of 2 and 3 models" in table.caption


def test_embedding_shifts(settings):
    rows = [each | {"property": name, "n_sets": 20, "shift": NUMBERS[each["loss"]] + (name == "model") + (0.5 if each["fold"] == 1 else -0.5),
                    "n_mapped": 2 if each["fold"] == 0 else 0, "changed_pixels": 0.125,
                    "changed_mass": "" if each["fold"] == 1 else 0.75 if each["loss"] == "None" else 0.25}
            for each in each_network() for name in embedding_shifts.CHANGES]  # fmt: skip
    write(embedding_shifts.csv_file(settings, PAPER), embedding_shifts.COLUMNS, *rows)
    ranks = [{"unit": "group", "loss": "all", "type": "Ranking", "n_properties": 11, "spearman": -0.5, "p_value": 0.25},
             {"unit": "model", "loss": "Triplet", "type": "Ranking"}]  # fmt: skip
    table = only(cause_section.shifts(settings, PAPER))
    assert table.headings[1:4] == ["Ranking (2)", "Classification (2)", "None (1)"]
    assert table.rows[0] == ["Car model", "2.50", "6.00", "8.00", "25.0", "12.5"]
    assert table.rows[10] == ["Sun rotation", "1.50", "5.00", "7.00", "25.0", "12.5"]
    assert table.rows[11] == ["Render noise alone", "1.50", "5.00", "7.00", "25.0", "12.5"]
    assert (
        "20 counterfactual sets" in table.caption
        and "Mean over 2 counterfactual sets and 4 networks" in table.caption
        and "4 of 255" in table.caption
    )
    write(embedding_shifts.ranks_file(settings, PAPER), embedding_shifts.RANKS, *ranks)
    _, table = only(cause_section.shifts(settings, PAPER), 2)
    assert table.rows == [["Ranking", "−0.50", "0.250"]] and "11 properties" in table.caption


def test_wrong_neighbors(settings):
    rows = [{"unit": unit, "loss": "all", "type": kind, "property": name, "n_queries": 1200, "errors": errors, "excess": excess, "low": -0.01, "high": 0.5}
            for unit, kind, errors, excess in (("model", "Ranking", 0.9, 0.9), ("group", "Ranking", 0.25, 0.125), ("group", "None", 0.5, 0.25))
            for name in rank_1_errors.OTHERS]  # fmt: skip
    write(rank_1_errors.csv_file(settings, PAPER), rank_1_errors.COLUMNS, *rows)
    table = only(cause_section.wrong_neighbors(settings, PAPER))
    assert table.headings == ["property", "Ranking", "None"] and len(table.rows) == 10
    assert table.rows[0] == ["Car rotation", "12.5 (−1.0 to 50.0)", "25.0 (−1.0 to 50.0)"]
    assert "Ranking 25%, None 50% of 1,200 queries" in table.caption


def test_random_weights_below_their_ceiling(settings):
    rows = [{"loss": name, "type": "Ranking", "fold": 0, "random_share": share, "n_images": 4, "correlation_mean": r}
            for name, share, r in (("Triplet", 0.01, 0.5), ("ArcFace", 0.01, 0.4), ("Triplet", 1, -0.1), ("ArcFace", 1, 0))]  # fmt: skip
    write(weight_randomization.csv_file(settings, PAPER, "D"), weight_randomization.COLUMNS, *rows)
    table = only(cause_section.random_weights(settings, PAPER))
    assert table.headings == ["random layers", "Triplet", "ArcFace"] and table.rows == [
        ["1%", "0.50", "0.40"],
        ["100%", "−0.10", "0.00"],
    ]
    assert (
        "4 images" in table.caption and "fold 0" in table.caption and "ceiling" not in table.caption
    )
    write(noise_ceilings.csv_file(settings, PAPER, "D"), noise_ceilings.COLUMNS,
          *({"kind": kind, "loss_a": "Triplet", "loss_b": "Triplet", "fold_a": fold, "n_images": 9, "correlation_mean": r}
            for kind, fold, r in (("other noise", 0, 0.75), ("other noise", 1, 0.1), ("same loss, other fold", 0, 0.2))))  # fmt: skip
    table = only(cause_section.random_weights(settings, PAPER))
    assert (
        table.rows[0] == ["none, other noise", "0.75", "–"]
        and "the noise ceiling, over 9 images" in table.caption
    )


# ---------------------------------------------------------------------------------------------------------------------
# Controls.
# ---------------------------------------------------------------------------------------------------------------------
BOUNDS = [("other noise", "Triplet", "Triplet", 0.9), ("other noise", "ArcFace", "ArcFace", 0.7), ("other noise", "None", "None", 0.1),
          ("same loss, other fold", "Triplet", "Triplet", 0.6), ("same loss, other fold", "None", "None", 0.3),
          ("other loss, same fold", "Triplet", "ArcFace", 0.5), ("other loss, same fold", "Triplet", "None", 0.4),
          ("other loss, other fold", "None", "ArcFace", 0.2), ("random weights", "Triplet", "random weights", 0.05),
          ("random weights", "ArcFace", "random weights", 0.15), ("random weights", "None", "random weights", 0.9)]  # fmt: skip


def bounds_rows():
    return [{"kind": kind, "loss_a": a, "loss_b": b, "n_images": 4, "correlation_mean": r, "corrected": r + 0.01, "jsd_mean": 0.125}
            for kind, a, b, r in BOUNDS]  # fmt: skip


def test_floor_and_ceiling(settings):
    write(noise_ceilings.csv_file(settings, PAPER, "D"), noise_ceilings.COLUMNS, *bounds_rows())
    table = only(control_section.floor_and_ceiling(settings, PAPER))
    assert table.rows == [
        ["other noise", "2", "0.800", "0.810", "0.125"],
        ["“None”, other noise", "1", "0.100", "0.110", "0.125"],
        ["same loss, other fold", "1", "0.600", "0.610", "0.125"],
        ["“None”, other fold", "1", "0.300", "0.310", "0.125"],
        ["other loss, same fold", "1", "0.500", "0.510", "0.125"],
        ["a loss and “None”, same fold", "1", "0.400", "0.410", "0.125"],
        ["a loss and “None”, other fold", "1", "0.200", "0.210", "0.125"],
        ["random weights", "2", "0.100", "0.110", "0.125"],
        ["“None” and random weights", "1", "0.900", "0.910", "0.125"],
    ]
    assert "A row is of trained networks alone, unless it names an untrained one." in table.caption
    assert (
        "on 4 images" in table.caption
        and "base 2" in table.caption
        and "two folds" not in table.caption
    )
    write(noise_ceilings.csv_file(settings, RELEASED, "D"), noise_ceilings.COLUMNS, *bounds_rows())
    write(
        noise_ceilings.answer_file(settings, RELEASED, "D"),
        noise_ceilings.ANSWER,
        {"p_value": 0.5, "same_loss": 0.5, "other_loss": 0.5},
    )
    table = only(control_section.floor_and_ceiling(settings, RELEASED))
    assert "base e" in table.caption and "Two losses are not shown to differ more" in table.caption


def test_each_untrained_model_is_by_itself():
    models = [model._replace(trained=model.name not in ("CosFace", "None")) for model in MODELS]
    pairs = [("CosFace", "None", 0.25), ("CosFace", "Triplet", 0.5), ("Triplet", "ArcFace", 0.75)]
    table = pd.DataFrame(
        [
            {"kind": "other loss, same fold", "loss_a": a, "loss_b": b, "correlation_mean": r}
            for a, b, r in pairs
        ]
    )
    found = {
        kind: some.correlation_mean.tolist()
        for kind, some in noise_ceilings.kinds_of(table, models)
    }
    assert found == {
        "other loss, same fold": [0.75],
        "a loss and “CosFace”, same fold": [0.5],
        "“CosFace” and “None”, same fold": [0.25],
    }


def test_figures_have_means_over_trained_networks(settings):
    figure = control_figures.bounds_figure(settings, pd.DataFrame(bounds_rows()))
    bars = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "None"]
    assert bars == pytest.approx([0.8, 0.1, 0.6, 0.3, 0.5, 0.4, 0.2, 0.1, 0.9])
    assert figure.axes[0].get_yticklabels()[1].get_text() == "“None”, other noise (1)"
    labels = [each | {"property": name} for each in each_network() for name in NAMES]
    nulls = pd.DataFrame(
        [each | {"null_mean": 100 * (each["loss"] == "None"), "null_std": 1.0} for each in labels]
    )
    intervals = pd.DataFrame([each | {"low": 0.5, "high": 2, "nr_precision": 1} for each in labels])
    grey = (
        control_figures.nulls_figure(settings, nulls, intervals)
        .axes[0]
        .collections[0]
        .get_paths()[0]
        .get_extents()
    )
    assert (grey.x0, grey.x1) == pytest.approx((-2.576, 2.576))
    regions = [each | {"region": name, "mass": 0.5, "pixels": 0.25 + 0.5 * (each["loss"] == "None")}
               for each in each_network() for name in map_regions.REGIONS]  # fmt: skip
    dashed = [
        line
        for line in regions_figure(settings, pd.DataFrame(regions)).axes[0].lines
        if line.get_linestyle() == "--"
    ]
    assert dashed[0].get_xdata()[0] == pytest.approx(25)
    write(map_regions.csv_file(settings, PAPER, "D"), map_regions.COLUMNS, *regions)
    assert {row[1] for row in only(cause_section.regions(settings, PAPER)).rows} == {"25.0"}


def test_chance_and_what_differences_can_be_told(settings):
    rows = [each | {"property": name, "n_images": 600, "permutations": 1000, "nr_precision": NUMBERS[each["loss"]], "null_mean": -0.02,
                    "null_std": 0.05, "p_value": 0.001 if each["loss"] != "Triplet" else 0.25} for each in each_network() for name in NAMES]  # fmt: skip
    write(score_controls.file_of(settings, PAPER, "nulls"), score_controls.NULLS, *rows)
    table = only(control_section.chance(settings, PAPER))
    assert table.rows[0] == [
        "Car model",
        "3.25",
        "−0.020",
        "0.050",
        "0.250",
        "–",
        "–",
    ]  # without None
    assert (
        "8 networks" in table.caption
        and "600 images" in table.caption
        and "1,000 permutations" in table.caption
        and "Right" not in table.caption
    )
    told = [{"property": name, "queries": queries, "folds": folds, "n_pairs": 6, "least": 0.01 * queries * folds, "told_apart": 0.125}
            for name in NAMES[:2] for queries in (100, 600) for folds in (1, 2, 4)]  # fmt: skip
    write(score_controls.file_of(settings, PAPER, "differences"), score_controls.DIFFERENCES, *told)
    write(score_controls.file_of(settings, PAPER, "orders"), score_controls.ORDERS,
          *({"loss": name, "type": TYPE[name], "n_images": n, "n_all": 600, "order_as_all": NUMBERS[name] / 10} for name in TYPE for n in (150, 100)))  # fmt: skip
    table, orders = only(control_section.chance(settings, PAPER), 2)
    assert table.rows[1][-2:] == ["12.00", "12"] and table.rows[2][-2:] == ["–", "–"]
    assert (
        "power of 80% on 600 queries and 2 folds, the median over 6 pairs" in table.caption
        and "test at 5%" in table.caption
    )
    assert orders.headings == ["images", "Ranking (2)", "Classification (2)", "None (1)"]
    assert (
        orders.rows == [[n, "0.15", "0.50", "0.70"] for n in ("100", "150")]
        and "all 600" in orders.caption
    )


def rows_of_tests(p_holm=0.5):
    return [{"property": name, "unit": unit, "alternative": alternative, "group_a": "Ranking", "group_b": "Classification", "n_a": n, "n_b": 5,
             "p_value": 0.25 if alternative == "two-sided" else 0.125, "p_holm": p_holm, "rank_biserial": -0.5}
            for name in NAMES for unit, n in (("loss_mean", 9), ("loss_fold", 18)) for alternative in ("two-sided", "greater")]  # fmt: skip


def test_tests_between_groups(settings):
    write(group_tests.files_of(settings, PAPER)[0], group_tests.COLUMNS, *rows_of_tests())
    table = only(control_section.tests(settings, PAPER))
    assert len(table.rows) == 11 and table.rows[0] == [
        "Car model",
        *["0.250", "0.500", "−0.50"] * 2,
    ]
    assert table.headings[1:4] == [
        "p, losses' means",
        "Holm, losses' means",
        "effect, losses' means",
    ]
    assert (
        "losses' means: 9 and 5 values; losses and folds: 18 and 5 values" in table.caption
        and "above 0 where Ranking" in table.caption
    )


def test_claims_that_hold(settings):
    def rows(*held):
        return [{"property": name, "group": "Ranking", "significant": "yes", "unit": "loss_mean", "test": "two-sided", "correction": correction,
                 "level": level, "held": each} for correction in ("none", "holm") for level in (0.01, 0.05) for name, each in zip(NAMES, held)]  # fmt: skip

    write(
        group_tests.files_of(settings, PAPER)[1], group_tests.HELD, *rows("yes", "no", "not tested")
    )
    write(group_tests.files_of(settings, None)[1], group_tests.HELD, *rows("yes", "yes", "no"))
    table = only(control_section.claims(settings, PAPER))
    assert table.headings == [
        "numbers",
        "at 1%, not corrected",
        "at 5%, not corrected",
        "at 1%, Holm",
        "at 5%, Holm",
    ]
    assert table.rows == [
        ["this run, losses' means, two-sided", *["1 of 3"] * 4],
        ["published Table 6, losses' means, two-sided", *["2 of 3"] * 4],
    ]


def grouped(difference, p=0.049, exact="yes"):
    row = ("maps", 14, difference, p, 2002, exact, 0.5, 0.25)
    return pd.DataFrame([row], columns=list(compared_groupings.GROUPS))


def test_groupings(settings):
    csv_files.write_table(compared_groupings.file_of(settings, PAPER, "groupings"), grouped(-0.125))
    write(compared_groupings.file_of(settings, PAPER, "mantel"), compared_groupings.MANTEL,
          *({"analysis_a": "maps", "analysis_b": "embeddings", "kind": kind, "n_models": 14, "correlation": r, "p_value": 0.5}
            for kind, r in (("pearson", 0.25), ("spearman", -0.75))))  # fmt: skip
    table, mantel = only(control_section.groupings(settings, PAPER), 2)
    assert table.rows == [["maps: mean correlation of maps", "−0.125", "0.049", "0.50", "0.25"]]
    assert "14 trained models" in table.caption and "2,002 assignments" in table.caption
    assert mantel.headings == [
        "similarities",
        "correlation, Pearson",
        "p, Pearson",
        "correlation, Spearman",
        "p, Spearman",
    ]
    assert mantel.rows == [["maps and embeddings", "0.25", "0.500", "−0.75", "0.500"]]


def test_similarities_of_embeddings(settings):
    """Means over losses in two folds, pairs of one group and of two; chance is of two losses alone."""
    file = compared_groupings.file_of(settings, PAPER, "representation_similarities")
    pairs = [("Contrastive", "Contrastive", 0.9, 0.8, 0.001), ("Contrastive", "Triplet", 0.5, 0.25, 0.01),
             ("Contrastive", "ArcFace", 0.25, 0.125, 0.5), ("Triplet", "ArcFace", 0.5, 0.125, 0.02),
             ("ArcFace", "CosFace", 0.75, 0.1, 0.03)]  # fmt: skip
    write(file, compared_representations.COLUMNS,
          *({"measure": "mutual_knn", "loss_a": a, "loss_b": b, "similarity": value, "null_mean": null, "null_std": 0.25, "p_value": p,
             "n_images": 3000} for a, b, value, null, p in pairs))  # fmt: skip
    table = only(control_section.groupings(settings, PAPER))
    assert table.headings == ["measure", "two folds of a loss", "two losses of a group", "two losses of two groups",
                              "chance", "sd of chance", "largest p"]  # fmt: skip
    assert table.rows == [["mutual nearest neighbours", "0.900", "0.625", "0.375", "0.150", "0.250", "0.500"]]  # fmt: skip
    assert "3,000 images" in table.caption


def test_what_survives_other_settings(settings):
    write(map_ablations.csv_file(settings, PAPER, "D"), map_ablations.COLUMNS,
          {"sigma": 0.15, "samples": 50, "base": "black", "attribution": "SmoothGrad", "n_models": 14, "n_images": 8, "within": 0.5, "between": 0.25,
           "difference": 0.25, "p_value": 0.5, "order_as_own": 1},
          {"sigma": 0.3, "samples": 1, "base": "blurred", "attribution": "integrated gradients", "n_models": 14, "n_images": 8, "within": 0.125,
           "between": 0.25, "difference": -0.125, "p_value": "", "order_as_own": -0.5})  # fmt: skip
    table = only(control_section.survival(settings, PAPER))
    assert table.rows == [["SmoothGrad, black as base, σ 0.15, 50 samples", "0.500", "0.250", "0.250", "0.500", "1.00"],
                          ["integrated gradients, blurred as base, σ 0.3, 1 sample", "0.125", "0.250", "−0.125", "–", "−0.50"]]  # fmt: skip
    assert "14 models" in table.caption and "8 images" in table.caption
    write(map_ablations.needed_file(settings, PAPER, "D"), map_ablations.NEEDED,
          *({"samples": samples, "images": images, "n_pairs": 91, "n_images": 8, "told_apart": share}
            for samples, images, share in ((50, 5, 0.25), (50, 1000, 1), (10, 5, 0.125), (10, 1000, 0.5))))  # fmt: skip
    _, needed = only(control_section.survival(settings, PAPER), 2)
    assert needed.headings == [
        "images",
        "10 noisy samples",
        "50 noisy samples",
    ] and needed.rows == [["5", "12", "25"], ["1,000", "50", "100"]]
    assert "91 pairs" in needed.caption and "8 images" in needed.caption


# ---------------------------------------------------------------------------------------------------------------------
# The top, accuracy and claims.
# ---------------------------------------------------------------------------------------------------------------------
def test_figure_1_goes_from_the_ceiling_to_the_baseline():
    rows = [row | {"type_a": TYPE[row["loss_a"]], "type_b": TYPE.get(row["loss_b"], "")}
            for row in bounds_rows()]  # fmt: skip
    found = summary.similarities(pd.DataFrame(rows), MODELS)
    assert [(each.label.split(" (")[0], each.n_pairs) for each in found] == [
        ("one network, other noise", 2), ("one loss, two folds", 1), ("two losses of two types", 1),
        ("a loss and “None”", 1), ("a loss and random weights", 2),
    ]  # fmt: skip
    assert [each.mean for each in found] == pytest.approx([0.8, 0.6, 0.5, 0.4, 0.1])
    assert (found[0].lowest, found[0].highest) == (0.7, 0.9)


@pytest.mark.parametrize(
    "steps, words",
    [([(200, 120), (200, 200)], "at the limit of 200; best step 120, 200"),
     ([(160, 120), (120, 80)], "stopped early at 160, 120 of 200; best step 120, 80"),
     ([(160, 120), (200, 200)], "stopped early in 1 of 2 folds at 160 of 200; best step 120, 200"),
     ([], "")],
)  # fmt: skip
def test_how_a_training_ended(steps, words):
    rows = [("Triplet", fold, best, last, 200) for fold, (last, best) in enumerate(steps)]
    ends = pd.DataFrame(rows, columns=list(accuracy_section.ENDS))
    assert accuracy_section.how_it_ended(ends) == words


def test_accuracy_with_its_interval_and_the_end_of_training(settings):
    settings = settings.model_copy(update={"training": TrainingSettings(iterations=200)})
    measured = [{"loss": name, "dataset": "D", "fold": fold, "precision_at_1": 0.25 + fold / 4}
                for name in ("Triplet", "None") for fold in (0, 1)]  # fmt: skip
    write(accuracy.csv_file(settings), accuracy.COLUMNS, *measured)
    write(improvements.csv_file(settings, "D"), improvements.COLUMNS,
          *({"loss": "Triplet", "dataset": "D", "part": part, "gain": gain, "low": -0.01, "high": 0.09, "clear": "no"}
            for part, gain in (("validation", 0.9), ("test", 0.04))))  # fmt: skip
    write(training_logs.runs_file(settings, "D"), training_logs.RUN_COLUMNS,
          *({"loss": "Triplet", "fold": 0, "learning_rate": rate, "iteration": 80, "chosen": chosen}
            for rate, chosen in ((0.5, "yes"), (1, "no"))))  # fmt: skip
    write(training_logs.log_file(settings, "D"), training_logs.LOG_COLUMNS,
          *({"loss": "Triplet", "fold": 0, "learning_rate": rate, "iteration": step, "best": "no"}
            for rate, steps in ((0.5, (0, 80, 160)), (1, (0, 200))) for step in steps))  # fmt: skip
    table = accuracy_section.of_dataset(settings, "D")
    cells = dict(zip(table.rows, ([cell.text for cell in row] for row in table.cells)))
    assert cells["Triplet"][::3] == ["37.5", "+4.0 [−1.0, 9.0]"]
    assert cells["Triplet"][4] == "stopped early at 160 of 200; best step 80"
    assert cells["None"] == ["37.5", "100.0", "100.0", "", ""]
    assert table.records.set_index("loss").improvement["Triplet"] == 0.04


def claim(**values):
    return {"id": "x", "paper": "Kobs et al.", "protocol": "paper", "verdict": "holds", "unit": "points",
            "measure": "difference", "unit_of_n": "methods", "estimate": 0.0625, "low": -0.5, "high": 0.25, "p_value": 0.25,
            "claim": "Maps are alike", "n": 20, "reason": ""} | values  # fmt: skip


def test_claims_and_verdicts(settings):
    run = settings.model_copy(update={"name": "demo/base/seed0"})  # of a sweep, which shares them
    assert "too small to test the papers' claims" in claim_section.section(run)
    rows = [claim(), claim(id="y", verdict="contradicted", reason="the <interval>"),
            claim(id="z", paper="Roth et al.", verdict="not testable here", estimate=np.nan)]  # fmt: skip
    write(settings.results / "claims.csv", claims.COLUMNS, *rows)
    table = claim_section.read(run)
    assert claim_section.counts(table) == {
        "Kobs et al.": ["1 hold", "1 are contradicted"], "Roth et al.": ["1 are not testable here"],
    }  # fmt: skip
    kobs = claim_section.of_paper("Kobs et al.", table[table.paper == "Kobs et al."])
    assert kobs.cells[0][1].text == (
        "difference: 0.062 [−0.500, 0.250], points; p\u00a0=\u00a00.250; 20 methods"
    )
    html = claim_section.section(run)
    assert "<strong>contradicted</strong>" in html and ">the &lt;interval&gt;<" in html
    for name in ("claims_kobs_et_al", "claims_roth_et_al"):
        assert (run.results / "report" / f"{name}.csv").is_file()


@pytest.mark.parametrize(
    "name, marks", [("table2", True), ("table2_jsd", False), ("table1", False)]
)
def test_what_a_table_says_of_its_marks(name, marks):
    table = tables.Table(name, "", [], [], [], [], [], pd.DataFrame())
    two = {
        "kind": "two random",
        "loss_a": "random weights",
        "loss_b": "random weights",
        "correlation_mean": 0.4,
    }
    found = " ".join(table_section.notes(table, RELEASED, bounds_of(two)))
    assert ("baseline (10; two random networks 40) to the noise ceiling (80)" in found) == marks
    assert ("truncated" in found) == marks
    assert table_section.notes(table, PAPER, map_findings.Bounds({})) == []
    of_scores = table_section.notes(table._replace(name="table6"), PAPER, map_findings.Bounds({}))
    assert "2.576" in of_scores[0]


def test_no_place_is_given_between_a_baseline_above_the_ceiling():
    rows = [row | {"correlation_mean": 0.95} if row["kind"] == "random weights" else row
            for row in bounds_rows()]  # fmt: skip
    bounds = map_findings.bounds_of(pd.DataFrame(rows), MODELS)
    assert bounds.limits is None and map_findings.between_bounds(bounds, "D") is None


def test_terms_show_their_definition_once_in_each_protocol():
    html = '<div data-of="paper"><p>The noise ceiling, <code>fold</code>; a fold, a noise ceiling.</p><h3>noise ceiling</h3></div>'
    found = glossary.marked(html + html.replace("paper", "released"))
    assert found.count('popovertarget="term-noise-ceiling">noise ceiling</button>') == 2
    assert found.count(">fold</button>") == 2 and "<code>fold</code>" in found
    assert "<h3>noise ceiling</h3>" in found
    assert len(glossary.TERMS) <= 15


# ---------------------------------------------------------------------------------------------------------------------
# Findings that rest on controls.
# ---------------------------------------------------------------------------------------------------------------------
def known(within, between):
    found = {
        (a, b): Similarity(within if TYPE[a] == TYPE[b] else between, 0.1, 7)
        for a in TYPE
        for b in TYPE
    }
    return found


def bounds_of(*more):
    return map_findings.bounds_of(pd.DataFrame([*bounds_rows(), *more]), MODELS)


def test_baseline_and_ceiling_of_findings():
    floor, ceiling = map_findings.limits_of(bounds_of())
    assert floor == (
        "0.100, mean correlation of a trained network's maps and those of random weights (2 pairs, 4 images)"
    )
    assert ceiling == (
        "0.800, mean correlation of a trained network's maps and its own under other noise (2 networks, 4 images)"
    )
    two = {
        "kind": "two random",
        "loss_a": "random weights",
        "loss_b": "random weights",
        "correlation_mean": 0.4,
    }
    assert "(2 pairs, 4 images); of two random networks 0.400 (1 pair)" in map_findings.limits_of(bounds_of(two))[0]  # fmt: skip
    assert map_findings.limits_of(map_findings.Bounds({})) == ("", "")
    found = findings.untrained(known(0.5, 0.4), MODELS, "", (floor, ceiling))
    assert (found.floor, found.ceiling) == (floor, ceiling)


def test_where_two_losses_lie_between_baseline_and_ceiling():
    found = map_findings.between_bounds(bounds_of(), "D")  # 0.5 between 0.1 and 0.8
    assert "partly alike: 57% of the way" in found.conclusion and "0.500" in found.text
    assert found.n == "1 pair; 4 images of D"
    for r, words in ((0.73, "nearly as alike"), (0.6, "much alike"), (0.2, "hardly more alike")):
        rows = [row | {"correlation_mean": r} if row["kind"] == "other loss, same fold" else row
                for row in bounds_rows()]  # fmt: skip
        bounds = map_findings.bounds_of(pd.DataFrame(rows), MODELS)
        assert words in map_findings.between_bounds(bounds, "D").conclusion
    assert map_findings.between_bounds(map_findings.Bounds({}), "D") is None


def test_the_permutation_test_of_groups_counts_if_it_is_of_this_number():
    found = findings.within_and_between(known(0.5, 0.4), MODELS, "", grouped(0.5 - 0.4), ("f", "c"))
    assert (
        "One-sided p\u00a0=\u00a00.049, by assigning models to types of these sizes in all 2,002 ways."
        in found.text
    )
    assert found.conclusion.endswith(
        "more alike within a type of loss than between types: by 0.100."
    )
    assert (found.floor, found.ceiling) == ("f", "c")
    random = findings.within_and_between(
        known(0.5, 0.4), MODELS, "", grouped(0.5 - 0.4, exact="no")
    )
    assert "in 2,002 random ways" in random.text
    for other in (grouped(0.11), grouped(0.1)[:0], None):  # of other models or images; none
        assert (
            "has not been tested"
            in findings.within_and_between(known(0.5, 0.4), MODELS, "", other).conclusion
        )


def answer(same, other, p):
    row = dict(zip(noise_ceilings.ANSWER, (14, 2, 4, same, other, -0.0057, 0.001, p, 0.6, 0.2)))
    return pd.DataFrame([row])


@pytest.mark.parametrize(
    "same, other, p, words, conclusion",
    [(0.575, 0.5, 0.01, "less alike, by 0.075", "Maps of two losses are less alike"),
     (0.5, 0.575, 0.93, "more alike, by 0.075", "not shown to differ more"),
     (0.5001, 0.4999, 0.05, "as alike", "not shown to differ more"),
     (0.575, 0.5, 0.0496, "less alike", "not shown to differ more")],  # as it is printed
)  # fmt: skip
def test_losses_and_folds(same, other, p, words, conclusion):
    found = findings.losses_and_folds(answer(same, other, p), "D", ("f", "c"))
    assert words in found.text and conclusion in found.conclusion
    assert f"correlate at {same:.3f} if they are of one loss, at {other:.3f}" in found.text
    assert "−0.006 to 0.001" in found.text
    assert found.n == "14 losses, 2 folds; 4 images of D"
    assert (found.floor, found.ceiling) == ("f", "c")


def test_losses_and_folds_without_two_folds():
    assert findings.losses_and_folds(answer(0.5, 0.4, 0.1)[:0], "D") is None
    assert findings.losses_and_folds(answer(np.nan, np.nan, np.nan), "D") is None


def test_the_null_of_the_first_property():
    scored = pd.DataFrame([{"loss": "Triplet", "fold": 0, "property": name, "nr_precision": value, "n_images": 9}
                           for name, value in zip(NAMES, range(11))])  # fmt: skip
    nulls = pd.DataFrame([{"loss": loss, "property": name, "null_mean": mean if name == NAMES[-1] else 5, "null_std": 0.05, "permutations": 1000}
                          for name in NAMES for loss, mean in (("Triplet", -0.02), ("ArcFace", 0.04), ("None", 9))])  # fmt: skip
    found = findings.order(scored, MODELS, WORDS, "cars", nulls)
    assert found.floor == (
        "0.010 with a standard deviation of 0.050, sun rotation under 1,000 permutations of the labels (means over 2 networks)")  # fmt: skip
    assert (
        findings.order(scored, MODELS, WORDS, "cars", nulls[:0]).floor
        == ""
        == findings.order(scored, MODELS, WORDS, "cars").floor
    )


@pytest.mark.parametrize(
    "holm, left",
    [(0.5, "none of 11 are below 1%"), (0.009, "11 of 11 are below 1%"), (0.01, "none of 11 are")],
)
def test_how_many_differences_survive_holm(holm, left):
    row = dict.fromkeys(property_scores.TEST_COLUMNS, 1) | {
        "unit": "loss_mean",
        "alternative": "two-sided",
        "group_a": "Ranking",
        "group_b": "Classification",
    }
    tests = pd.DataFrame([row | {"property": name, "p_value": 0.004} for name in NAMES])
    corrected = pd.DataFrame(rows_of_tests(holm))
    assert (
        left in findings.differences(tests, WORDS, corrected).text
        and "not corrected" not in findings.differences(tests, WORDS, corrected).text
    )
    one = corrected.assign(p_holm=np.where(corrected.property == NAMES[0], 0.001, 0.5))
    assert "1 of 11 is below 1%" in findings.differences(tests, WORDS, one).text
    for other in (None, corrected[:0], corrected[corrected.property != NAMES[0]]):  # of other tests
        assert (
            "The level is not corrected for 11 tests."
            in findings.differences(tests, WORDS, other).text
        )
