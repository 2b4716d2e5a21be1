"""Where the networks' maps lie in rendered pictures, whose masks are known: per network, and tests between groups of models."""

from functools import cache, partial
from itertools import combinations

import numpy as np
import scipy.stats

from dml_analysis.datasets import masks, readers
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.methods import counted, groups
from dml_analysis.metrics.map_mass import REGIONS, located, region_shares
from dml_analysis.metrics.significance import mann_whitney
from dml_analysis.saliency import saliency_maps
from dml_analysis.stages import Stage
from dml_analysis.views import View

UNITS = ("images", "models")
REGION = csv_files.one_of(list(REGIONS))
SHARE = csv_files.between(0, 1)
COLUMNS = {"loss": str, "type": str, "dataset": str, "fold": int, "region": REGION, "n_images": int, "mass": SHARE,
           "highest": SHARE, "pixels": SHARE}  # fmt: skip
TESTS = {"measure": csv_files.one_of(["mass", "highest"]), "region": REGION, "unit": csv_files.one_of(UNITS), "group_a": str,
         "group_b": str, "n_a": int, "n_b": int, "mean_a": SHARE, "mean_b": SHARE, "difference": csv_files.between(-1, 1),
         "statistic": float, "p_value": SHARE}  # fmt: skip


def csv_file(settings, protocol, dataset):
    return settings.results / protocol.name / "causes" / f"regions_{dataset}.csv"


def tests_file(settings, protocol, dataset):
    return settings.results / protocol.name / "causes" / f"region_tests_{dataset}.csv"


def masks_of(items):
    """The mask (H, W) of each item's picture. Raises InputError if one is missing."""
    return [
        masks.read(item.path.parent.parent / "masks" / f"{item.path.stem}.png") for item in items
    ]


def has_masks(settings, dataset):
    """Whether the pictures of a dataset are rendered ones that come with masks."""
    folder = readers.found(settings.paths[dataset], dataset)
    return dataset in (readers.SYNTHETIC, readers.CARS) and (folder / "masks").is_dir()


def stage(settings):
    """No stores, as all of it takes seconds: views of the kept maps of all datasets that have masks."""
    settings.check_table_folds()
    with_masks = [dataset for dataset in settings.datasets if has_masks(settings, dataset)]
    if not with_masks:
        raise InputError(
            f"settings {settings.name!r}: no dataset has masks; only rendered cars do (data/README.md)"
        )
    views, found = [], []
    for dataset, protocol in (
        (dataset, protocol) for dataset in with_masks for protocol in settings.protocols
    ):
        stores = saliency_maps.own_stores(settings.whole, protocol, dataset)
        found += stores
        share = looker(saliency_maps.mapped_samples(settings, dataset))
        views.append(
            View(csv_file(settings, protocol, dataset), COLUMNS, stores, partial(rows_of, share))
        )
        views.append(
            View(
                tests_file(settings, protocol, dataset),
                TESTS,
                stores,
                partial(test_rows, share, settings),
            )
        )
    return Stage("locations of maps", "map", [], views, lacking=saliency_maps.incomplete(found))


def looker(items):
    """share(store): the Located of a store of maps of these items; each store is looked at once."""
    found = {}

    @cache
    def regions(number, crop):
        return [
            region_shares(mask, crop) for mask in masks_of(saliency_maps.chunks_of(items)[number])
        ]

    def share(store):
        if store.folder not in found:
            parts = range(len(store.chunks))
            some = [
                located(store.load(number)["maps"], regions(number, store.subject.network.crop))
                for number in parts
            ]
            found[store.folder] = type(some[0])(*map(np.concatenate, zip(*some)))
        return found[store.folder]

    return share


def rows_of(share, stores, columns):
    """A row for each network and region: means over the images."""
    for store in stores:
        found, labels = share(store), store.subject.network.labels
        means = [np.nanmean(each, axis=0) for each in found]
        for place, region in enumerate(REGIONS):
            n = int(np.isfinite(found.mass[:, place]).sum())
            yield [*labels.values(), region, n, *(mean[place] for mean in means)]


def test_rows(share, settings, stores, columns):
    """Of every two groups: whether one has more of its maps in a region."""
    found = {}
    for store in stores:
        found.setdefault(store.subject.network.model.name, []).append(share(store))
    for measure in ("mass", "highest"):
        # (models, images, regions), a model's folds averaged
        values = {
            model: np.mean([getattr(each, measure) for each in some], axis=0)
            for model, some in found.items()
        }
        by_group = {
            group: np.array(
                [
                    values[model.name]
                    for model in counted(settings.whole.models, group)
                    if model.name in values
                ]
            )
            for group in groups(settings.whole.models)
        }
        for a, b in combinations([name for name, some in by_group.items() if len(some)], 2):
            for place, region in enumerate(REGIONS):
                yield from _tests(
                    measure, region, a, b, by_group[a][..., place], by_group[b][..., place]
                )


def _tests(measure, region, a, b, of_a, of_b):
    """Rows of both units for a region; of_a, of_b: (models, images)."""
    images = of_a.mean(axis=0), of_b.mean(axis=0)
    seen = np.isfinite(images).all(axis=0)
    x, y = (each[seen] for each in images)
    test = scipy.stats.wilcoxon(x, y) if len(x) and (x != y).any() else None
    means = [float(each.mean()) for each in (x, y)] if len(x) else [np.nan, np.nan]
    statistic = (test.statistic, test.pvalue) if test else (np.nan, np.nan)
    yield [measure, region, "images", a, b, len(x), len(y), *means, means[0] - means[1], *statistic]
    x, y = (np.nanmean(each, axis=1) for each in (of_a, of_b))
    means = [float(each.mean()) for each in (x, y)]
    yield [
        measure,
        region,
        "models",
        a,
        b,
        len(x),
        len(y),
        *means,
        means[0] - means[1],
        *mann_whitney(x, y),
    ]
