"""Bound the similarity of maps: noise ceilings, the same loss in other folds, random weights.

Reads: the networks' checkpoints, the maps that saliency/1_compute_maps.py has saved.
Writes: results/<settings>/<protocol>/controls/maps, maps of some images under other noise and of
random weights, and bounds_<dataset>.csv and folds_against_losses_<dataset>.csv.
Runtime: as saliency/1_compute_maps.py for `controls: images` of each dataset, at most twice.
"""

from dml_analysis.controls import noise_ceilings
from dml_analysis.errors import run_script
from dml_analysis.networks.specifications import device_of, prepare
from dml_analysis.saliency import saliency_maps
from dml_analysis.saliency.saliency_maps import MapMaker, networks_with_maps
from dml_analysis.scripts import start
from dml_analysis.todo import todo


def main():
    run = start(__doc__, __file__)
    work, files = [], []
    for settings in run.variants:
        saliency_maps.check_own_maps(settings, networks_with_maps(settings, settings.datasets))
        for dataset in settings.datasets:
            networks = networks_with_maps(settings, [dataset])
            maker = MapMaker(networks, settings)
            samples = noise_ceilings.control_samples(settings, dataset)
            alternatives = noise_ceilings.noise_settings(settings)
            for network in networks:
                stores = saliency_maps.stores_of(settings, network, samples, alternatives)
                work.append(((maker, network, samples), stores))
            network = noise_ceilings.random_network(networks)
            for map_settings in noise_ceilings.random_settings(settings):
                stores = [
                    saliency_maps.store_of(settings, network, protocol, samples, map_settings)
                    for protocol in settings.protocols
                ]
                work.append(((maker, network, samples), stores))
            for protocol in settings.protocols:
                files += noise_ceilings.views_of(settings.whole, protocol, dataset)

    def check(missing):
        prepare(each.subject[1:] for each in missing)

    def device():
        return device_of(run.settings)

    for (maker, _, samples), chunk in todo(
        work, "maps of controls", run, files, unit="map", prepare=check, device=device
    ):
        chunk.save(*maker.maps(chunk.stores, samples, chunk.rows, chunk.advance))


if __name__ == "__main__":
    run_script(main)
