"""Where saliency maps are in rendered pictures with known masks, and tests between groups."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.stats
from jaxtyping import Float, Int

from dml_analysis.datasets import masks, readers
from dml_analysis.datasets.images import Crop
from dml_analysis.datasets.readers import Sample
from dml_analysis.errors import InputError
from dml_analysis.files import csv_files
from dml_analysis.methods import counted, groups
from dml_analysis.metrics.map_mass import REGIONS, Located, located, region_shares
from dml_analysis.metrics.significance import mann_whitney
from dml_analysis.paper import Model, Protocol
from dml_analysis.saliency import saliency_maps
from dml_analysis.store import ResultStore
from dml_analysis.views import View

if TYPE_CHECKING:
    from dml_analysis.config import Settings

UNITS = ("images", "models")
REGION = csv_files.one_of(list(REGIONS))
SHARE = csv_files.between(0, 1)
COLUMNS = {"loss": str, "type": str, "dataset": str, "fold": int, "region": REGION, "n_images": int, "mass": SHARE,
           "highest": SHARE, "pixels": SHARE}  # fmt: skip
TESTS = {"measure": csv_files.one_of(["mass", "highest"]), "region": REGION, "unit": csv_files.one_of(UNITS), "group_a": str,
         "group_b": str, "n_a": int, "n_b": int, "mean_a": SHARE, "mean_b": SHARE, "difference": csv_files.between(-1, 1),
         "statistic": float, "p_value": SHARE}  # fmt: skip


def csv_file(settings: "Settings", protocol: Protocol, dataset: str) -> Path:
    """Return the path of regions_<dataset>.csv."""
    return settings.results / protocol.name / "causes" / f"regions_{dataset}.csv"


def tests_file(settings: "Settings", protocol: Protocol, dataset: str) -> Path:
    """Return the path of region_tests_<dataset>.csv."""
    return settings.results / protocol.name / "causes" / f"region_tests_{dataset}.csv"


def masks_of(samples: Iterable[Sample]) -> list[Int[np.ndarray, "height width"]]:
    """Return the mask of each sample's picture. Raises InputError if one is missing."""
    folders = [(sample.path.parent.parent / "masks", sample.path.stem) for sample in samples]
    return [masks.read(folder / f"{stem}.png") for folder, stem in folders]


def has_masks(settings: "Settings", dataset: str) -> bool:
    """Return whether a dataset's pictures are rendered ones that come with masks."""
    folder = readers.found(settings.paths[dataset], dataset)
    return dataset in (readers.SYNTHETIC, readers.CARS) and (folder / "masks").is_dir()


def datasets_with_masks(settings: "Settings") -> list[str]:
    """Return the settings' datasets that have masks. Raises InputError if none has."""
    datasets = [dataset for dataset in settings.datasets if has_masks(settings, dataset)]
    if not datasets:
        raise InputError(
            f"settings {settings.name!r}: no dataset has masks; only rendered cars do "
            "(docs/inputs.md)"
        )
    return datasets


class Locator:
    """Compute the shares of a store's maps in each region, once for each store."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.chunks = saliency_maps.chunks_of(samples)
        self.located: dict[Path, Located] = {}
        self.regions: dict[tuple[int, Crop], Float[np.ndarray, "n 3 h w"]] = {}

    def __call__(self, store: ResultStore) -> Located:
        """Return the shares of the maps of a complete store."""
        if store.folder not in self.located:
            crop = store.subject.network.crop
            chunks = [
                located(store.load(number)["maps"], self._regions(number, crop))
                for number in range(len(store.chunks))
            ]
            self.located[store.folder] = Located(*map(np.concatenate, zip(*chunks)))
        return self.located[store.folder]

    def _regions(self, number: int, crop: Crop) -> Float[np.ndarray, "n 3 h w"]:
        if (number, crop) not in self.regions:
            shares = [region_shares(mask, crop) for mask in masks_of(self.chunks[number])]
            self.regions[number, crop] = np.stack(shares)
        return self.regions[number, crop]


def views(
    settings: "Settings",
    protocol: Protocol,
    dataset: str,
    samples: Sequence[Sample],
    stores: Sequence[ResultStore],
) -> list[View]:
    """Return both CSV files of a dataset, from the stores of the maps of these samples."""
    locate = Locator(samples)
    tests = partial(test_rows, locate, settings.whole.models)
    return [
        View(csv_file(settings, protocol, dataset), COLUMNS, stores, partial(rows_of, locate)),
        View(tests_file(settings, protocol, dataset), TESTS, stores, tests),
    ]


def rows_of(
    locate: Callable[[ResultStore], Located], stores: Sequence[ResultStore], _: dict[str, Any]
) -> Iterator[list]:
    """Yield a row for each network and region, with means over the images."""
    for store in stores:
        shares, labels = locate(store), store.subject.network.labels
        means = [np.nanmean(values, axis=0) for values in shares]
        counts = np.isfinite(shares.mass).sum(axis=0)
        for number, region in enumerate(REGIONS):
            values = (mean[number] for mean in means)
            yield [*labels.values(), region, int(counts[number]), *values]


def test_rows(
    locate: Callable[[ResultStore], Located],
    models: Sequence[Model],
    stores: Sequence[ResultStore],
    _: dict[str, Any],
) -> Iterator[list]:
    """Yield tests whether one of two groups has more of its maps in a region, for all pairs."""
    shares: dict[str, list[Located]] = {}
    for store in stores:
        shares.setdefault(store.subject.network.model.name, []).append(locate(store))
    members = {
        group: [model.name for model in counted(models, group) if model.name in shares]
        for group in groups(models)
    }
    for measure in ("mass", "highest"):
        # Averaged over a model's folds, (images, regions)
        means = {
            name: np.mean([getattr(fold, measure) for fold in folds], axis=0)
            for name, folds in shares.items()
        }
        for a, b in combinations([group for group, names in members.items() if names], 2):
            values = [np.array([means[name] for name in members[group]]) for group in (a, b)]
            for number, region in enumerate(REGIONS):
                x, y = (group_values[..., number] for group_values in values)
                yield [measure, region, "images", a, b, *_test_on_images(x, y)]
                yield [measure, region, "models", a, b, *_test_on_models(x, y)]


def _test_on_images(
    a: Float[np.ndarray, "models_a n"], b: Float[np.ndarray, "models_b n"]
) -> list[Any]:
    """Return the rest of a row of TESTS: Wilcoxon's signed-rank test of the groups' means."""
    means = np.array([a.mean(axis=0), b.mean(axis=0)])
    x, y = means[:, np.isfinite(means).all(axis=0)]
    test = scipy.stats.wilcoxon(x, y) if len(x) and (x != y).any() else None
    return _row(x, y, *((test.statistic, test.pvalue) if test else (np.nan, np.nan)))


def _test_on_models(
    a: Float[np.ndarray, "models_a n"], b: Float[np.ndarray, "models_b n"]
) -> list[Any]:
    """Return the rest of a row of TESTS: the Mann-Whitney test of the models' means."""
    x, y = np.nanmean(a, axis=1), np.nanmean(b, axis=1)
    return _row(x, y, *mann_whitney(x, y))


def _row(
    x: Float[np.ndarray, " a"], y: Float[np.ndarray, " b"], statistic: float, p_value: float
) -> list[Any]:
    means = [float(values.mean()) if len(values) else np.nan for values in (x, y)]
    return [len(x), len(y), *means, means[0] - means[1], statistic, p_value]
