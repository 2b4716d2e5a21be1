"""How alike are saliency maps of different methods? Questions 3, 4 and 7 of the plan.

All similarities are noise-corrected correlations of two trainings' maps.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
from jaxtyping import Bool, Float

from dml_analysis.config import Settings
from dml_analysis.metrics.groupings import within_between_test
from dml_analysis.metrics.intervals import mean_interval
from dml_analysis.metrics.same_method import PERMUTATIONS, same_method_test
from dml_analysis.metrics.type_tests import MAX_ASSIGNMENTS, smallest_p
from dml_analysis.metrics.variance_shares import VarianceShares, variance_shares
from dml_analysis.paper import NONE, PROPERTIES
from dml_analysis.replication.evidence import (
    ALL_PROTOCOLS,
    RANKING,
    Networks,
    Test,
    means_of_methods,
    trained,
)
from dml_analysis.replication.type_questions import CONCENTRATION, ON_CAR, type_test
from dml_analysis.seeds import derived_seed

RESAMPLES = 10_000
CELL = ["fold", "seed"]
SHARES = {"checkpoint": str, "protocol": str, "quantity": str, "n_trainings": int,
          **dict.fromkeys(VarianceShares._fields, float)}  # fmt: skip


def shares_file(settings: Settings) -> Path:
    """Return the path of variance_shares.csv."""
    return settings.results / "variance_shares.csv"


def tests(networks: Networks) -> Iterator[Test]:
    """Yield the tests of all these questions."""
    for protocol in ALL_PROTOCOLS:
        of_protocol = networks.of(protocol)
        yield from type_similarity_tests(of_protocol)
        yield from method_tests(of_protocol)
        yield from untrained_tests(of_protocol)


# -------------------------------------------------------------------------------------------------
# Question 3: types.
# -------------------------------------------------------------------------------------------------
def type_similarity_tests(networks: Networks) -> Iterator[Test]:
    """Yield whether methods of one type are more alike than of two: at 95%, and 90% for equivalence."""
    matrix = method_similarity(networks.pairs)
    types = means_of_methods(networks.maps, []).is_ranking
    is_ranking = types.loc[matrix.index].to_numpy()
    labels, similarity = np.where(is_ranking, "R", "C"), matrix.to_numpy()
    seed = derived_seed("types of maps", *sorted(networks.labels.items()))
    groups = labels.tolist()
    test = within_between_test(similarity, groups, seed, MAX_ASSIGNMENTS, two_sided=True)
    sizes = int(is_ranking.sum()), int((~is_ranking).sum())
    for level in (0.95, 0.9):
        low, high = bootstrap_within_between(similarity, is_ranking, seed, level)
        yield Test(
            3, f"within minus between types, {100 * level:.0f}%", n_first=sizes[0], n_second=sizes[1],
            estimate=test.statistic, low=low, high=high, level=level,
            p_value=test.p_value if level == 0.95 else np.nan, smallest_p=smallest_p(*sizes),
            **networks.labels,
        )  # fmt: skip
    others = similarity[~np.eye(len(similarity), dtype=bool)]
    yield Test(
        3,
        "mean of two methods",
        n_first=len(matrix),
        estimate=float(others.mean()),
        **networks.labels,
    )


def method_similarity(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the mean similarity of the trainings of each two methods; NaN on the diagonal."""
    pairs = pairs[(pairs.loss_a != pairs.loss_b) & (pairs.loss_a != NONE) & (pairs.loss_b != NONE)]
    mirrored = pairs.rename(columns={"loss_a": "loss_b", "loss_b": "loss_a"})
    both = pd.concat([pairs, mirrored])[["loss_a", "loss_b", "corrected"]]
    return both.pivot_table("corrected", "loss_a", "loss_b")


def bootstrap_within_between(
    similarity: Float[np.ndarray, "m m"], is_first: Bool[np.ndarray, " m"], seed: int, level: float
) -> tuple[float, float]:
    """Return the percentile interval of within_minus_between, by resampling methods within types.

    A method is not paired with itself.
    """
    rng, values = np.random.default_rng(seed), []
    members = [np.flatnonzero(is_first), np.flatnonzero(~is_first)]
    for _ in range(RESAMPLES // 5):
        rows = [rng.choice(each, len(each)) for each in members]
        within: list[np.ndarray] = []
        between: list[np.ndarray] = []
        for a, of_a in enumerate(rows):
            for b, of_b in enumerate(rows):
                block = similarity[np.ix_(of_a, of_b)]
                known = block[of_a[:, None] != of_b[None, :]]
                (within if a == b else between).append(known)
        means = [np.concatenate(each).mean() for each in (within, between)]
        values.append(means[0] - means[1])
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


# -------------------------------------------------------------------------------------------------
# Question 4: methods against trainings.
# -------------------------------------------------------------------------------------------------
def method_tests(networks: Networks) -> Iterator[Test]:
    """Yield whether trainings of one method are more alike than of two, within learning rates."""
    table = trained(networks.trainings)
    names = sorted(set(table.loss))
    similarity = training_similarity(networks.pairs, names)
    rates = table.groupby("loss").learning_rate.first().loc[names]
    seed = derived_seed("one method", *sorted(networks.labels.items()))
    result = same_method_test(similarity, rates.to_numpy(), seed)
    yield Test(
        4, "one method minus two", unit="training", n_first=result.n_methods,
        estimate=result.difference, low=result.low, high=result.high, p_value=result.p_value,
        smallest_p=1 / (1 + PERMUTATIONS), **networks.labels,
    )  # fmt: skip
    for name in ("same", "other"):
        measure = "trainings of one method" if name == "same" else "trainings of two methods"
        yield Test(4, measure, unit="training", n_first=result.n_methods,
                   estimate=getattr(result, name), **networks.labels)  # fmt: skip


def training_similarity(pairs: pd.DataFrame, names: list[str]) -> Float[np.ndarray, "m c m c"]:
    """Return the similarity of the trainings of these methods, in cells of fold and seed."""
    pairs = pairs[pairs.loss_a.isin(names) & pairs.loss_b.isin(names)]
    a = list(zip(pairs.fold_a, pairs.seed_a))
    b = list(zip(pairs.fold_b, pairs.seed_b))
    cells = sorted({*a, *b})
    similarity = np.full((len(names), len(cells)) * 2, np.nan)
    for loss_a, cell_a, loss_b, cell_b, value in zip(
        pairs.loss_a, a, pairs.loss_b, b, pairs.corrected
    ):
        i, j = (
            (names.index(loss_a), cells.index(cell_a)),
            (names.index(loss_b), cells.index(cell_b)),
        )
        similarity[*i, *j] = similarity[*j, *i] = value
    return similarity


def shares_of_variance(networks: Networks) -> Iterator[tuple[Any, ...]]:
    """Yield rows of SHARES for maps, accuracy, properties and measures of maps.

    None if a training is missing, or there is one fold or seed, as the shares are those of complete
    designs.
    """
    table = trained(networks.trainings).sort_values(["loss", *CELL])
    n_cells = table[CELL].drop_duplicates().shape[0]
    levels = table.fold.nunique(), table.seed.nunique()
    if len(table) != table.loss.nunique() * n_cells or min(levels) < 2:
        return
    design = table.type, table.loss, table.fold, table.seed
    order = table[["loss", *CELL]]

    def row(quantity: str, values: Any, protocol: str) -> tuple[Any, ...]:
        similarity = np.outer(values, values) if np.ndim(values) == 1 else values
        shares = variance_shares(similarity, *(column.to_numpy() for column in design))
        return networks.labels["checkpoint"], protocol, quantity, len(table), *shares

    yield row("MAP@R", table.map_at_r.to_numpy(), "")
    for protocol in ALL_PROTOCOLS:
        of_protocol = networks.of(protocol)
        names = sorted(set(table.loss))
        cube = training_similarity(of_protocol.pairs, names)
        similarity = cube.reshape(len(table), len(table))
        np.fill_diagonal(similarity, 1)
        yield row("maps", similarity, protocol)
        maps = order.merge(of_protocol.maps, on=["loss", *CELL])
        for measure in (*ON_CAR, *CONCENTRATION):
            yield row(measure, maps[measure].to_numpy(), protocol)
        for prop in PROPERTIES:
            scores = of_protocol.scores[of_protocol.scores.property == prop.name]
            values = order.merge(scores, on=["loss", *CELL]).nr_precision.to_numpy()
            yield row(prop.name, np.log(values) if (values > 0).all() else values, protocol)


# -------------------------------------------------------------------------------------------------
# Question 7: the untrained network.
# -------------------------------------------------------------------------------------------------
def untrained_tests(networks: Networks) -> Iterator[Test]:
    """Yield whether methods are more alike than each is with "None", and which type is nearer to it.

    Only networks of the same fold and seed are compared. The first test is the sign test.
    """
    pairs = networks.pairs
    same = (pairs.fold_a == pairs.fold_b) & (pairs.seed_a == pairs.seed_b)
    pairs = pairs[same & (pairs.loss_a != pairs.loss_b)]
    has_none = (pairs.loss_a == NONE) | (pairs.loss_b == NONE)
    with_none = pairs[has_none]
    method = with_none.loss_a.where(with_none.loss_a != NONE, with_none.loss_b)
    of_none = with_none.corrected.groupby(method).mean()
    among = method_similarity(pairs[~has_none]).mean(axis=1)
    difference = (among - of_none).dropna()
    above, n = int((difference > 0).sum()), len(difference)
    mean, low, high = mean_interval(difference.to_numpy())
    yield Test(
        7, "two methods minus a method and None", n_first=n, estimate=mean, low=low, high=high,
        p_value=float(scipy.stats.binomtest(above, n).pvalue), smallest_p=2 / 2**n, **networks.labels,
    )  # fmt: skip
    value = float(of_none.loc[difference.index].mean())
    yield Test(7, "a method and None", n_first=n, estimate=value, **networks.labels)
    types = trained(networks.trainings).groupby("loss").type.first() == RANKING
    values = of_none.loc[difference.index]
    yield type_test(7, "similarity with None", values, types.loc[values.index], **networks.labels)
