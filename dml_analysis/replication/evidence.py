"""What the replication's tests are about: which networks, and the table of all tests."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dml_analysis.config import Settings, load_settings
from dml_analysis.controls.group_tests import holm
from dml_analysis.files import csv_files
from dml_analysis.paper import MODELS, NONE, PROTOCOLS
from dml_analysis.replication import map_measures, trainings
from dml_analysis.replication.trainings import KEY

ACCURACY, BUDGET, RATE = CHECKPOINTS = ("equal accuracy", "equal budget", "one learning rate")
METHODS = ("twenty", "paper's fourteen")
TRAININGS = ("all", "without failed")
STATUS = ("registered", "exploratory")
SCALES = ("as it is", "log")
LEVEL = 0.05
RANKING = "Ranking"
ALL_PROTOCOLS = tuple(PROTOCOLS)
PUBLISHED = "published"  # in the place of a protocol
FAMILY = [
    "question", "checkpoint", "protocol", "methods", "trainings", "covariate", "scale", "unit",
]  # fmt: skip
SHARE = csv_files.between(0, 1)


class Test(NamedTuple):
    """A row of tests.csv. Numbers that a test does not give are NaN."""

    question: int  # of docs/analysis_plan.md
    measure: str
    checkpoint: str = ""  # one of CHECKPOINTS, or a validation step
    protocol: str = ""
    methods: str = METHODS[0]
    trainings: str = TRAININGS[0]
    covariate: str = ""
    scale: str = SCALES[0]
    unit: str = "method"
    n_first: int = 0  # units of the first type, or all of them
    n_second: int = 0
    estimate: float = np.nan
    low: float = np.nan
    high: float = np.nan
    level: float = 0.95  # of the interval
    p_value: float = np.nan
    smallest_p: float = np.nan  # that the test could give
    published: float = np.nan
    power: float = np.nan  # at the published effect
    status: str = STATUS[0]


COLUMNS = {
    "question": csv_files.one_of(range(1, 12)), "measure": str, "checkpoint": str, "protocol": str,
    "methods": csv_files.one_of(METHODS), "trainings": csv_files.one_of(TRAININGS),
    "covariate": str, "scale": csv_files.one_of(SCALES), "unit": str, "n_first": int,
    "n_second": int, "estimate": float, "low": float, "high": float, "level": SHARE,
    "p_value": SHARE, "p_holm": SHARE, "smallest_p": SHARE, "published": float, "power": SHARE,
    "status": csv_files.one_of(STATUS),
}  # fmt: skip


class Networks(NamedTuple):
    """The networks of a set of tests, and what has been measured of them."""

    labels: dict[str, Any]  # checkpoint, methods and trainings, as in tests.csv
    trainings: pd.DataFrame
    scores: pd.DataFrame
    unseen: pd.DataFrame  # scores on cars that no training has seen
    maps: pd.DataFrame
    pairs: pd.DataFrame

    @property
    def has_all(self) -> bool:
        """Return whether they are those of all methods, failed trainings too."""
        return (self.labels["methods"], self.labels["trainings"]) == (METHODS[0], TRAININGS[0])

    def of(self, protocol: str) -> "Networks":
        """Return the scores and maps of one protocol."""
        tables = {
            name: table[table.protocol == protocol]
            for name, table in self._asdict().items()
            if name not in ("labels", "trainings")
        }
        return self._replace(labels=self.labels | {"protocol": protocol}, **tables)


class Runs(NamedTuple):
    """The settings of the replication's parts, each a file next to the replication's own."""

    best: Settings
    best_unseen: Settings
    reached: Settings
    reached_unseen: Settings
    same_rate: Settings
    rho: Settings


def runs_of(settings_file: Path) -> Runs:
    """Return the settings of all parts. Raises MissingFile if one of the files is missing.

    settings_file: of the best checkpoints. Others have its name and an ending, such as _reached.
    """
    endings = ("", "_unseen", "_reached", "_reached_unseen", "_same_rate", "_rho")
    stem = settings_file.stem
    return Runs(*(load_settings(settings_file.with_stem(f"{stem}{ending}")) for ending in endings))


def networks_of(runs: Runs) -> Iterator[Networks]:
    """Yield the networks of every checkpoint, for all methods and the paper's, with and without
    failed trainings.

    Raises MissingFile if a CSV file is missing.
    """
    best, same_rate = trainings.read(runs.best), trainings.read(runs.same_rate)
    nothing = pd.DataFrame(columns=list(trainings.SCORES))
    for checkpoint, settings, table, of_failed, unseen in (
        (ACCURACY, runs.reached, trainings.read(runs.reached), best, runs.reached_unseen),
        (BUDGET, runs.best, best, best, runs.best_unseen),
        (RATE, runs.same_rate, same_rate, same_rate, None),
    ):
        failed = of_failed[of_failed.failed == "yes"]
        failed_keys = set(zip(*(failed[name] for name in KEY)))
        scores, maps = trainings.read_scores(settings), map_measures.read(settings)
        on_unseen = trainings.read_scores(unseen) if unseen else nothing
        pairs = map_measures.read_pairs(settings)
        for methods, which in product(METHODS, TRAININGS):
            names = {model.name for model in MODELS} if methods == METHODS[1] else set(table.loss)
            left_out = failed_keys if which == TRAININGS[1] else set()
            some_pairs = _selected(pairs, names, left_out, "_a")
            yield Networks(
                {"checkpoint": checkpoint, "methods": methods, "trainings": which},
                _selected(table, names, left_out),
                _selected(scores, names, left_out),
                _selected(on_unseen, names, left_out),
                _selected(maps, names, left_out),
                _selected(some_pairs, names, left_out, "_b"),
            )


def _selected(
    table: pd.DataFrame, names: set[str], left_out: set[tuple[Any, ...]], end: str = ""
) -> pd.DataFrame:
    """Return the rows of these methods but for some trainings; end: of the columns of KEY."""
    keys = zip(*(table[f"{name}{end}"] for name in KEY))
    kept = [key[0] in names and key not in left_out for key in keys]
    return table[np.array(kept, dtype=bool)]


def trained(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table that are not of the untrained network."""
    return table[table.loss != NONE]


def means_of_methods(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the means over the trainings of each trained method, and whether it is a ranking loss."""
    groups = trained(table).groupby("loss", sort=True)
    means = groups[list(columns)].mean()
    return means.assign(is_ranking=(groups.type.first() == RANKING).to_numpy())


def with_holm(tests: Sequence[Test]) -> pd.DataFrame:
    """Return tests as a table of COLUMNS, p_holm over the registered tests of each family."""
    table = pd.DataFrame(tests, columns=list(Test._fields))
    registered = table.status == STATUS[0]
    families = table[registered].groupby(FAMILY, sort=False).p_value
    table["p_holm"] = families.transform(lambda p_values: holm(p_values.to_numpy()))
    return table[list(COLUMNS)]


def tests_file(settings: Settings) -> Path:
    """Return the path of tests.csv."""
    return settings.results / "tests.csv"


def read(settings: Settings) -> pd.DataFrame:
    """Return tests.csv. Raises MissingFile if it does not exist."""
    return csv_files.table(
        tests_file(settings), COLUMNS, hint="run replication/5_test_questions.py first"
    )
