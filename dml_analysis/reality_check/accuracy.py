"""How well networks retrieve images of the right class from their test sets: Precision@1, R-Precision and MAP@R."""

from functools import partial
from itertools import chain

from dml_analysis.datasets import image_digests, readers
from dml_analysis.errors import MissingFile
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.coordinates import ZeroEmbedding
from dml_analysis.networks.specifications import (
    by_trunk,
    code_of,
    network_stage,
    networks_of,
    no_direction,
)
from dml_analysis.seeds import described
from dml_analysis.stages import Job
from dml_analysis.store import ResultStore
from dml_analysis.views import View

MEASURES = ("precision_at_1", "r_precision", "mean_average_precision_at_r")
COLUMNS = {"loss": str, "dataset": str, "fold": int, "type": str, "n_images": int, "n_classes": int,
           **dict.fromkeys(MEASURES, csv_files.between(0, 1))}  # fmt: skip


def accuracies(embeddings, labels, distance):
    """Return measure -> value for embeddings (n, d) with class labels (n,); see retrieval_scores."""
    from dml_analysis.metrics.retrieval import (
        retrieval_scores,
    )  # compiled code takes seconds to load

    found = retrieval_scores(embeddings, labels, distance)
    return dict(zip(MEASURES, (found.recall_at_1, found.r_precision, found.map_at_r)))


def csv_file(settings):
    return settings.results / "reality_check" / "accuracy.csv"


def store_of(network, items):
    """The accuracy of one network, in a single row."""
    classes = [item.label for item in items]
    provenance = {
        "images": image_digests.described(network.records, items),
        "classes": described(classes),
        "distance": network.model.distance,
        **code_of(network.records, network.model.distance),
        **network.provenance(),
    }
    arrays = {
        "n_images": Array("i8"),
        "n_classes": Array("i8"),
        **dict.fromkeys(MEASURES, Array("f8", low=0, high=1)),
    }
    folder = network.settings.results / "reality_check" / "accuracy" / network.path
    return ResultStore(folder, provenance, [[network.name]], arrays, network, network.labels)


def stage(settings):
    """The accuracy of all networks, each on the test images of its dataset."""
    items = {
        dataset: readers.some_items(settings, dataset, "test") for dataset in settings.datasets
    }
    tested = {dataset: networks_of(settings, dataset, settings.folds) for dataset in items}
    jobs = [
        Job([store_of(each, items[name]) for each in group], partial(make, settings, items[name]), len(items[name]))
        for name in items for group in by_trunk(tested[name])
    ]  # fmt: skip
    networks = chain(*tested.values())
    return network_stage(
        "accuracies",
        "image",
        jobs,
        networks,
        items.values(),
        lambda store: [store.subject],
        views=views(settings),
    )


def make(settings, items, stores, number, tick):
    """The accuracies of networks that share a trunk; see Job.make."""
    from dml_analysis.networks.embedding import embedded

    wanted = [(store.subject, True) for store in stores]
    arrays = embedded(wanted, items, settings.properties.batch_size, tick)
    labels = [item.label for item in items]
    sizes, found = {"n_images": [len(labels)], "n_classes": [len(set(labels))]}, []
    for store, embeddings in zip(stores, arrays):
        try:
            values = accuracies(embeddings, labels, store.subject.model.distance)
        except ZeroEmbedding as error:
            found.append(no_direction(store.subject.name, items, error))
        else:
            found.append(sizes | {measure: [value] for measure, value in values.items()})
    return found


def views(settings):
    """accuracy.csv, of the whole run."""
    whole, stores = settings.whole, []
    for dataset in sorted(whole.datasets):
        known = [
            network for network in networks_of(whole, dataset, whole.folds) if network.is_known()
        ]
        known.sort(key=lambda network: (whole.models.index(network.model), network.fold))
        try:
            items = readers.load_items(whole, dataset, "test")
            stores += [store_of(network, items) for network in known]
        except MissingFile:  # a dataset that is gone, or has not come yet
            some = [store_of(network, []) for network in known]
            stores += [store._replace(provenance=store.recorded() or {}) for store in some]
    return [View(csv_file(settings), COLUMNS, stores)]


def show(settings):
    """Print accuracy.csv, averaged over the folds."""
    print(
        "Neighbours by each model's distance. Those of Table 1 normalise embeddings, and all but SNR rank as cosine does."
    )
    print(summary(csv_files.read(csv_file(settings), COLUMNS, key=["loss", "dataset", "fold"])))
    if settings.note:
        print(settings.note)


def summary(table):
    """One line per dataset and model: the measures in percent, as mean over the folds."""
    lines = [f"{'dataset':14}{'model':26}{'folds':>6}{'P@1':>8}{'RP':>8}{'MAP@R':>8}"]
    for (dataset, name), rows in table.groupby(["dataset", "loss"], sort=False):
        means = "".join(f"{100 * rows[measure].mean():8.2f}" for measure in MEASURES)
        lines.append(f"{dataset:14}{name:26}{len(rows):6}{means}")
    return "\n".join(lines)
