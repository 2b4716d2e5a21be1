"""Probe the untrained trunk's features: how well can a linear classifier read each property?

An embedder trained on the frozen trunk, as in the demo, can use only what such a probe can read.
Each image is judged by a classifier that has not seen it (cross-validation over images).

Reads: the features that 2_embed_cars.py has saved with "None".
Writes: results/<settings>/properties/linear_probe.csv, and prints it.
Runtime: a ridge regression for each property.
"""

from dml_analysis.datasets.readers import properties_of
from dml_analysis.errors import InputError, run_script
from dml_analysis.properties import car_embeddings, linear_probe
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
        store = linear_probe.store_of(settings, features, properties, codes)
        work.append(((settings, features, properties, codes), [store]))

    for (settings, features, properties, codes), chunk in todo(work, "probes", run, unit="probe"):
        number, folder = chunk.number, settings.paths[settings.properties.dataset]
        arrays = car_embeddings.read(features), codes[:, number]
        chunk.save(linear_probe.probe(*arrays, properties[number], settings.seed, folder))

    for (settings, *_), (store,) in work:
        View(linear_probe.csv_file(settings), linear_probe.COLUMNS, [store]).write()
        linear_probe.show(settings)


if __name__ == "__main__":
    run_script(main)
