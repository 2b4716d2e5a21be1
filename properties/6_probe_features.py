"""Probe the untrained trunk's features: how well can a linear classifier read each property?

An embedder trained on the frozen trunk, as in the demo, can use only what such a probe can read.
Each image is judged by a classifier that has not seen it (cross-validation over random fifths of the images).

Reads: the features that 2_embed_cars.py has saved with "None".
Writes: results/<settings>/properties/linear_probe.csv, and prints it.
Runtime: five ridge regressions.
"""

from dml_analysis.datasets.readers import properties_of
from dml_analysis.errors import InputError, run_script
from dml_analysis.properties import car_embeddings, trunk_probe
from dml_analysis.properties.property_scores import images_and_codes
from dml_analysis.scripts import start
from dml_analysis.todo import todo
from dml_analysis.views import View


def main():
    run = start(__doc__, __file__)
    work = []
    for settings in run.variants:
        samples, codes = images_and_codes(settings)
        properties = properties_of(settings)
        features = car_embeddings.features_store(settings, samples)
        if not features.is_complete():
            raise InputError(
                f"{features.folder}: not complete; run properties/2_embed_cars.py first"
            )
        store = trunk_probe.store_of(settings, features, properties, codes)
        work.append(((settings, features, properties, codes), [store]))

    for (settings, features, properties, codes), chunk in todo(work, "probes", run, unit="probe"):
        folder, array = settings.paths[settings.properties.dataset], car_embeddings.read(features)
        chunk.save(trunk_probe.probes(array, codes, properties, settings.seed, folder))

    for (settings, *_), (store,) in work:
        View(trunk_probe.csv_file(settings), trunk_probe.COLUMNS, [store]).write()
        trunk_probe.show(settings)


if __name__ == "__main__":
    run_script(main)
