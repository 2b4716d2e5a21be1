"""From saliency maps to the similarity of every pair of losses: per image (.npz), then averaged (CSV)."""

import itertools

import numpy as np
import pandas as pd
from tqdm import tqdm

import utils
from saliency.map_files import MapFolder
from saliency.similarity import fisher_mean, fisher_std, jensen_shannon, pearson
from utils import InputError

IMAGES_AT_ONCE = 16  # 16 images x 15 losses in float64 are 100 MB


def compare(settings, script):
    """Write per_image/<dataset>_fold<k>.npz and pairs_<dataset>.csv for the settings' datasets.

    Raises InputError if a dataset has maps of no network at all.
    """
    for dataset in settings.datasets:
        tables = [pairs_of_fold(settings, dataset, fold, script) for fold in settings.map_folds]
        if all(table is None for table in tables):
            folder = utils.maps_folder(settings, dataset, settings.map_folds[0], settings.losses[0]).parents[1]
            raise InputError(f"{folder}: no saliency maps; run saliency/1_compute_maps.py first")
        file = utils.pairs_file(settings, dataset)
        table = pd.concat([kept_rows(file, settings.map_folds), *tables]).sort_values("fold", kind="stable")
        with utils.written_aside(file) as aside:
            table.to_csv(aside, index=False)
        print(f"wrote {file}")


def kept_rows(file, folds):
    """Rows of an earlier pairs file that belong to folds which this run leaves alone; None if there are none."""
    if not file.is_file():
        return None
    table = pd.read_csv(file, keep_default_na=False)
    return table[~table.fold.isin(folds)]


def pairs_of_fold(settings, dataset, fold, script):
    """The rows of pairs_<dataset>.csv for one fold; None if no network of the fold has maps."""
    folders = {}
    for loss in utils.LOSSES:  # also those that a narrowed run left out: an earlier run's pairs stay
        maps = MapFolder(utils.maps_folder(settings, dataset, fold, loss))
        if len(maps):
            folders[loss.name] = maps
        elif loss in settings.losses:
            print(f"{dataset} fold {fold}: {loss.name} has no maps and is left out")
    if not folders:
        return None
    file = utils.similarity_file(settings, dataset, fold)
    if not is_current(file, folders):
        utils.record_run(settings, script)
        write_similarity(file, folders, settings.rules.jsd_base, f"{dataset} fold {fold}")
    return averaged(file, dataset, fold)


def is_current(file, folders):
    """Whether the similarity file is newer than all maps and covers the same losses."""
    if not file.is_file():
        return False
    newest = max(block.stat().st_mtime_ns for maps in folders.values() for block in maps.files)
    with np.load(file) as values:
        return file.stat().st_mtime_ns > newest and values["losses"].tolist() == list(folders)


def write_similarity(file, folders, jsd_base, title):
    """Compare all pairs of networks on every image; arrays losses (l,), image_ids (n,), correlation and jsd (n, l, l).

    An image that a network has no map of is NaN for its pairs.
    """
    image_ids = list(dict.fromkeys(itertools.chain.from_iterable(maps.where for maps in folders.values())))
    correlation, jsd = (np.full((len(image_ids), len(folders), len(folders)), np.nan) for _ in range(2))
    with tqdm(total=len(image_ids), desc=f"comparing {title}", unit="image") as bar:
        for start in range(0, len(image_ids), IMAGES_AT_ONCE):
            some = slice(start, start + IMAGES_AT_ONCE)
            maps = stacked(folders, image_ids[some])
            correlation[some], jsd[some] = all_pairs(maps, jsd_base)
            bar.update(len(maps[0]))
    with utils.written_aside(file) as aside:
        np.savez(aside, losses=list(folders), image_ids=image_ids, correlation=correlation, jsd=jsd)


def stacked(folders, image_ids):
    """Maps (losses, images, H, W) in float64, joined by image id; NaN where a network has no map of an image."""
    shape = next(maps[i] for maps in folders.values() for i in image_ids if i in maps).shape
    missing = np.full(shape, np.nan)
    return np.array(
        [[maps[i] if i in maps else missing for i in image_ids] for maps in folders.values()], dtype=np.float64
    )


def all_pairs(maps, jsd_base):
    """(correlation, jsd), each (images, losses, losses), of maps (losses, images, H, W); symmetric, with diagonal."""
    losses, images = maps.shape[:2]
    correlation, jsd = np.empty((images, losses, losses)), np.empty((images, losses, losses))
    for a, b in itertools.combinations_with_replacement(range(losses), 2):
        correlation[:, a, b] = correlation[:, b, a] = pearson(maps[a], maps[b])
        jsd[:, a, b] = jsd[:, b, a] = jensen_shannon(maps[a], maps[b], jsd_base)
    return correlation, jsd


def averaged(file, dataset, fold):
    """One row per pair of losses, a loss with itself included: mean and std over the images, and their number."""
    with np.load(file) as values:
        losses, correlation, jsd = values["losses"].tolist(), values["correlation"], values["jsd"]
    rows = []
    for a, b in itertools.combinations_with_replacement(range(len(losses)), 2):
        r, divergence = correlation[:, a, b], jsd[:, a, b]
        known = ~np.isnan(r) & ~np.isnan(divergence)
        if known.any():
            mean_std = fisher_mean(r[known]), fisher_std(r[known]), divergence[known].mean(), divergence[known].std()
            rows.append((dataset, fold, losses[a], losses[b], int(known.sum()), *map(float, mean_std)))
    columns = "dataset fold loss_a loss_b n_images correlation_mean correlation_std jsd_mean jsd_std".split()
    return pd.DataFrame(rows, columns=columns)
