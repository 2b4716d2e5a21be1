"""Do ranking and classification losses differ? Questions 1, 2, 5 and 6 of the plan.

Differences are of ranking minus classification losses.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
from jaxtyping import Bool, Float

from dml_analysis.controls.group_tests import published_scores
from dml_analysis.metrics.intervals import mean_interval
from dml_analysis.metrics.type_tests import (
    difference_interval,
    power,
    smallest_p,
    types_differ,
    types_differ_given,
)
from dml_analysis.paper import NONE, PROPERTIES
from dml_analysis.replication.evidence import (
    ALL_PROTOCOLS,
    LEVEL,
    RANKING,
    SCALES,
    STATUS,
    Networks,
    Test,
    means_of_methods,
    trained,
)
from dml_analysis.seeds import derived_seed

UNSEEN = "model, 24 unseen cars"
ON_CAR = ("mass_on_car", "highest_on_car")
CONCENTRATION = ("gini", "entropy")
FIRST_THREE = ("model", "rotation_z", "camera_loc_z")
BACKGROUND = ("bg_color_hue", "bg_color_sat", "bg_color_val")


def tests(networks: Networks) -> Iterator[Test]:
    """Yield the tests of all these questions."""
    accuracy = means_of_methods(networks.trainings, ["map_at_r"])
    yield type_test(1, "map_at_r", accuracy.map_at_r, accuracy.is_ranking, **networks.labels)
    for protocol in ALL_PROTOCOLS:
        of_protocol = networks.of(protocol)
        yield from property_tests(of_protocol, accuracy.map_at_r)
        yield from order_tests(of_protocol)
        maps = means_of_methods(of_protocol.maps, [*ON_CAR, *CONCENTRATION, "ceiling"])
        for question, measures in ((5, ON_CAR), (6, CONCENTRATION)):
            for measure in measures:
                for covariate in (None, maps.ceiling):
                    yield type_test(
                        question, measure, maps[measure], maps.is_ranking, covariate,
                        **of_protocol.labels,
                    )  # fmt: skip


def property_tests(networks: Networks, map_at_r: pd.Series) -> Iterator[Test]:
    """Yield the tests of question 2; map_at_r: of each method on test classes, the covariate."""
    published = published_effects()
    tables = [(prop.name, networks.scores) for prop in PROPERTIES]
    if len(networks.unseen):
        tables.append((UNSEEN, networks.unseen))
    for name, table in tables:
        scores = table[table.property == name.split(",")[0]]
        means = means_of_methods(scores, ["nr_precision"])
        values, scale = means.nr_precision, SCALES[0]
        if (values > 0).all():
            values, scale = np.log(values), SCALES[1]
        effect, spread = (
            published.get(name, (np.nan, np.nan)) if scale == SCALES[1] else (np.nan,) * 2
        )
        for covariate in (None, map_at_r):
            labels = networks.labels | {"scale": scale}
            if name == UNSEEN:  # not one of the eleven
                labels |= {"unit": "method, unseen cars"}
            test = type_test(2, name, values, means.is_ranking, covariate, **labels)
            strength = np.nan
            if spread > 0:
                sizes, seed = (test.n_first, test.n_second), derived_seed("power", name)
                strength = power(effect / spread, *sizes, LEVEL / len(PROPERTIES), seed)
            yield test._replace(published=effect, power=strength)


def type_test(
    question: int,
    measure: str,
    values: pd.Series,
    is_ranking: pd.Series,
    covariate: pd.Series | None = None,
    **labels: Any,
) -> Test:
    """Return the test of a value for each method between types; covariate: of the same methods."""
    x, first = values.to_numpy(dtype=float), is_ranking.to_numpy(dtype=bool)
    given, name = None, ""
    seed = derived_seed("types", question, measure, *sorted(labels.items()))
    if covariate is None:
        result = types_differ(x, first, seed)
    else:
        given, name = covariate.loc[values.index].to_numpy(dtype=float), str(covariate.name)
        result = types_differ_given(x, first, given, seed)
    low, high = difference_interval(x, first, given)
    return Test(
        question, measure, covariate=name, n_first=int(first.sum()), n_second=int((~first).sum()),
        estimate=result.difference, low=low, high=high, p_value=result.p_value,
        smallest_p=result.smallest_p, **labels,
    )  # fmt: skip


def order_tests(networks: Networks) -> Iterator[Test]:
    """Yield how the order of the properties agrees with the published one: not in the plan.

    The share of methods whose largest NR-Precisions are of the car model, rotation and camera
    height, in this order; and Spearman's correlation of the means over methods with Table 6's.
    """
    table = trained(networks.scores).groupby(["loss", "property"]).nr_precision.mean().unstack()
    first = [tuple(row.sort_values(ascending=False).index[:3]) for _, row in table.iterrows()]
    share = float(np.mean([each == FIRST_THREE for each in first]))
    published = trained(published_scores()).groupby("property").nr_precision.mean()
    order = scipy.stats.spearmanr(table.mean(), published.loc[table.columns]).statistic
    for measure, estimate in (
        ("published first three", share),
        ("order of properties", float(order)),
    ):
        yield Test(
            2, measure, n_first=len(table), estimate=estimate, status=STATUS[1], **networks.labels
        )
    none = networks.scores[networks.scores.loss == NONE].groupby("property").nr_precision.mean()
    for name in ("model", *BACKGROUND):
        if none[name] > 0 and (table[name] > 0).all():
            mean, low, high = mean_interval(np.log(table[name] / none[name]).to_numpy())
            yield Test(2, f"{name}, trained to None", scale=SCALES[1], n_first=len(table),
                       estimate=mean, low=low, high=high, status=STATUS[1], **networks.labels)  # fmt: skip


def published_effects() -> dict[str, tuple[float, float]]:
    """Return, by property, the published Table 6's log ratio of the types, and its spread.

    The spread is the standard deviation of log NR-Precision within types.
    """
    table = trained(published_scores().dropna())
    effects = {}
    for name, rows in table.groupby("property", sort=False):
        logs, first = np.log(rows.nr_precision.to_numpy()), (rows.type == RANKING).to_numpy()
        effects[str(name)] = log_ratio(logs, first)
    return effects


def log_ratio(logs: Float[np.ndarray, " n"], first: Bool[np.ndarray, " n"]) -> tuple[float, float]:
    """Return the difference of two types' means, and the standard deviation within types."""
    a, b = logs[first], logs[~first]
    variance = (np.square(a - a.mean()).sum() + np.square(b - b.mean()).sum()) / (len(logs) - 2)
    return float(a.mean() - b.mean()), float(variance**0.5)


def published_tests() -> Iterator[Test]:
    """Yield the tests of the published Table 6, question 11: log NR-Precision of each loss."""
    table = trained(published_scores().dropna())
    for name, rows in table.groupby("property", sort=False):
        values, first = np.log(rows.nr_precision), rows.type == RANKING
        test = type_test(11, str(name), values, first, protocol="published", scale=SCALES[1],
                         methods="paper's fourteen", unit="loss")  # fmt: skip
        effect, spread = log_ratio(values.to_numpy(), first.to_numpy())
        sizes = test.n_first, test.n_second
        strength = power(
            effect / spread, *sizes, 0.01 / len(PROPERTIES), derived_seed("power", name)
        )
        yield test._replace(published=effect, power=strength, smallest_p=smallest_p(*sizes))
