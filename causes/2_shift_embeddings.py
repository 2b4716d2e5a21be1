"""Measure embedding shifts: how far embeddings move if one property of a car changes, or only noise.

Reads: the counterfactual sets (data/2_render_cars.py --counterfactuals, see docs/inputs.md), the
networks' checkpoints, and the scores of properties/3_score_properties.py.
Writes: results/<settings>/<protocol>/causes/embedding_shifts.csv, a row per network and property
and one for the renderer's noise, also with the share of the maps on changed pixels; and
shift_ranks.csv, correlations of shifts with NR-Precisions.
Runtime: a forward pass of each image for each trunk, and the maps of `causes: mapped_sets` images
for each network.
"""

from dml_analysis.causes import embedding_shifts as shifts
from dml_analysis.datasets import counterfactuals
from dml_analysis.errors import run_script
from dml_analysis.networks.specifications import by_trunk, device_of, prepare
from dml_analysis.properties import car_embeddings
from dml_analysis.saliency.saliency_maps import MapMaker
from dml_analysis.scripts import start
from dml_analysis.todo import todo
from dml_analysis.views import check_views


def main():
    run = start(__doc__, __file__)
    embeddings, maps, files = [], [], []
    for settings in run.variants:
        sets = shifts.sets_of(settings)
        samples, batch_size = counterfactuals.samples_of(sets), settings.properties.batch_size
        for group in by_trunk(shifts.networks_of_sets(settings)):
            stores = [car_embeddings.store_of(each, samples, shifts.EMBEDDINGS) for each in group]
            embeddings.append(((samples, batch_size), stores))
        bases = shifts.bases_of(sets[: settings.causes.mapped_sets])
        networks = shifts.mapped_networks(settings)
        maker = MapMaker(networks, settings)
        maps += [
            ((bases, maker), shifts.map_stores(settings, network, bases)) for network in networks
        ]
        files += shifts.views(settings)
    check_views(files)  # before the long work

    def check_embeddings(missing):
        prepare((store.subject, each.subject[0]) for each in missing for store in each.in_stores())

    def check_maps(missing):
        prepare((each.stores[0].subject.network, each.subject[0]) for each in missing)

    def device():
        return device_of(run.settings)

    for (samples, batch_size), chunk in todo(
        embeddings,
        "embeddings of counterfactual sets",
        run,
        prepare=check_embeddings,
        device=device,
        last=False,
    ):
        images = samples[chunk.rows]
        chunk.save(*car_embeddings.arrays_of(chunk.stores, images, batch_size, chunk.advance))

    for (bases, maker), chunk in todo(
        maps,
        "maps of counterfactual sets",
        run,
        files,
        unit="map",
        prepare=check_maps,
        device=device,
        optional=True,
    ):
        chunk.save(*maker.maps(chunk.stores, bases, chunk.rows, chunk.advance))

    for settings in run.variants:
        shifts.write_ranks(settings)


if __name__ == "__main__":
    run_script(main)
