"""Embed the rendered cars with every network trained on the settings' `properties: networks` dataset.

Writes results/<settings>/properties/embeddings/<loss>_fold<k>.npy, (n, 128) float32, not normalised, and the ids of its
images beside it as .txt. Networks that share a trunk file share its forward pass. The features of the untrained trunk
of "None" are kept as untrained_trunk.npy. What is there is skipped; several processes may share the work. --dry-run tells
how much there is to do and times some images, without writing anything.
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
    run_record.check(settings)
    from properties import embedding_files

    cells = [(loss, settings.properties.networks, fold) for fold in settings.folds for loss in settings.losses]
    todo = [cell for cell in cells if not embedding_files.is_done(settings, *cell)]
    items = embedding_files.chosen_cars(settings)[0] if todo else None
    embedding_files.check_begun(settings, cells, items)
    if not options.dry_run:
        embedding_files.discard_joined(settings, cells)
    if not todo:
        print(f"all embeddings of {len(cells)} networks are there already")
        return
    from properties import embed_cars
    from report import workload

    work = embed_cars.workload(settings, todo, items)
    seconds = embed_cars.timed(settings, todo[0], items) if options.dry_run else ()
    print(workload.describe(work, settings.results, *seconds))
    if not options.dry_run:
        workload.check_room(work, settings.results)
        embed_cars.embed(settings, todo, items, __file__)


if __name__ == "__main__":
    utils.run_script(main)
