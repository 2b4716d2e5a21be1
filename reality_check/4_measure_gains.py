"""Measure how much training improves on the trunk that it started from: MAP@R on validation and on
test classes.

Each improvement has a 95% interval by the bootstrap over classes.

Reads: the networks' checkpoints, the images of the validation and test classes.
Writes: results/<settings>/reality_check/classes_<dataset>.csv (one row per class) and
gains_<dataset>.csv, and prints the latter.
Runtime: a forward pass of each image for each trunk, then a distance matrix for each network.
"""

from dml_analysis.errors import run_script
from dml_analysis.networks.specifications import by_trunk, device_of, prepare
from dml_analysis.reality_check import improvements
from dml_analysis.reality_check.accuracy import arrays_of
from dml_analysis.scripts import start
from dml_analysis.todo import todo


def main():
    run = start(__doc__, __file__)
    work, files = [], []
    for settings in run.variants:
        for split, networks, samples in improvements.comparisons(settings):
            for group in by_trunk(networks):
                stores = [improvements.store_of(network, samples, split) for network in group]
                work.append(((samples, settings.properties.batch_size), stores))
        files += improvements.views(settings)

    def check(missing):
        prepare((store.subject, each.subject[0]) for each in missing for store in each.in_stores())

    def images(missing):
        return len(missing.subject[0])

    def device():
        return device_of(run.settings)

    for (samples, batch_size), chunk in todo(
        work, "accuracies of classes", run, files, units=images, prepare=check, device=device
    ):
        networks = [store.subject for store in chunk.stores]
        requests = [(network, not network.model.is_none) for network in networks]
        chunk.save(*arrays_of(requests, samples, batch_size, chunk.advance, improvements.measure))

    for settings in run.variants:
        improvements.show(settings)


if __name__ == "__main__":
    run_script(main)
