"""What training has gained: MAP@R of networks, and of the trunk that they began with, on the same images, class by class.

So a gain has an interval, by the bootstrap over classes. On the validation classes of a fold it is a little too large, as its
looks, and on the first fold its learning rate, were chosen by these; on the test classes it is not.
"""

from functools import partial

import numpy as np
import pandas as pd

from dml_analysis.datasets import image_digests, readers
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.coordinates import ZeroEmbedding, unit
from dml_analysis.networks.specifications import (
    LayoutNetwork,
    by_trunk,
    network_stage,
    networks_of,
    no_direction,
)
from dml_analysis.seeds import derived_seed, described
from dml_analysis.stages import Job
from dml_analysis.store import ResultStore
from dml_analysis.training.training_runs import PARTS
from dml_analysis.views import View

RESAMPLES = 10_000
LEVEL = 0.95
START = "frozen trunk"  # in the place of a model: the features of the trunk that "None" has
MEASURED = PARTS[1:]
SHARE = csv_files.between(0, 1)
KEY = {"loss": str, "type": str, "dataset": str, "part": csv_files.one_of(MEASURED)}
CLASSES = {**KEY, "fold": int, "class": int, "n_images": int, "map_at_r": SHARE}
GAINS = {**KEY, "n_folds": int, "n_classes": int, "frozen_trunk": SHARE, "trained": SHARE, "gain": float, "low": float,
         "high": float, "clear": csv_files.one_of(["yes", "no"])}  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Maths.
# ---------------------------------------------------------------------------------------------------------------------
def map_at_r_of_classes(embeddings, labels):
    """Return MAP@R of each class that has two images or more, as its images' mean, in the order of their labels.

    embeddings (n, d), labels (n,); each image is the query of all others. Neighbours are by cosine, whatever the model's
    distance: as in the Reality Check's model selection, and as features of a frozen trunk have no loss's distance. Raises
    ZeroEmbedding if an embedding is zero.
    """
    from dml_analysis.metrics.retrieval import (
        Retrieval,
        retrieval_of_queries,
    )  # compiled code takes seconds to load

    labels = np.asarray(labels)
    values = retrieval_of_queries(unit(embeddings), labels)[:, Retrieval._fields.index("map_at_r")]
    means = np.array([values[labels == label].mean() for label in np.unique(labels)])
    return means[~np.isnan(means)]


def bootstrap_interval(values, seed, resamples=RESAMPLES, level=LEVEL):
    """(low, high) of the mean of values (n,), by percentiles of the means of samples drawn from them with replacement."""
    values, rng = np.asarray(values, dtype=float), np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (resamples, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


# ---------------------------------------------------------------------------------------------------------------------
# The stage.
# ---------------------------------------------------------------------------------------------------------------------
def items_of(settings, dataset, fold, part):
    """The images of classes that have two of them or more, of a fold's "validation" or "test" classes."""
    items = readers.some_items(settings, dataset, part, fold)
    counts = pd.Series([item.label for item in items]).value_counts()
    return [item for item in items if counts[item.label] > 1]


def store_of(network, items, part):
    """MAP@R of a network on a part's images, a row for each class; of "None" that of its trunk's features."""
    labels, is_start = [item.label for item in items], network.model.is_none
    provenance = {
        "images": image_digests.described(network.records, items),
        "classes": described(labels),
    }
    provenance |= network.provenance()
    names = {"part": part} | ({"loss": START, "type": START} if is_start else {})
    if is_start:
        del provenance["embedder"]
    folder = network.settings.results / "reality_check" / "classes" / part / network.path
    arrays = {"map_at_r": Array("f8", low=0, high=1), "n_images": Array("i8")}
    rows = [str(label) for label in sorted(set(labels))]
    return ResultStore(folder, provenance, [rows], arrays, network, network.labels | names)


def measured_networks(settings, dataset, fold):
    """The networks that began with the trunk of "None", and "None"; none if the settings lack either."""
    found = [
        each for each in networks_of(settings, dataset, [fold]) if isinstance(each, LayoutNetwork)
    ]
    found = [
        each
        for each in found
        if each.model.is_none or (each.model.trained and not each.model.network)
    ]
    return found if any(each.model.is_none for each in found) and len(found) > 1 else []


def _places(settings):
    """(dataset, fold, part) -> (networks, items) of the settings."""
    places = [
        (dataset, fold, part)
        for dataset in settings.datasets
        for fold in settings.folds
        for part in MEASURED
    ]
    return {
        place: (measured_networks(settings, *place[:2]), items_of(settings, *place))
        for place in places
    }


def stage(settings):
    """The MAP@R of all networks on the validation classes of their fold and on the test classes, class by class."""
    places = _places(settings)
    if not all(networks for networks, _ in places.values()):
        raise InputError(
            "models: a gain takes None, whose trunk training begins with, and a model that began with it"
        )
    jobs = [
        Job([store_of(each, items, place[2]) for each in group], partial(make, settings, items), len(items))
        for place, (networks, items) in places.items() for group in by_trunk(networks)
    ]  # fmt: skip
    networks = {network.path: network for some, _ in places.values() for network in some}
    return network_stage("accuracies of classes", "image", jobs, networks.values(), [items for _, items in places.values()],
                         lambda store: [store.subject], views=views(settings))  # fmt: skip


def make(settings, items, stores, number, tick):
    """The accuracies of networks that share a trunk; see Job.make."""
    from dml_analysis.networks.embedding import embedded

    wanted = [(store.subject, not store.subject.model.is_none) for store in stores]
    arrays = embedded(wanted, items, settings.properties.batch_size, tick)
    labels = np.array([item.label for item in items])
    counts = np.unique(labels, return_counts=True)[1]
    found = []
    for store, array in zip(stores, arrays):
        try:
            found.append({"map_at_r": map_at_r_of_classes(array, labels), "n_images": counts})
        except ZeroEmbedding as error:
            found.append(no_direction(store.subject.name, items, error))
    return found


def views(settings):
    """classes_<dataset>.csv, of all models and folds."""
    found = []
    for dataset in settings.datasets:
        places = _places(settings.whole.model_copy(update={"datasets": [dataset]}))
        stores = [store_of(each, items, place[2]) for place, (networks, items) in places.items()
                   for each in networks if each.is_known()]  # fmt: skip
        found.append(View(classes_file(settings, dataset), CLASSES, stores))
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Gains.
# ---------------------------------------------------------------------------------------------------------------------
def classes_file(settings, dataset):
    return settings.results / "reality_check" / f"classes_{dataset}.csv"


def gains_file(settings, dataset):
    return settings.results / "reality_check" / f"gains_{dataset}.csv"


def gains(table, seed):
    """A row of GAINS for every trained model and part of a table of CLASSES that has the frozen trunk's too.

    A class's gain is the mean over the folds in which it was measured, as these are no independent ones; a model's is the
    mean over classes, and clear if its interval is above zero.
    """
    key, rows = ["dataset", "part", "fold", "class"], []
    start = table[table.loss == START].set_index(key).map_at_r.rename("start")
    for (dataset, part, loss), some in table[table.loss != START].groupby(
        ["dataset", "part", "loss"], sort=False
    ):
        pairs = some.join(start, on=key).dropna()
        if pairs.empty:
            continue
        classes = pairs.groupby("class")[["start", "map_at_r"]].mean()
        gain = classes.map_at_r - classes.start
        low, high = bootstrap_interval(
            gain, derived_seed(seed, "bootstrap of gains", dataset, part, loss)
        )
        rows.append((loss, some.type.iloc[0], dataset, part, pairs.fold.nunique(), len(classes), classes.start.mean(),
                     classes.map_at_r.mean(), gain.mean(), low, high, "yes" if low > 0 else "no"))  # fmt: skip
    return rows


def gains_of(settings, dataset):
    """The rows of GAINS from the dataset's CSV file of classes. Raises MissingFile if this does not exist."""
    file = classes_file(settings, dataset)
    return gains(
        csv_files.read(file, CLASSES, key=["loss", "dataset", "part", "fold", "class"]),
        settings.seed,
    )


def show(settings):
    """Write gains_<dataset>.csv, and print it."""
    for dataset in settings.datasets:
        rows = gains_of(settings, dataset)
        csv_files.write(gains_file(settings, dataset), rows, GAINS)
        print(f"wrote {gains_file(settings, dataset)}")
        print(
            f"{dataset:26}{'part':12}{'classes':>8}{'frozen':>8}{'trained':>8}{'gain':>8}   95% interval, MAP@R in %"
        )
        for row in (dict(zip(GAINS, row)) for row in rows):
            clear = "" if row["clear"] == "yes" else "   holds zero: not shown to have learned"
            numbers = "".join(
                f"{100 * row[name]:8.2f}" for name in ("frozen_trunk", "trained", "gain")
            )
            interval = f"{100 * row['low']:6.2f} to {100 * row['high']:.2f}"
            print(
                f"{row['loss']:26}{row['part']:12}{row['n_classes']:8}{numbers}   {interval}{clear}"
            )
    print(
        "Looks and learning rates were chosen by validation classes, so gains on these are a little too large."
    )
    if settings.note:
        print(settings.note)
