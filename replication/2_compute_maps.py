"""Compute the saliency maps of all trainings, each with two independent halves of the noise.

Reads: the checkpoints of settings/replication.yaml or replication_reached.yaml, the test images.
Writes: maps in results/<settings>/, in all folds and by both protocols.
Runtime: two maps of `saliency: images` images for each training.
"""

from dml_analysis.errors import run_script
from dml_analysis.networks.specifications import device_of, prepare
from dml_analysis.replication import map_measures
from dml_analysis.replication.trainings import check_sweep, dataset_of
from dml_analysis.saliency.saliency_maps import MapMaker, mapped_samples
from dml_analysis.scripts import start
from dml_analysis.todo import todo


def main():
    run = start(__doc__, __file__)
    work = []
    for settings in check_sweep(run.settings).variants:
        samples = mapped_samples(settings, dataset_of(settings))
        networks = map_measures.networks_with_maps(settings)
        maker = MapMaker(networks, settings)
        for network in networks:
            by_protocol = [
                map_measures.stores_of(settings, network, samples, protocol)
                for protocol in settings.protocols
            ]
            # Both protocols' maps come from the same gradients.
            for stores in zip(*by_protocol):
                work.append(((maker, network, samples), list(stores)))

    def check(missing):
        prepare(each.subject[1:] for each in missing)

    def device():
        return device_of(run.settings)

    for (maker, _, samples), chunk in todo(
        work, "maps", run, unit="map", prepare=check, device=device
    ):
        chunk.save(*maker.maps(chunk.stores, samples, chunk.rows, chunk.advance))


if __name__ == "__main__":
    run_script(main)
