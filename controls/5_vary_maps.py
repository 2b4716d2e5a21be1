"""Vary how maps are made: sigma, number of samples, base image and attribution method.

Reads: the networks' checkpoints, the maps that saliency/1_compute_maps.py has saved; for
needed_images_<dataset>.csv also the maps of 1_bound_maps.py.
Writes: results/<settings>/<protocol>/controls/maps, and variations_<dataset>.csv and
needed_images_<dataset>.csv. Nothing with `controls: vary: false`.
Runtime: as saliency/1_compute_maps.py for `controls: images`, once for each sigma, base image and
method.
"""

from dml_analysis.controls import map_ablations, noise_ceilings
from dml_analysis.errors import run_script
from dml_analysis.networks.specifications import device_of, prepare
from dml_analysis.saliency import saliency_maps
from dml_analysis.saliency.saliency_maps import MapMaker
from dml_analysis.scripts import start
from dml_analysis.todo import todo


def main():
    run = start(__doc__, __file__)
    work, files = [], []
    for settings in run.variants:
        if not settings.controls.vary:
            continue
        dataset = settings.shown_dataset
        samples = noise_ceilings.control_samples(settings, dataset)
        networks = map_ablations.ablated_networks(settings, dataset)
        saliency_maps.check_own_maps(settings, networks)
        maker = MapMaker(networks, settings)
        for network in networks:
            for _, alternatives in map_ablations.ablations_of(settings):
                stores = saliency_maps.stores_of(settings, network, samples, alternatives)
                work.append(((maker, network, samples), stores))
        for protocol in settings.protocols:
            files += map_ablations.views_of(settings.whole, protocol)
    if not work and not run.settings.controls.vary:
        return

    def check(missing):
        prepare(each.subject[1:] for each in missing)

    def device():
        return device_of(run.settings)

    for (maker, _, samples), chunk in todo(
        work, "varied maps", run, files, unit="map", prepare=check, device=device
    ):
        chunk.save(*maker.maps(chunk.stores, samples, chunk.rows, chunk.advance))


if __name__ == "__main__":
    run_script(main)
