"""How well networks retrieve test images of the right class: Precision@1, R-Precision and MAP@R."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped

from dml_analysis.config import Settings
from dml_analysis.datasets import image_digests, readers
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError, MissingFile
from dml_analysis.files import csv_files
from dml_analysis.files.array_files import Array
from dml_analysis.metrics.coordinates import ZeroEmbedding
from dml_analysis.networks.specifications import Network, code_of, networks_of, no_direction
from dml_analysis.seeds import described
from dml_analysis.store import ResultStore
from dml_analysis.views import View

MEASURES = ("precision_at_1", "r_precision", "mean_average_precision_at_r")
COLUMNS = {
    "loss": str, "dataset": str, "fold": int, "type": str, "n_images": int, "n_classes": int,
    **dict.fromkeys(MEASURES, csv_files.between(0, 1)),
}  # fmt: skip


def accuracies(
    embeddings: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"], distance: str
) -> dict[str, float]:
    """Return measure -> value, in [0, 1], by a distance's name; see retrieval_scores."""
    from dml_analysis.metrics.retrieval import retrieval_scores  # compiled code takes seconds

    scores = retrieval_scores(embeddings, labels, distance)
    return dict(zip(MEASURES, (scores.recall_at_1, scores.r_precision, scores.map_at_r)))


def csv_file(settings: Settings) -> Path:
    """Return the CSV file of all accuracies."""
    return settings.results / "reality_check" / "accuracy.csv"


def store_of(network: Network, samples: Sequence[Sample]) -> ResultStore:
    """Return the store of a network's accuracy on test images, a single row."""
    provenance = {
        "images": image_digests.described(network.records, samples),
        "classes": described([sample.label for sample in samples]),
        "distance": network.model.distance,
        **code_of(network.records, network.model.distance),
        **network.provenance(),
    }
    arrays = dict.fromkeys(("n_images", "n_classes"), Array("i8"))
    arrays |= dict.fromkeys(MEASURES, Array("f8", low=0, high=1))
    folder = network.records.results / "reality_check" / "accuracy" / network.path
    return ResultStore(folder, provenance, [[network.name]], arrays, network, network.labels)


def arrays_of(
    requests: Sequence[tuple[Network, bool]],
    samples: Sequence[Sample],
    batch_size: int,
    advance: Callable[[int], Any],
    measure: Callable[[Network, np.ndarray, np.ndarray], dict[str, Any]],
) -> list[dict[str, Any] | InputError]:
    """Return the result of measure(network, embeddings, labels) for each request.

    requests, advance: as for `embedded`. For a network with a zero embedding there is an
    InputError instead.
    """
    from dml_analysis.networks.embedding import embedded  # torch takes seconds to load

    labels = np.array([sample.label for sample in samples])
    arrays: list[dict[str, Any] | InputError] = []
    for (network, _), embeddings in zip(requests, embedded(requests, samples, batch_size, advance)):
        try:
            arrays.append(measure(network, embeddings, labels))
        except ZeroEmbedding as error:
            arrays.append(no_direction(network.name, readers.ids_of(samples), error))
    return arrays


def measure(
    network: Network, embeddings: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]
) -> dict[str, Any]:
    """Return the arrays of a network's store; see store_of."""
    scores = accuracies(embeddings, labels, network.model.distance)
    return {"n_images": [len(labels)], "n_classes": [len(set(labels.tolist()))]} | {
        name: [score] for name, score in scores.items()
    }


def views(settings: Settings) -> list[View]:
    """Return accuracy.csv of the complete run."""
    whole = settings.whole
    stores: list[ResultStore] = []
    for dataset in sorted(whole.datasets):
        networks = [n for n in networks_of(whole, dataset, whole.folds) if n.is_known()]
        networks.sort(key=lambda network: (whole.models.index(network.model), network.fold))
        try:
            samples = readers.load_samples(whole, dataset, "test")
            stores += [store_of(network, samples) for network in networks]
        except MissingFile:  # a dataset that was deleted, or is not there yet
            unchecked = [store_of(network, []) for network in networks]
            stores += [s._replace(provenance=s.recorded() or {}) for s in unchecked]
    return [View(csv_file(settings), COLUMNS, stores)]


def show(settings: Settings) -> None:
    """Print accuracy.csv, averaged over the folds."""
    print(
        "Neighbours by each model's distance. Those of Table 1 normalise embeddings, and all but "
        "SNR rank as cosine does."
    )
    print(summary(csv_files.read(csv_file(settings), COLUMNS, key=["loss", "dataset", "fold"])))
    if settings.note:
        print(settings.note)


def summary(table: pd.DataFrame) -> str:
    """Return one line per dataset and model: means of the measures over the folds, in percent."""
    lines = [f"{'dataset':14}{'model':26}{'folds':>6}{'P@1':>8}{'RP':>8}{'MAP@R':>8}"]
    for (dataset, name), rows in table.groupby(["dataset", "loss"], sort=False):
        means = "".join(f"{100 * rows[measure].mean():8.2f}" for measure in MEASURES)
        lines.append(f"{dataset:14}{name:26}{len(rows):6}{means}")
    return "\n".join(lines)
