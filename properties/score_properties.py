"""From embeddings to NR-Precision of every property, and from that to tests between the loss types."""

import time

import numpy as np
import pandas as pd
from tqdm import tqdm

import safe_files
import utils
from properties.embedding_files import chosen_cars, digest, read_embeddings
from properties.nr_precision import euclidean_coordinates, nr_precision, queries_at_once
from properties.score_files import SCORE_COLUMNS, read_scores
from properties.significance import ALTERNATIVES, mann_whitney
from reality_check.datasets import property_codes
from reality_check.network import device_of
from report import csv_tables
from report.workload import Workload
from settings import run_record
from utils import InputError

RAW_DISTANCE = "Euclidean, raw embeddings"
UNITS = ("loss_mean", "loss_fold")  # one observation per loss, or one per loss and fold
TEST_COLUMNS = "property unit alternative n_ranking n_classification u p_value ranking_mean classification_mean".split()


def score(settings, todo, script):
    """Score the networks of todo (see unscored), and write nr_precision.csv and mann_whitney.csv.

    The rows of networks scored before are kept.
    """
    file = utils.properties_file(settings, "nr_precision.csv")
    if todo:
        items, table = chosen_cars(settings)
        ids, codes = [item.image_id for item in items], property_codes(table)
        for (loss, fold), _ in todo:  # a bad file stops the run here, before the long work
            read_embeddings(utils.embeddings_file(settings, fold, loss), ids)
        device = float64_device(settings)
        run_record.note(settings, script, device)
        claims = safe_files.Claims(file.parent)
        for (loss, fold), made_of in tqdm(todo, desc="NR-Precision", unit="network"):
            if claims.take_cell(loss, settings.properties.networks, fold):  # or else another process is at it
                embeddings = read_embeddings(utils.embeddings_file(settings, fold, loss), ids)
                rows = score_rows(settings, loss, fold, embeddings, codes, device)
                with claims.held(0):
                    add(file, loss, fold, [row | {"embeddings": made_of} for row in rows])
    tests = utils.properties_file(settings, "mann_whitney.csv")
    csv_tables.write(tests, pd.DataFrame(test_rows(read_scores(file)), columns=TEST_COLUMNS))
    print(f"wrote {file} and {tests}")


def add(file, loss, fold, rows):
    """Put the rows of a network into nr_precision.csv, in the place of older ones."""
    scores = read_scores(file)
    others = scores[(scores.loss != loss.name) | (scores.fold != fold)]
    table = pd.DataFrame([*others.to_dict("records"), *rows], columns=SCORE_COLUMNS)
    csv_tables.write(file, csv_tables.ordered(table, ["fold", "loss"]))


def unscored(settings):
    """((loss, fold), digest of its embeddings) of the networks whose embeddings are there, but not the scores of these.

    Raises InputError if there are no embeddings at all.
    """
    cells = [(loss, fold) for loss in settings.losses for fold in settings.folds]
    files = {(loss.name, fold): utils.embeddings_file(settings, fold, loss) for loss, fold in cells}
    digests = {key: digest(file) for key, file in files.items() if file.is_file()}
    for loss, fold in cells:
        if (loss.name, fold) not in digests:
            print(f"{loss.name} fold {fold} has no embeddings and is left out")
    if not digests:
        raise InputError(f"{min(files.values()).parent}: no embeddings; run properties/2_embed_cars.py first")
    scores = read_scores(utils.properties_file(settings, "nr_precision.csv"))
    scored = dict(zip(zip(scores.loss, scores.fold), scores.embeddings))
    return [((loss, fold), digests[loss.name, fold]) for loss, fold in cells
            if (loss.name, fold) in digests and scored.get((loss.name, fold)) != digests[loss.name, fold]]  # fmt: skip


def float64_device(settings):
    """The name of the device that the settings ask for, or of the CPU if that one has no float64."""
    device = device_of(settings)
    return "cpu" if device.type == "mps" else str(device)


def score_rows(settings, loss, fold, embeddings, codes, device="cpu"):
    """One row of nr_precision.csv per property, for embeddings (n, d) and codes (n, k), by the settings' protocol."""
    rules = settings.rules
    distance = loss.distance if rules.own_distance else RAW_DISTANCE
    coordinates = euclidean_coordinates(embeddings, distance) if rules.own_distance else embeddings
    precision = nr_precision(coordinates, codes, rules.max_neighbors, device=device)
    return [
        dict(
            zip(
                SCORE_COLUMNS,
                (loss.name, loss.type, fold, prop.name, distance, rules.max_neighbors or "all", len(codes), *p),
            )
        )
        for prop, *p in zip(utils.PROPERTIES, precision.r_precision, precision.nr_precision)
    ]


def test_rows(scores):
    """Mann-Whitney tests of every property, for both units of observation and both alternatives.

    A property is left out where a type has no scores, or a score is NaN.
    """
    rows = []
    for prop in utils.PROPERTIES:
        of_property = scores[scores.property == prop.name]
        for unit in UNITS:
            ranking, classification = (observations(of_property, kind, unit) for kind in ("Ranking", "Classification"))
            if not len(ranking) or not len(classification) or ranking.isna().any() or classification.isna().any():
                continue
            for alternative in ALTERNATIVES:
                test = mann_whitney(ranking, classification, alternative)
                sizes, means = (len(ranking), len(classification)), (ranking.mean(), classification.mean())
                rows.append((prop.name, unit, alternative, *sizes, test.u, test.p_value, *means))
    return rows


def observations(scores, loss_type, unit):
    """The NR-Precisions of one loss type: one per loss and fold, or a mean over the folds per loss."""
    chosen = scores[scores.type == loss_type]
    return chosen.groupby("loss").nr_precision.mean() if unit == "loss_mean" else chosen.nr_precision


def workload(settings, todo):
    """How much there is to score."""
    images = len(chosen_cars(settings)[0]) if todo else 0
    disk = len(todo) * len(utils.PROPERTIES) * 200  # bytes a row
    return Workload("scores", len(todo), images, len(todo), "network", disk)


def timed(settings):
    """(seconds that a network's scores take, on which device): of one block of queries, times the blocks."""
    codes = property_codes(chosen_cars(settings)[1])
    embeddings = np.random.default_rng(0).standard_normal((len(codes), 128))
    block, device = np.arange(min(queries_at_once(len(codes)), len(codes))), float64_device(settings)
    begin = time.perf_counter()
    nr_precision(embeddings, codes, settings.rules.max_neighbors, block, device)
    return (time.perf_counter() - begin) * len(codes) / len(block), device
