"""Compute the saliency maps of every network on its dataset's test images.

Writes results/<settings>/saliency/maps/<dataset>/fold<k>/<loss>/block_<number>.npz. A run that was stopped goes on
where it was; several processes may compute the maps of a run together. Protocol "released" needs fold 0 only, so only
its maps are computed. With `keep_maps: false` the maps of all losses are compared as soon as a block of images has them
(saliency/per_image, see 2_compare_maps.py), and deleted, but for those that Figure 2 shows. --dry-run tells how much
there is to do and times one map, without writing anything.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # run from anywhere

import utils
from settings import run_record
from settings.reader import options_parser, settings_from


def main():
    options = options_parser(__doc__, dry_run=True).parse_args()
    settings = settings_from(options)
    settings.check_map_folds()
    from reality_check import datasets
    from report import workload
    from saliency import map_plan

    items = {dataset: datasets.mapped_items(settings, dataset) for dataset in settings.datasets}
    for some in items.values():
        datasets.check_images(some)
    run_record.check(settings)
    map_plan.check_begun(settings, items)
    if not settings.saliency.keep_maps and not options.dry_run:
        map_plan.discard_compared(settings, items)
    todo = map_plan.missing(settings, items)
    if not todo and (settings.saliency.keep_maps or not map_plan.uncompared(settings, items)):
        print("all maps are there already" if settings.saliency.keep_maps else "all maps have been compared already")
        return
    from saliency import compute_maps

    work = map_plan.workload(settings, todo)
    seconds = compute_maps.timed(settings, todo[0]) if options.dry_run and todo else ()
    print(workload.describe(work, settings.results, *seconds))
    if not options.dry_run:
        workload.check_room(work, settings.results)
        compute_maps.compute(settings, items, todo, __file__)


if __name__ == "__main__":
    utils.run_script(main)
