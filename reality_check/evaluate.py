"""How well networks retrieve images of the right class from their test sets: the Reality Check's three measures."""

import pandas as pd
import torch
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN
from tqdm import tqdm

import utils
from reality_check import checkpoints, datasets
from reality_check.embedding import by_trunk, embedded
from reality_check.network import device_of
from utils import InputError

MEASURES = ("precision_at_1", "r_precision", "mean_average_precision_at_r")
KEY = ["loss", "dataset", "fold"]
COLUMNS = [*KEY, "type", "n_images", "n_classes", *MEASURES]
QUERIES_AT_ONCE = 1024


def accuracies(embeddings, labels):
    """Measure -> its value for embeddings (n, d) with class labels (n,), each image the query of all others.

    Neighbours are by cosine similarity, as the Reality Check tests on normalised embeddings; images alone in their class
    are no queries.
    """
    calculator = AccuracyCalculator(
        include=MEASURES,
        k="max_bin_count",
        knn_func=CustomKNN(CosineSimilarity(), batch_size=QUERIES_AT_ONCE),
        device=torch.device("cpu"),
    )
    return calculator.get_accuracy(torch.as_tensor(embeddings), torch.as_tensor(labels))


def todo(settings, file):
    """The cells (loss, dataset, fold) that have no row in accuracy.csv."""
    known = set(read(file)[KEY].itertuples(index=False, name=None))
    cells = [(loss, dataset, fold) for dataset in settings.datasets for loss in settings.losses
             for fold in settings.folds]  # fmt: skip
    return [cell for cell in cells if (cell[0].name, *cell[1:]) not in known]


def read(file):
    """accuracy.csv, without rows if it is not there yet."""
    if not file.is_file():
        return pd.DataFrame(columns=COLUMNS)
    table = pd.read_csv(file, keep_default_na=False)
    if list(table.columns) != COLUMNS:
        raise InputError(f"{file}: columns are {','.join(table.columns)}, expected {','.join(COLUMNS)}; delete it")
    return table


def evaluate(settings, cells, file, script):
    """Evaluate the cells on their test sets, and add them to accuracy.csv as they are done."""
    checkpoints.check_networks(settings, cells)
    items = {dataset: datasets.load_items(settings, dataset, "test") for _, dataset, _ in cells}
    for each in items.values():
        datasets.check_images(each)
    device = device_of(settings)
    utils.record_run(settings, script, str(device))
    groups = [group for dataset in items for group in by_trunk(settings, [c for c in cells if c[1] == dataset])]
    with tqdm(total=sum(len(items[group[0][1]]) for group in groups), desc="evaluating", unit="image") as bar:
        for group in groups:
            tested = items[group[0][1]]
            labels = [item.label for item in tested]
            embeddings, _ = embedded(settings, group, tested, device, bar)
            rows = [
                {"loss": loss.name, "dataset": dataset, "fold": fold, "type": loss.type, "n_images": len(labels),
                 "n_classes": len(set(labels)), **accuracies(rows, labels)}
                for (loss, dataset, fold), rows in zip(group, embeddings)
            ]  # fmt: skip
            add(file, rows)


def add(file, rows):
    """Add rows to accuracy.csv, sorted by dataset, loss (in the order of utils.LOSSES) and fold."""
    table = pd.DataFrame([*read(file).to_dict("records"), *rows], columns=COLUMNS)
    place = {loss.name: number for number, loss in enumerate(utils.LOSSES)}
    table = table.sort_values(["dataset", "loss", "fold"], key=lambda c: c.map(place) if c.name == "loss" else c)
    with utils.written_aside(file) as aside:
        table.to_csv(aside, index=False)


def summary(table):
    """One line per dataset and loss: the measures in percent, as mean over the folds."""
    lines = [f"{'dataset':14}{'loss':26}{'folds':>6}{'P@1':>8}{'RP':>8}{'MAP@R':>8}"]
    for (dataset, loss), rows in table.groupby(["dataset", "loss"], sort=False):
        means = "".join(f"{100 * rows[measure].mean():8.2f}" for measure in MEASURES)
        lines.append(f"{dataset:14}{loss:26}{len(rows):6}{means}")
    return "\n".join(lines)
