"""Nulls, intervals and smallest differences beside the NR-Precision of all networks: two stores for each, three CSV files.

A network's z-scores of every query are kept, so that folds and models can be compared query by query.
"""

from functools import partial
from itertools import combinations, product

import numpy as np
import scipy.stats

from dml_analysis.config import unlike_defaults
from dml_analysis.datasets.readers import evenly_spaced, ids_of
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.metrics import permutation_null, sample_size
from dml_analysis.paper import PROPERTIES
from dml_analysis.properties import car_embeddings, property_scores
from dml_analysis.seeds import derived_seed
from dml_analysis.stages import Job, Stage
from dml_analysis.store import ResultStore
from dml_analysis.views import View

NAMES = [each.name for each in PROPERTIES]
PROPERTY, SHARE = csv_files.one_of(NAMES), csv_files.between(0, 1)
NULL = {"r_precision": SHARE, "r_null_mean": SHARE, "r_null_std": float, "r_p_value": SHARE, "nr_precision": float,
        "null_mean": float, "null_std": float, "p_value": SHARE}  # fmt: skip
NULLS = {"loss": str, "type": str, "dataset": str, "fold": int, "property": PROPERTY, "max_neighbors": str, "n_images": int,
         "permutations": int, **NULL}  # fmt: skip
INTERVALS = {"loss": str, "type": str, "property": PROPERTY, "n_images": int, "n_folds": int, "nr_precision": float,
             "low": float, "high": float, "low_folds": float, "high_folds": float}  # fmt: skip
DIFFERENCES = {"property": PROPERTY, "n_images": int, "queries": int, "folds": int, "n_pairs": int, "least": float,
               "told_apart": SHARE}  # fmt: skip
ORDERS = {
    "loss": str,
    "type": str,
    "n_images": int,
    "n_all": int,
    "order_as_all": csv_files.between(-1, 1),
}
PARTS = (64, 16, 4)  # of all images so many times fewer,
FEWEST = 100  # but not fewer than these


def file_of(settings, protocol, name):
    """nulls.csv, intervals.csv, differences.csv or orders.csv."""
    return settings.results / protocol.name / "controls" / f"{name}.csv"


def scores_store(scored, items):
    """The z-score (k,) of every query, from the store of a network's scores; a row for each image."""
    settings = scored.subject.network.settings
    folder = (
        settings.results
        / scored.subject.protocol.name
        / "controls"
        / "query_scores"
        / scored.subject.network.path
    )
    arrays = {"scores": Array("f4", (len(NAMES),), finite=False)}
    return ResultStore(
        folder, {"scores": scored.digest}, [ids_of(items)], arrays, scored.subject, scored.labels
    )


def null_store(scored):
    """What permuted labels give, from the store of a network's scores; a row for each property."""
    settings, permutations = (
        scored.subject.network.settings,
        scored.subject.network.settings.controls.permutations,
    )
    folder = (
        settings.results
        / scored.subject.protocol.name
        / "controls"
        / "nulls"
        / scored.subject.network.path
    )
    provenance = {
        "scores": scored.digest,
        "permutations": permutations,
        **unlike_defaults(settings, "seed"),
    }
    labels = scored.labels | {"permutations": permutations}
    arrays = dict.fromkeys(NULL, Array("f8", finite=False)) | {"n_images": Array("i8")}
    return ResultStore(folder, provenance, [NAMES], arrays, scored.subject, labels)


def order_store(scored, n):
    """NR-Precision (k,) among fewer images, evenly spaced over all; a row for each number of images, all of them last."""
    settings = scored.subject.network.settings
    folder = (
        settings.results
        / scored.subject.protocol.name
        / "controls"
        / "orders"
        / scored.subject.network.path
    )
    numbers = sorted({min(n, max(FEWEST, n // part)) for part in PARTS} | {n})
    arrays = {"nr_precision": Array("f8", (len(NAMES),), finite=False)}
    parts = [[str(number)] for number in numbers]
    return ResultStore(
        folder, {"scores": scored.digest}, parts, arrays, scored.subject, scored.labels
    )


# ---------------------------------------------------------------------------------------------------------------------
# The stage.
# ---------------------------------------------------------------------------------------------------------------------
def stage(settings):
    """Nulls and z-scores of all networks that have scores."""
    (items, codes), jobs = property_scores.cars_of(settings), []
    sources, lacking = car_embeddings.complete_stores(settings, items)
    for embedded, protocol in product(sources, settings.protocols):
        scored = property_scores.store_of(embedded.subject, protocol, embedded, codes)
        jobs += [
            Job([scores_store(scored, items)], partial(make_scores, embedded, codes)),
            Job([null_store(scored)], partial(make_null, embedded, codes)),
            Job([order_store(scored, len(items))], partial(make_orders, embedded, codes)),
        ]
    return Stage("controls of scores", "row", jobs, views(settings), lacking=lacking)


def make_scores(embedded, codes, stores, number, tick):
    """The z-scores of all queries of a network; see Job.make."""
    (store,) = stores
    coordinates, cap = subject(embedded, store.subject)
    found = permutation_null.query_scores(coordinates, codes, cap)
    tick(len(codes))
    return [{"scores": found}]


def make_null(embedded, codes, stores, number, tick):
    """The null of every property, for a network; see Job.make."""
    (store,), (network, protocol) = stores, stores[0].subject
    coordinates, cap = subject(embedded, store.subject)
    observed = property_scores.score(car_embeddings.read(embedded), codes, store.subject)
    seed = derived_seed(network.settings.seed, "null", protocol.name, *network.path.parts)
    null = permutation_null.permutation_null(
        coordinates, codes, network.settings.controls.permutations, seed, cap
    )
    found = {"n_images": [len(codes)] * len(NAMES)}
    for name, prefix, observations, permuted in [("r_precision", "r_", observed.r_precision, null.r_precision),
                                                 ("nr_precision", "", observed.nr_precision, null.nr_precision)]:  # fmt: skip
        summary = permutation_null.null_summary(observations, permuted)
        found |= {name: observations, f"{prefix}null_mean": summary.mean, f"{prefix}null_std": summary.std,
                  f"{prefix}p_value": summary.p_value}  # fmt: skip
    tick(len(NAMES))
    return [found]


def make_orders(embedded, codes, stores, number, tick):
    """The NR-Precision of a network among some images; see Job.make."""
    (store,) = stores
    chosen = evenly_spaced(range(len(codes)), int(store.chunks[number][0]))
    found = property_scores.score(
        car_embeddings.read(embedded)[chosen], codes[chosen], store.subject
    )
    tick(1)
    return [{"nr_precision": [found.nr_precision]}]


def subject(embedded, scored):
    """(coordinates (n, d), the cap on R) by which what is Scored is scored."""
    return property_scores.coordinates_by(
        *scored, car_embeddings.read(embedded)
    ), scored.protocol.max_neighbors


# ---------------------------------------------------------------------------------------------------------------------
# CSV files.
# ---------------------------------------------------------------------------------------------------------------------
def views(settings):
    """nulls.csv, intervals.csv, differences.csv and orders.csv of the whole run, by every protocol."""
    whole, found = settings.whole, []
    items, codes = property_scores.cars_of(whole)
    known = [each for each in car_embeddings.embedding_networks(whole) if each.is_known()]
    for protocol in settings.protocols:
        scored = [
            property_scores.store_of(each, protocol, car_embeddings.store_of(each, items), codes)
            for each in known
        ]
        queries = [scores_store(each, items) for each in scored]
        found += [View(file_of(settings, protocol, "nulls"), NULLS, [null_store(each) for each in scored]),
                  View(file_of(settings, protocol, "intervals"), INTERVALS, queries, partial(interval_rows, whole)),
                  View(file_of(settings, protocol, "differences"), DIFFERENCES, queries, difference_rows),
                  View(file_of(settings, protocol, "orders"), ORDERS, [order_store(each, len(items)) for each in scored],
                       order_rows)]  # fmt: skip
    return found


def by_model(stores):
    """Name of a model -> its stores, one for each fold."""
    found = {}
    for store in stores:
        found.setdefault(store.subject.network.model.name, []).append(store)
    return found


def read(some):
    """The z-scores (folds, n, k) of a model."""
    return np.stack([store.read("scores")["scores"] for store in some]).astype(np.float64)


def interval_rows(settings, stores, columns):
    """A row for each model and property: the mean over its folds, with intervals over queries, and over queries and folds."""
    seed = derived_seed(
        settings.seed, "bootstrap of queries"
    )  # the same draws for all models, which are compared
    for name, some in by_model(stores).items():
        found = read(some)
        intervals = [permutation_null.bootstrap(found, seed, over=over) if over == "queries" or len(some) > 1 else
                     np.full((len(NAMES), 2), np.nan) for over in permutation_null.OVER]  # fmt: skip
        means = np.nanmean(found, axis=1).mean(axis=0)
        for place, prop in enumerate(NAMES):
            of_property = [bound for each in intervals for bound in each[place]]
            yield [
                name,
                some[0].labels["type"],
                prop,
                found.shape[1],
                len(some),
                means[place],
                *of_property,
            ]


def difference_rows(stores, columns):
    """How small a difference of two trained models can be told, a row for each property and number of queries and folds.

    least: the median over all pairs of models; told_apart: the share of pairs whose difference, as it is here, is at least that.
    The variance over folds is the mean of all pairs', as two folds say little of one.
    """
    models = [
        read(some) for some in by_model(stores).values() if some[0].subject.network.model.trained
    ]
    if len(models) < 2 or len({len(each) for each in models}) > 1:
        return
    pairs = [a - b for a, b in combinations(models, 2)]
    of_queries, of_folds = (np.array(each) for each in zip(*map(sample_size.variances, pairs)))
    of_folds = np.nan_to_num(of_folds.mean(axis=0))
    found = np.abs([np.nanmean(each.mean(axis=0), axis=0) for each in pairs])
    folds, n = models[0].shape[:2]
    for queries in sorted({max(FEWEST, n // part) for part in PARTS} | {n}):
        for count in sorted({1, folds, 4}):
            least = sample_size.least_difference(of_queries, of_folds, queries, count)
            for place, prop in enumerate(NAMES):
                column = least[:, place]
                yield [
                    prop,
                    n,
                    queries,
                    count,
                    len(pairs),
                    np.median(column),
                    (found[:, place] >= column).mean(),
                ]


def order_rows(stores, columns):
    """Is the order of the properties by NR-Precision that of all images where they are fewer? A row for each model and number."""
    for some in by_model(stores).values():
        found = np.mean(
            [store.read("nr_precision")["nr_precision"] for store in some], axis=0
        )  # (numbers, k), all images last
        numbers = some[0].rows
        for number, row in zip(numbers[:-1], found):
            order = (
                scipy.stats.spearmanr(row, found[-1]).statistic
                if np.isfinite([row, found[-1]]).all()
                else np.nan
            )
            yield [
                some[0].labels["loss"],
                some[0].labels["type"],
                int(number),
                int(numbers[-1]),
                order,
            ]
