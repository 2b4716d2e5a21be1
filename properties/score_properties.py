"""From embeddings to NR-Precision of every property, and from that to tests between the loss types."""

import pandas as pd
from tqdm import tqdm

import utils
from properties.embedding_files import chosen_cars, read_embeddings
from properties.nr_precision import euclidean_coordinates, nr_precision
from properties.score_files import SCORE_COLUMNS, read_scores
from properties.significance import ALTERNATIVES, mann_whitney
from reality_check.datasets import property_codes
from utils import InputError

RAW_DISTANCE = "Euclidean, raw embeddings"
UNITS = ("loss_mean", "loss_fold")  # one observation per loss, or one per loss and fold
TEST_COLUMNS = "property unit alternative n_ranking n_classification u p_value ranking_mean classification_mean".split()


def score(settings, script):
    """Write nr_precision.csv and mann_whitney.csv; the rows of networks scored before are kept."""
    file = utils.properties_file(settings, "nr_precision.csv")
    scores = read_scores(file)
    todo = unscored(settings, scores, file)
    if todo:
        items, table = chosen_cars(settings)
        ids, codes = [item.image_id for item in items], property_codes(table)
        for cell in todo:  # a bad file stops the run here, before the long work
            read_embeddings(utils.embeddings_file(settings, cell[1], cell[0]), ids)
        utils.record_run(settings, script)
        for loss, fold in tqdm(todo, desc="NR-Precision", unit="network"):
            embeddings = read_embeddings(utils.embeddings_file(settings, fold, loss), ids)
            others = scores[(scores.loss != loss.name) | (scores.fold != fold)]
            scores = pd.concat([others, pd.DataFrame(score_rows(settings, loss, fold, embeddings, codes))])
            with utils.written_aside(file) as aside:
                scores.to_csv(aside, index=False)
    tests = utils.properties_file(settings, "mann_whitney.csv")
    with utils.written_aside(tests) as aside:
        pd.DataFrame(test_rows(scores), columns=TEST_COLUMNS).to_csv(aside, index=False)
    print(f"wrote {file} and {tests}")


def unscored(settings, scores, file):
    """The (loss, fold) whose embeddings are there, but not their scores, or whose embeddings are newer."""
    cells = [(loss, fold) for loss in settings.losses for fold in settings.folds]
    embedded = [cell for cell in cells if utils.embeddings_file(settings, cell[1], cell[0]).is_file()]
    for loss, fold in cells:
        if (loss, fold) not in embedded:
            print(f"{loss.name} fold {fold} has no embeddings and is left out")
    if not embedded:
        folder = utils.embeddings_file(settings, *cells[0][::-1]).parent
        raise InputError(f"{folder}: no embeddings; run properties/2_embed_cars.py first")
    scored = set(zip(scores.loss, scores.fold))

    def is_current(loss, fold):
        made = utils.embeddings_file(settings, fold, loss).stat().st_mtime_ns
        return (loss.name, fold) in scored and made < file.stat().st_mtime_ns

    return [cell for cell in embedded if not is_current(*cell)]


def score_rows(settings, loss, fold, embeddings, codes):
    """One row of nr_precision.csv per property, for embeddings (n, d) and codes (n, k), by the settings' protocol."""
    rules = settings.rules
    distance = loss.distance if rules.own_distance else RAW_DISTANCE
    coordinates = euclidean_coordinates(embeddings, distance) if rules.own_distance else embeddings
    precision = nr_precision(coordinates, codes, rules.max_neighbors)
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
