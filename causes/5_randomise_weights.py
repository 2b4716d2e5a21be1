"""Make weights random, layer by layer from the last one on: do saliency maps change?

Reads: the networks' checkpoints, the maps that saliency/1_compute_maps.py has saved.
Writes: results/<settings>/<protocol>/controls/maps, and causes/randomization_<dataset>.csv.
Runtime: as saliency/1_compute_maps.py for `causes: randomised_images`, five times.
"""

from dml_analysis.causes import weight_randomization
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
        samples = weight_randomization.randomised_samples(settings)
        networks = weight_randomization.randomised_networks(settings.whole)
        saliency_maps.check_own_maps(settings, networks)
        maker = MapMaker(networks, settings)
        for network in networks:
            for map_settings in weight_randomization.MAP_SETTINGS:
                stores = saliency_maps.stores_of(settings, network, samples, [map_settings])
                work.append(((maker, network, samples), stores))
        for protocol in settings.protocols:
            files.append(weight_randomization.view_of(settings, networks, protocol))

    def check(missing):
        prepare(each.subject[1:] for each in missing)

    def device():
        return device_of(run.settings)

    for (maker, _, samples), chunk in todo(
        work, "maps of random weights", run, files, unit="map", prepare=check, device=device
    ):
        chunk.save(*maker.maps(chunk.stores, samples, chunk.rows, chunk.advance))


if __name__ == "__main__":
    run_script(main)
