"""Tests of the paper's published similarities of saliency maps on SOP (Table 2), a value per pair."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float

from dml_analysis.files import csv_files
from dml_analysis.metrics.groupings import count_assignments, within_between_test
from dml_analysis.metrics.significance import mann_whitney
from dml_analysis.paper import MODELS, NONE, PUBLISHED

if TYPE_CHECKING:
    from dml_analysis.config import Settings

PERMUTATIONS = 100_000  # of distances, which have too many assignments to enumerate
SEED = 0
QUESTIONS = (
    "types: within minus between",
    "distances: within minus between",
    "None: ranking minus classification",
)
PAIRS = {"loss_a": str, "loss_b": str, "mean": float, "std": float}
COLUMNS = {
    "question": csv_files.one_of(QUESTIONS), "losses": int, "difference": float,
    "p_value": csv_files.between(0, 1), "smallest_p": csv_files.between(0, 1),
    "assignments": int,
}  # fmt: skip


def tests_file(settings: "Settings") -> Path:
    """Return the path of table2_tests.csv."""
    return settings.results / "published" / "table2_tests.csv"


def published_similarity() -> tuple[list[str], Float[np.ndarray, "l l"]]:
    """Return the losses of Table 2, "None" last, and the similarity of each pair in per cent."""
    table = csv_files.table(PUBLISHED / "table2_sop.csv", PAIRS, ["loss_a", "loss_b"])
    matrix = table.pivot(index="loss_a", columns="loss_b", values="mean")
    names = [model.name for model in MODELS]
    return names, matrix.loc[names, names].to_numpy()


def tests() -> pd.DataFrame:
    """Return the tests, a table of COLUMNS; the unit is the loss.

    Are losses of one type more alike than losses of two types, and losses trained with one distance
    more than those with two (one-sided, permutations)? Is "None" as near to ranking as to
    classification losses (two-sided, Mann-Whitney)? Differences are in points of per cent.
    """
    names, similarity = published_similarity()
    trained = [model for model in MODELS if model.trained]
    n, none = len(trained), names.index(NONE)
    rows = []
    for question, groups in (
        (QUESTIONS[0], [model.group for model in trained]),
        (QUESTIONS[1], [model.distance for model in trained]),
    ):
        test = within_between_test(similarity[:n, :n], groups, SEED, PERMUTATIONS)
        smallest = 1 / test.assignments if test.exact else 1 / (1 + test.assignments)
        rows.append((question, n, test.statistic, test.p_value, smallest, test.assignments))
    is_ranking = np.array([model.group == "Ranking" for model in trained])
    ranking, classification = similarity[none, :n][is_ranking], similarity[none, :n][~is_ranking]
    difference = ranking.mean() - classification.mean()
    assignments = count_assignments([len(ranking), len(classification)])
    p_value = mann_whitney(ranking, classification).p_value
    rows.append((QUESTIONS[2], n, difference, p_value, 2 / assignments, assignments))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write(settings: "Settings") -> Path:
    """Write the tests; return the file."""
    csv_files.write_table(tests_file(settings), tests())
    return tests_file(settings)


def show(settings: "Settings") -> None:
    """Print the tests."""
    print("the published Table 2, SOP:")
    for row in csv_files.read(tests_file(settings), COLUMNS, ["question"]).itertuples():
        print(
            f"  {row.question}: {row.difference:.1f} points, p = {row.p_value:.4f} "
            f"(at least {row.smallest_p:.4f}; {row.losses} losses)"
        )
