"""Evaluate every network on its test set: Precision@1, R-Precision and MAP@R, by the distance of
its model.

No table of the paper needs these. They show that checkpoints and images were read correctly, and
how similarly the losses perform. Tied images count by the expectation over their orders.

Reads: the networks' checkpoints, the test images.
Writes: results/<settings>/reality_check/accuracy.csv, and prints it.
Runtime: a forward pass of each image for each trunk, then a distance matrix for each network.
"""

from dml_analysis.datasets import readers
from dml_analysis.errors import run_script
from dml_analysis.networks.specifications import by_trunk, device_of, networks_of, prepare
from dml_analysis.reality_check import accuracy
from dml_analysis.scripts import start
from dml_analysis.todo import todo


def main():
    run = start(__doc__, __file__)
    work, files = [], []
    for settings in run.variants:
        for dataset in settings.datasets:
            samples = readers.required_samples(settings, dataset, "test")
            for group in by_trunk(networks_of(settings, dataset, settings.folds)):
                stores = [accuracy.store_of(network, samples) for network in group]
                work.append(((samples, settings.properties.batch_size), stores))
        files += accuracy.views(settings)

    def check(missing):
        prepare((store.subject, each.subject[0]) for each in missing for store in each.in_stores())

    def images(missing):
        return len(missing.subject[0])

    def device():
        return device_of(run.settings)

    for (samples, batch_size), chunk in todo(
        work, "accuracies", run, files, units=images, prepare=check, device=device
    ):
        requests = [(store.subject, True) for store in chunk.stores]
        arrays = accuracy.arrays_of(requests, samples, batch_size, chunk.advance, accuracy.measure)
        chunk.save(*arrays)

    for settings in run.variants:
        accuracy.show(settings)


if __name__ == "__main__":
    run_script(main)
