"""The replication's trainings, one row each: how they ended, and what their networks achieve.

A training is that of one method in one fold with one seed. The CSV files of each seed's run are
joined by these three. The untrained network has rows of its own.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dml_analysis.datasets import readers
from dml_analysis.embedding_space import embedding_spaces
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.metrics.embedding_measures import COLUMNS as MEASURES
from dml_analysis.paper import NONE, PROTOCOLS
from dml_analysis.properties import property_scores
from dml_analysis.reality_check import accuracy, improvements
from dml_analysis.seeds import derived_seed
from dml_analysis.training import training_logs, training_runs

if TYPE_CHECKING:
    from dml_analysis.config import Settings

SHARE = csv_files.between(0, 1)
YES_NO = csv_files.one_of(["yes", "no"])
ENDS = ("early stopping", "limit", "untrained")
PROTOCOL = csv_files.one_of(PROTOCOLS)
KEY = ["loss", "fold", "seed"]
HINT = "run replication/3_collect_trainings.py first"
TRAINING: dict[str, Any] = {"loss": str, "type": str, "fold": int, "seed": int}
COLUMNS = {
    **TRAINING, "learning_rate": float, "loss_rate_factor": float, "iterations": int,
    "epochs": float, "iteration": int, "ended_by": csv_files.one_of(ENDS), "validation_map_at_r": SHARE,
    "improvement": float, "low": float, "high": float, "failed": YES_NO,
    "precision_at_1": SHARE, "map_at_r": SHARE,
}  # fmt: skip
SCORES = {**TRAINING, "protocol": PROTOCOL, "property": str, "n_images": int, "nr_precision": float}
STEPS = {**TRAINING, "iteration": int, "part": embedding_spaces.PART, "best": YES_NO, **MEASURES}


def csv_file(settings: "Settings") -> Path:
    """Return the path of trainings.csv."""
    return settings.results / "trainings.csv"


def scores_file(settings: "Settings") -> Path:
    """Return the path of properties.csv."""
    return settings.results / "properties.csv"


def steps_file(settings: "Settings") -> Path:
    """Return the path of validation_steps.csv."""
    return settings.results / "validation_steps.csv"


def dataset_of(settings: "Settings") -> str:
    """Return the dataset of the trainings. Raises InputError if the settings have several."""
    if len(settings.datasets) != 1:
        raise InputError(
            f"settings {settings.name!r}: the replication is of one dataset, not "
            f"{', '.join(settings.datasets)}"
        )
    return settings.datasets[0]


def check_sweep(settings: "Settings") -> "Settings":
    """Return the settings. Raises InputError if their sweep has factors, or several datasets."""
    if len({variant.seed for variant in settings.variants}) < len(settings.variants):
        raise InputError(f"settings {settings.name!r}: the replication's sweep is of seeds alone")
    dataset_of(settings)
    return settings


def over_seeds(
    settings: "Settings", table_of: Callable[["Settings"], pd.DataFrame]
) -> pd.DataFrame:
    """Return the tables of all runs of a sweep over seeds, with the column seed.

    table_of: returns the table of one run's settings. Raises InputError as check_sweep does.
    """
    variants = check_sweep(settings).variants
    tables = [table_of(variant).assign(seed=variant.seed) for variant in variants]
    return pd.concat(tables, ignore_index=True)


# -------------------------------------------------------------------------------------------------
# Trainings.
# -------------------------------------------------------------------------------------------------
def trainings_of(settings: "Settings") -> pd.DataFrame:
    """Return the trainings of one run, a table of COLUMNS without the seed.

    With `checkpoint: reached`, iteration and scores are those of the first validation step that
    reached the score, and trainings that never reached it are missing. improvement: of the
    validation classes' MAP@R, over the features of the trunk that training starts from, with its
    interval by the bootstrap over classes; failed: whether that includes zero. epochs: how often
    each training image was seen on average. precision_at_1, map_at_r: on test classes. Raises MissingFile if a CSV file is missing.
    """
    options = training_runs.options_of(settings)
    improved, rows = improvements_of(settings), []
    images = {
        fold: len(readers.load_samples(settings, dataset_of(settings), "train", fold))
        for fold in settings.folds
    }
    for (loss, fold), steps in log_of(settings).groupby(["loss", "fold"], sort=False):
        step = step_of(steps, settings)
        if step is None:
            continue
        low_high = improved[loss, fold]
        rows.append(
            (loss, step.type, fold, step.learning_rate, options.of_method(loss).loss_rate_factor,
             steps.iteration.max(), steps.iteration.max() * options.batch_size / images[fold],
             step.iteration,
             ENDS[int(steps.iteration.max() >= options.iterations)], step.validation_map_at_r,
             *low_high, "no" if low_high[1] > 0 else "yes")
        )  # fmt: skip
    names = [name for name in COLUMNS if name not in ("seed", "precision_at_1", "map_at_r")]
    table = pd.DataFrame(rows, columns=names)
    hint = "run reality_check/3_evaluate_models.py first"
    test = csv_files.table(
        accuracy.csv_file(settings), accuracy.COLUMNS, ["loss", "dataset", "fold"], hint
    )
    test = test.rename(columns={"mean_average_precision_at_r": "map_at_r"})
    test = test[["loss", "type", "fold", "precision_at_1", "map_at_r"]]
    table = test.merge(table, on=["loss", "type", "fold"], how="left")
    is_none = table.loss == NONE
    table.loc[is_none, ["ended_by", "failed"]] = ENDS[2], "no"
    if (lost := table[table.iteration.isna() & ~is_none]).size:
        row = lost.iloc[0]
        raise InputError(f"{accuracy.csv_file(settings)}: {row.loss}, fold {row.fold}: no training")
    table[["iterations", "iteration"]] = table[["iterations", "iteration"]].fillna(0).astype(int)
    return table


def log_of(settings: "Settings") -> pd.DataFrame:
    """Return the validation steps of the trainings of one run's networks.

    Raises MissingFile if their CSV files are missing.
    """
    dataset, hint = dataset_of(settings), "run reality_check/2_train_models.py first"
    file, columns = training_logs.log_file(settings, dataset), training_logs.LOG_COLUMNS
    log = csv_files.table(file, columns, training_logs.LOG_KEY, hint)
    file, columns = training_logs.runs_file(settings, dataset), training_logs.RUN_COLUMNS
    runs = csv_files.table(file, columns, training_logs.RUN_KEY, hint)
    return log.merge(runs.loc[runs.chosen == "yes", training_logs.RUN_KEY])


def step_of(steps: pd.DataFrame, settings: "Settings") -> Any:
    """Return the validation step whose weights a network has, of those of its training.

    None with `checkpoint: reached`, if none reached the score.
    """
    steps = steps[steps.iteration > 0].sort_values("iteration")
    if settings.checkpoint == "best":
        return steps.loc[steps.validation_map_at_r.idxmax()]
    reached = steps[steps.validation_map_at_r >= training_runs.options_of(settings).reached]
    return reached.iloc[0] if len(reached) else None


def improvements_of(settings: "Settings") -> dict[tuple[str, int], tuple[float, float, float]]:
    """Return (improvement, low, high) of the validation MAP@R, by loss and fold."""
    hint = "run reality_check/4_measure_gains.py first"
    key = ["loss", "dataset", "part", "fold", "class"]
    file = improvements.classes_file(settings, dataset_of(settings))
    classes = csv_files.table(file, improvements.CLASSES, key, hint)
    classes = classes[classes.part == "validation"]
    scores = classes.pivot(index=["fold", "class"], columns="loss", values="map_at_r")
    intervals = {}
    for loss in scores.columns.drop(improvements.START):
        difference = (scores[loss] - scores[improvements.START]).dropna()
        for fold, values in difference.groupby(level="fold"):
            seed = derived_seed(settings.seed, "bootstrap of one training", loss, fold)
            interval = improvements.bootstrap_interval(values.to_numpy(), seed)
            intervals[loss, fold] = (float(values.mean()), *interval)
    return intervals


# -------------------------------------------------------------------------------------------------
# Properties and embedding spaces.
# -------------------------------------------------------------------------------------------------
def scores_of(settings: "Settings") -> pd.DataFrame:
    """Return the NR-Precisions of one run by all protocols, a table of SCORES without the seed."""
    hint = "run properties/3_score_properties.py first"
    tables = []
    for protocol in settings.protocols:
        file = property_scores.scores_file(settings, protocol)
        table = csv_files.table(file, property_scores.COLUMNS, list(property_scores.KEY), hint)
        tables.append(table.assign(protocol=protocol.name))
    return pd.concat(tables, ignore_index=True)


def steps_of(settings: "Settings") -> pd.DataFrame:
    """Return the embedding spaces at all validation steps of one run, STEPS without the seed."""
    dataset = dataset_of(settings)
    file = embedding_spaces.steps_file(settings, dataset)
    hint = "run embedding_space/1_measure_spaces.py first"
    key = ["loss", "fold", "iteration", "part"]
    table = csv_files.table(file, embedding_spaces.STEPS, key, hint)
    steps = log_of(settings).groupby(["loss", "fold"], sort=False)
    best = {(*name, step_of(of_training, settings).iteration) for name, of_training in steps}
    places = zip(table.loss, table.fold, table.iteration)
    return table.assign(best=["yes" if place in best else "no" for place in places])


# -------------------------------------------------------------------------------------------------
# CSV files.
# -------------------------------------------------------------------------------------------------
def read(settings: "Settings") -> pd.DataFrame:
    """Return trainings.csv. Raises MissingFile if it does not exist."""
    return csv_files.table(csv_file(settings), COLUMNS, KEY, HINT)


def read_scores(settings: "Settings") -> pd.DataFrame:
    """Return properties.csv. Raises MissingFile if it does not exist."""
    return csv_files.table(scores_file(settings), SCORES, [*KEY, "protocol", "property"], HINT)


def read_steps(settings: "Settings") -> pd.DataFrame:
    """Return validation_steps.csv. Raises MissingFile if it does not exist."""
    return csv_files.table(steps_file(settings), STEPS, [*KEY, "iteration", "part"], HINT)
