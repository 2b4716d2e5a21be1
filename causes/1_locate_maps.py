"""Locate each saliency map: its share on the car, the ground and the backdrop.

Reads: the maps that saliency/1_compute_maps.py has saved, the masks of rendered cars. If maps are
missing, the exit status is 3.
Writes: results/<settings>/<protocol>/causes/regions_<dataset>.csv, a row per network and region,
and region_tests_<dataset>.csv, tests between groups of models.
Runtime: seconds.
"""

from itertools import product

from dml_analysis.causes import map_regions
from dml_analysis.errors import Unfinished, run_script
from dml_analysis.saliency import saliency_maps
from dml_analysis.scripts import start
from dml_analysis.views import write_all


def main():
    run = start(__doc__, __file__)
    files, maps = [], []
    for settings in run.variants:
        settings.check_table_folds()
        datasets = map_regions.datasets_with_masks(settings)
        for dataset, protocol in product(datasets, settings.protocols):
            samples = saliency_maps.mapped_samples(settings, dataset)
            stores = saliency_maps.own_stores(settings.whole, protocol, dataset)
            files += map_regions.views(settings, protocol, dataset, samples, stores)
            maps += stores
    write_all(files, run.options.dry_run)
    problem = saliency_maps.incomplete(maps)
    if problem and not run.options.dry_run:
        raise Unfinished(f"locations of maps: {problem}")


if __name__ == "__main__":
    run_script(main)
