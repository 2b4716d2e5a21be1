"""Compare the saliency maps of all pairs of losses on the same images, by correlation and Jensen-Shannon divergence.

Writes results/<settings>/saliency/per_image/<dataset>_fold<k>/block_<number>.npz with the values of every image, and
pairs_<dataset>.csv with their means. Networks without maps are left out and named. A run that was stopped goes on where
it was; several processes may share the work. --dry-run tells how much there is to do and times a part, without writing
anything.
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
    run_record.check(settings)
    from report import workload
    from saliency import compare_maps

    if options.dry_run:
        work = compare_maps.workload(settings)
        seconds = compare_maps.timed(settings) if work.count else ()
        print(workload.describe(work, settings.results, *seconds))
    else:
        compare_maps.compare(settings, __file__)


if __name__ == "__main__":
    utils.run_script(main)
