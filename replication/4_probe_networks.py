"""Probe the features and embeddings of all trainings: which properties can still be read off them?

Probes are judged on a car model that they have not seen (cross-validation over the six cars).

Reads: the checkpoints of settings/replication.yaml, the rendered cars.
Writes: results/<settings>/probes.csv.
Runtime: a forward pass of each image and a dozen ridge regressions for each training.
"""

from dml_analysis.errors import run_script
from dml_analysis.files import csv_files
from dml_analysis.networks.specifications import device_of, prepare
from dml_analysis.replication import probes
from dml_analysis.replication.trainings import check_sweep, over_seeds
from dml_analysis.scripts import start
from dml_analysis.todo import todo


def main():
    run = start(__doc__, __file__)
    work = []
    for settings in check_sweep(run.settings).variants:
        samples, properties, codes, folds = probes.images_codes_folds(settings)
        batch_size = settings.properties.batch_size
        for network in probes.networks_of(settings):
            store = probes.store_of(network, samples, properties, codes, folds)
            work.append(((network, samples, codes, folds, batch_size), [store]))

    def check(missing):
        prepare(each.subject[:2] for each in missing)

    def images(missing):
        return len(missing.subject[1])

    def device():
        return device_of(run.settings)

    for subject, chunk in todo(work, "probes", run, units=images, prepare=check, device=device):
        chunk.save(probes.probes(*subject, chunk.advance))

    table = over_seeds(run.settings.whole, probes.table_of)[list(probes.COLUMNS)]
    csv_files.write_table(probes.csv_file(run.settings), table)
    print(f"wrote {probes.csv_file(run.settings)}")


if __name__ == "__main__":
    run_script(main)
