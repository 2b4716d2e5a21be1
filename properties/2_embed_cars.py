"""Embed the images of `properties: dataset` with every network trained on `properties: networks`.

Reads: the networks' checkpoints, the images: rendered cars, or your own (docs/own_properties.md).
Writes: results/<settings>/properties/embeddings/<dataset>/fold<k>/<model>, not normalised, and
properties/features, of the untrained trunk of "None".
Runtime: a forward pass of each image for each trunk; networks that share a trunk share its pass.
"""

from dml_analysis.datasets.readers import property_images
from dml_analysis.errors import run_script
from dml_analysis.networks.specifications import by_trunk, device_of, prepare
from dml_analysis.properties.car_embeddings import arrays_of, embedding_networks, stores_of
from dml_analysis.scripts import start
from dml_analysis.todo import todo


def main():
    run = start(__doc__, __file__)
    work = []
    for settings in run.variants:
        samples, _ = property_images(settings)
        groups = by_trunk(embedding_networks(settings))
        work += [
            ((group, samples, settings.properties.batch_size), stores_of(group, samples))
            for group in groups
        ]

    def check(missing):
        prepare((store.subject, each.subject[1]) for each in missing for store in each.in_stores())

    def device():
        return device_of(run.settings)

    for (_, samples, batch_size), chunk in todo(
        work, "embeddings", run, prepare=check, device=device
    ):
        chunk.save(*arrays_of(chunk.stores, samples[chunk.rows], batch_size, chunk.advance))


if __name__ == "__main__":
    run_script(main)
