"""What training has gained: MAP@R on the validation classes, of networks and of the trunk that all of them began with.

Both on the same images, class by class, so that a gain has an interval: by the bootstrap over validation classes.
"""

from functools import partial

import numpy as np
import pandas as pd

from common import csv_files
from common.array_files import Array
from common.seeds import derived_seed, described
from common.shelf import Job, Shelf, View
from data import contents, datasets
from reality_check.networks import ALL_FOLDS, by_trunk, network_stage, networks_of

RESAMPLES = 10_000
LEVEL = 0.95
START = "frozen trunk"  # in the place of a model: the features of the trunk that "None" has
SHARE = csv_files.between(0, 1)
CLASSES = {"loss": str, "type": str, "dataset": str, "fold": int, "class": int, "n_images": int, "map_at_r": SHARE}
GAINS = {"loss": str, "type": str, "dataset": str, "n_folds": int, "n_classes": int, "frozen_trunk": SHARE,
         "trained": SHARE, "gain": float, "low": float, "high": float, "clear": csv_files.one_of(["yes", "no"])}  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Maths.
# ---------------------------------------------------------------------------------------------------------------------
def map_at_r_of_classes(embeddings, labels):
    """MAP@R of each class that has two images or more, as its images' mean, in the order of their labels.

    embeddings (n, d), labels (n,); each image is the query of all others, neighbours are by cosine similarity.
    """
    import torch  # it takes seconds to load
    from pytorch_metric_learning.distances import CosineSimilarity
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    from pytorch_metric_learning.utils.inference import CustomKNN

    name, knn = "mean_average_precision_at_r", CustomKNN(CosineSimilarity(), batch_size=1024)
    calculator = AccuracyCalculator((name,), k="max_bin_count", knn_func=knn, return_per_class=True,
                                    device=torch.device("cpu"))  # fmt: skip
    return np.array(calculator.get_accuracy(torch.as_tensor(embeddings), torch.as_tensor(labels))[name])


def bootstrap_interval(values, seed, resamples=RESAMPLES, level=LEVEL):
    """(low, high) of the mean of values (n,), by percentiles of the means of samples drawn from them with replacement."""
    values, rng = np.asarray(values, dtype=float), np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (resamples, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


# ---------------------------------------------------------------------------------------------------------------------
# The stage.
# ---------------------------------------------------------------------------------------------------------------------
def items_of(settings, dataset, fold):
    """The validation images of a fold of classes that have two of them or more."""
    items = datasets.some_items(settings, dataset, "validation", fold)
    counts = pd.Series([item.label for item in items]).value_counts()
    return [item for item in items if counts[item.label] > 1]


def shelf_of(network, items, features=False):
    """MAP@R of a network on its fold's validation images, a row for each class; features: of its trunk's features instead."""
    labels = [item.label for item in items]
    made_of = {"images": contents.described(network.settings, items), "classes": described(labels), **network.made_of()}
    if features:
        del made_of["embedder"]
    name = START if features else network.model.name
    labels_of_rows = network.labels | {"loss": name} | ({"type": START} if features else {})
    path = network.path.with_name("_frozen_trunk") if features else network.path
    folder = network.settings.results / "reality_check" / "validation" / path
    arrays = {"map_at_r": Array("f8", low=0, high=1), "n_images": Array("i8")}
    rows = [str(label) for label in sorted(set(labels))]
    return Shelf(folder, made_of, [rows], arrays, network, labels_of_rows)


def _networks(settings):
    """(dataset, fold) -> its networks that have a fold's validation classes to themselves."""
    return {
        (dataset, fold): [each for each in networks_of(settings, dataset, [fold]) if each.fold != ALL_FOLDS]
        for dataset in settings.datasets
        for fold in settings.folds
    }


def _shelves(networks, items):
    """The shelves of networks that share a trunk; if that is the untrained one, its features' instead."""
    return [shelf_of(network, items, network.model.is_none) for network in networks]


def stage(settings):
    """The MAP@R of all networks on the validation classes of their fold, class by class."""
    items = {place: items_of(settings, *place) for place in _networks(settings)}
    jobs = [Job(_shelves(group, items[place]), partial(make, settings, items[place]), len(items[place]))
            for place, networks in _networks(settings).items() for group in by_trunk(networks)]  # fmt: skip
    networks = [network for some in _networks(settings).values() for network in some]
    return network_stage("validation accuracies", "image", jobs, networks, list(items.values()),
                         lambda shelf: [shelf.of], views=[_view(settings)])  # fmt: skip


def make(settings, items, shelves, number, tick):
    """The accuracies of networks that share a trunk; see Job.make."""
    from reality_check.embedding import embedded

    wanted = [(shelf.of, not shelf.of.model.is_none) for shelf in shelves]
    arrays = embedded(wanted, items, settings.properties.batch_size, tick)
    labels = np.array([item.label for item in items])
    counts = np.unique(labels, return_counts=True)[1]
    return [{"map_at_r": map_at_r_of_classes(array, labels), "n_images": counts} for array in arrays]


def _view(settings):
    whole = settings.whole
    shelves = [shelf for place, networks in _networks(whole).items()
               for shelf in _shelves([each for each in networks if each.is_known()], items_of(whole, *place))]  # fmt: skip
    return View(classes_file(settings), CLASSES, shelves, _rows)


def _rows(shelves, columns):
    for shelf in shelves:
        arrays = shelf.read()
        for place, row in enumerate(shelf.rows):
            values = shelf.labels | {"class": row} | {name: array[place] for name, array in arrays.items()}
            yield [values[column] for column in columns]


# ---------------------------------------------------------------------------------------------------------------------
# gains.csv
# ---------------------------------------------------------------------------------------------------------------------
def classes_file(settings):
    return settings.results / "reality_check" / "validation.csv"


def gains_file(settings):
    return settings.results / "reality_check" / "gains.csv"


def gains(table, seed):
    """A row of GAINS for every trained model and dataset of a table of CLASSES that has the frozen trunk's too.

    A gain is the mean over the validation classes of all folds; it is clear if its interval is above zero.
    """
    key, rows = ["dataset", "fold", "class"], []
    start = table[table.loss == START].set_index(key).map_at_r
    for (dataset, loss), some in table[table.loss != START].groupby(["dataset", "loss"], sort=False):
        pairs = some.join(start.rename("start"), on=key).dropna()
        if pairs.empty:
            continue
        gain = pairs.map_at_r - pairs.start
        low, high = bootstrap_interval(gain, derived_seed(seed, "bootstrap of gains", dataset, loss))
        rows.append((loss, some.type.iloc[0], dataset, pairs.fold.nunique(), len(pairs), pairs.start.mean(),
                     pairs.map_at_r.mean(), gain.mean(), low, high, "yes" if low > 0 else "no"))  # fmt: skip
    return rows


def show(settings):
    """Write gains.csv, and print it."""
    table = csv_files.read(classes_file(settings), CLASSES, key=["loss", "dataset", "fold", "class"])
    csv_files.write(gains_file(settings), gains(table, settings.seed), GAINS)
    print(f"wrote {gains_file(settings)}")
    print(f"{'dataset':15}{'model':26}{'classes':>8}{'frozen':>8}{'trained':>8}{'gain':>8}   95% interval")
    for row in csv_files.read_rows(gains_file(settings), GAINS):
        clear = "" if row["clear"] == "yes" else "   holds zero: not shown to have learned"
        numbers = "".join(f"{100 * row[name]:8.2f}" for name in ("frozen_trunk", "trained", "gain"))
        interval = f"{100 * row['low']:6.2f} to {100 * row['high']:.2f}"
        print(f"{row['dataset']:15}{row['loss']:26}{row['n_classes']:8}{numbers}   {interval}{clear}")
    if settings.note:
        print(settings.note)
