"""What embedding spaces and regularisation have to do with retrieval, and what probes still read.

Questions 8, 9 and 10 of the plan.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from dml_analysis.embedding_space.measure_correlations import published
from dml_analysis.metrics.embedding_measures import SHAPE
from dml_analysis.metrics.intervals import mean_interval
from dml_analysis.metrics.type_tests import correlation_interval
from dml_analysis.paper import MODELS, NONE
from dml_analysis.replication.evidence import BUDGET, METHODS, STATUS, Test, trained
from dml_analysis.seeds import derived_seed
from dml_analysis.sweeps import BASE

EQUAL_ITERATION = 150
REGISTERED = ("pi_ratio", "rho_2")
PUBLISHED_DATASET = "Cars196"


# -------------------------------------------------------------------------------------------------
# Question 8: correlations of the spaces' shape with retrieval.
# -------------------------------------------------------------------------------------------------
def correlation_tests(steps: pd.DataFrame) -> Iterator[Test]:
    """Yield Pearson correlations over methods of measures with Recall@1 on test classes.

    steps: of all trainings, as in validation_steps.csv. The measures are of training images. At
    equal iteration and at each training's best step.
    """
    values_of = published()
    places = {
        f"iteration {EQUAL_ITERATION}": steps[steps.iteration == EQUAL_ITERATION],
        "best step": steps[steps.best == "yes"],
    }
    of_paper = [model.name for model in MODELS]
    for place, at in places.items():
        for methods in METHODS:
            table = trained(at)
            table = table if methods == METHODS[0] else table[table.loss.isin(of_paper)]
            means = {part: rows.groupby("loss") for part, rows in table.groupby("part")}
            recall = means["test"].recall_at_1.mean()
            shapes = means["train"][list(SHAPE)].mean().loc[recall.index]
            for measure in SHAPE:
                seed = derived_seed("correlation", place, methods, measure)
                r, low, high = correlation_interval(shapes[measure], recall, seed)
                yield Test(
                    8, measure, checkpoint=place, methods=methods, n_first=len(recall), estimate=r,
                    low=low, high=high,
                    published=values_of.get(measure, {}).get(PUBLISHED_DATASET, np.nan),
                    status=STATUS[measure not in REGISTERED],
                )  # fmt: skip


# -------------------------------------------------------------------------------------------------
# Question 9: rho-regularisation.
# -------------------------------------------------------------------------------------------------
def regularisation_tests(table: pd.DataFrame) -> Iterator[Test]:
    """Yield what each form of rho-regularisation changes in Recall@1 on test classes.

    table: as in factors.csv. Differences are from the training of the same loss with the same seed.
    Over seeds, each is the mean of the losses; over losses, which count as random, the mean of the
    seeds.
    """
    key = ["loss", "seed"]
    base = table[table.factor == BASE].set_index(key).recall_at_1
    for form, rows in table[table.factor != BASE].groupby("value", sort=False):
        difference = (rows.set_index(key).recall_at_1 - base).dropna().unstack("seed")
        if difference.isna().any(axis=None):
            raise ValueError(f"rho-regularisation: trainings of {form} are missing")
        for unit, values in (("seed", difference.mean()), ("loss", difference.mean(axis=1))):
            mean, low, high = mean_interval(values.to_numpy())
            yield Test(9, f"{form}, Recall@1", checkpoint="best step", unit=unit, methods=METHODS[0],
                       n_first=len(values), estimate=mean, low=low, high=high)  # fmt: skip
        for loss, values in difference.iterrows():
            mean, low, high = mean_interval(values.to_numpy())
            yield Test(9, f"{form}, Recall@1, {loss}", checkpoint="best step", unit="seed",
                       n_first=len(values), estimate=mean, low=low, high=high,
                       status=STATUS[1])  # fmt: skip


# -------------------------------------------------------------------------------------------------
# Question 10: linear probes.
# -------------------------------------------------------------------------------------------------
def probe_tests(table: pd.DataFrame) -> Iterator[Test]:
    """Yield how much more of a property a probe reads from trained networks than from "None".

    table: as in probes.csv, in per cent of the images. The unit is the method.
    """
    for (kind, name), rows in table.groupby(["representation", "property"], sort=False):
        none = rows[rows.loss == NONE].percent.mean()
        values = trained(rows).groupby("loss").percent.mean() - none
        mean, low, high = mean_interval(values.to_numpy())
        common: dict[str, Any] = {"checkpoint": BUDGET, "n_first": len(values)}
        yield Test(
            10, f"{name}, {kind}: trained minus None", estimate=mean, low=low, high=high, **common
        )
        yield Test(10, f"{name}, {kind}: None", estimate=float(none), **common)
