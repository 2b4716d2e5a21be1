"""How well networks retrieve images of the right class from their test sets: the Reality Check's three measures."""

import torch
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN
from tqdm import tqdm

import safe_files
import utils
from reality_check import checkpoints, datasets
from reality_check.accuracy_file import MEASURES, add, check_rows, todo
from reality_check.checkpoint_files import note_made_with
from reality_check.embedding import SharedTrunk, by_trunk
from reality_check.images import check_header
from reality_check.network import device_of
from settings import run_record

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


def evaluate(settings, cells, file, script):
    """Evaluate the cells on their test sets, and add them to accuracy.csv as they are done."""
    device = device_of(settings)
    checkpoints.check_networks(settings, cells)
    names = dict.fromkeys(dataset for _, dataset, _ in cells)
    items = {dataset: datasets.load_items(settings, dataset, "test") for dataset in names}
    for each in items.values():
        datasets.check_images(each, check_header)
    check_rows(settings, file, items)
    run_record.note(settings, script, str(device))
    claims = safe_files.Claims(file.parent)
    groups = [group for dataset in items for group in by_trunk(settings, [c for c in cells if c[1] == dataset])]
    with tqdm(total=sum(len(items[group[0][1]]) for group in groups), desc="evaluating", unit="image") as bar:
        for group in groups:
            tested = items[group[0][1]]
            left = todo(settings, file)
            mine = [cell for cell in group if claims.take_cell(*cell) and cell in left]
            if not mine:
                bar.update(len(tested))
                continue
            rows = evaluate_group(settings, mine, tested, device, bar)
            with claims.held(0):  # another process may add rows of its own
                add(file, rows)


def evaluate_group(settings, group, tested, device, bar):
    """The rows of accuracy.csv of networks that share a trunk, on the tested items."""
    labels = [item.label for item in tested]
    embeddings = SharedTrunk.load(settings, group, device).embedded(tested, bar)
    for cell in group:
        note_made_with(utils.accuracy_note(settings, *cell), settings, *cell, tested)
    return [
        {"loss": loss.name, "dataset": dataset, "fold": fold, "type": loss.type, "n_images": len(labels),
         "n_classes": len(set(labels)), **accuracies(rows, labels)}
        for (loss, dataset, fold), rows in zip(group, embeddings)
    ]  # fmt: skip
