"""Compute the saliency maps of every network on its dataset's test images.

With `keep_maps: false` the maps of all models are compared as soon as a chunk of the images has
them, as 2_compare_maps.py does, and deleted, except those that Figure 2 shows.

Reads: the networks' checkpoints, the test images of each dataset.
Writes: results/<settings>/<protocol>/saliency/maps/<dataset>/fold<k>/<model>. Protocol "released"
needs fold 0 only.
Runtime: gradients at `saliency: noise_samples` copies of each image for each network; several
protocols share them.
"""

from itertools import groupby

from dml_analysis.errors import run_script
from dml_analysis.networks.specifications import device_of, prepare
from dml_analysis.saliency import map_comparisons, saliency_maps
from dml_analysis.saliency.map_comparisons import comparisons_of
from dml_analysis.saliency.saliency_maps import (
    SHOWN_IMAGES,
    MapMaker,
    mapped_samples,
    networks_with_maps,
)
from dml_analysis.scripts import start
from dml_analysis.todo import todo

HINT = "; with `saliency: keep_maps: false` maps are deleted once compared"


def main():
    run = start(__doc__, __file__)
    if run.settings.saliency.keep_maps:
        compute(run)
    else:
        compute_and_compare(run)


def compute(run):
    """Compute the maps network by network, and keep them."""
    work, new_chunks = [], []
    for settings in run.variants:
        samples = {each: mapped_samples(settings, each) for each in settings.datasets}
        networks = networks_with_maps(settings, settings.datasets)
        maker = MapMaker(networks, settings)
        for network in networks:
            stores = saliency_maps.stores_of(settings, network, samples[network.dataset])
            work.append(((maker, network, samples[network.dataset]), stores))

    def check(missing):
        prepare(each.subject[1:] for each in missing)
        new_chunks.extend((store, each.number) for each in missing for store in each.in_stores())

    def device():
        return device_of(run.settings)

    for (maker, _, samples), chunk in todo(
        work, "saliency maps", run, unit="map", prepare=check, device=device, hint=HINT
    ):
        chunk.save(*maker.maps(chunk.stores, samples, chunk.rows, chunk.advance))

    saliency_maps.report_constant_maps(new_chunks)


def compute_and_compare(run):
    """Compute the maps of all models chunk by chunk, compare them and delete them."""
    work, files, extra_bytes = [], [], 0
    for settings in run.variants:
        names = [model.name for model in settings.models if not model.embeddings]
        networks = networks_with_maps(settings, settings.datasets)
        maker = MapMaker(networks, settings, remembered=len(names))
        for network in networks:
            network.provenance()  # raises MissingFile if a checkpoint is missing
        by_fold = groupby(comparisons_of(settings), lambda each: (each.dataset, each.fold))
        groups = [list(group) for _, group in by_fold]  # of comparisons that differ in protocol
        for comparisons in groups:
            stores = [comparison.store_of(names) for comparison in comparisons]
            work.append(((settings, maker, names, comparisons[0]), stores))
        # Maps that figures show, of one fold, and those of a chunk while it is compared
        map_stores = [comparison.maps[name] for comparison in groups[0] for name in names]
        extra_bytes += (SHOWN_IMAGES + 1) * sum(store.bytes(0) for store in map_stores)
        files += map_comparisons.views(settings)

    def check(missing):
        prepare(
            (comparison.maps[name].subject.network, comparison.samples)
            for _, _, names, comparison in (each.subject for each in missing)
            for name in names
        )

    def device():
        return device_of(run.settings)

    def n_maps(missing):
        return missing.size * len(missing.subject[2])

    for (settings, maker, names, first), chunk in todo(
        work, "compared saliency maps", run, files, unit="map", units=n_maps, prepare=check,
        device=device, extra_bytes=extra_bytes,
    ):  # fmt: skip
        comparisons = [store.subject for store in chunk.stores]
        maps = [
            map_comparisons.maps_by_protocol(
                maker, chunk, [each.maps[name] for each in comparisons], first.samples
            )
            for name in names
        ]
        arrays = [
            map_comparisons.compared(comparison, names, of_protocol, chunk.rows)
            for comparison, of_protocol in zip(comparisons, zip(*maps))
        ]
        for comparison in comparisons:
            shown = settings.whole.shown_dataset
            map_comparisons.discard_maps(comparison, names, chunk.number, shown)
        chunk.save(*arrays)  # last, so that a run stopped before does not leave maps behind

    for settings in run.variants:
        map_comparisons.report_constant_maps(settings)


if __name__ == "__main__":
    run_script(main)
