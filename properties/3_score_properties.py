"""Score how embeddings cluster by every property of their images, and test between groups.

Reads: the embeddings that 2_embed_cars.py has saved. Networks without embeddings are left out and
named, and the exit status is 3. Networks with a zero embedding, which has no direction, are named
at the end, with exit status 1.
Writes: results/<settings>/<protocol>/properties/nr_precision.csv, a row per model, fold and
property, and mann_whitney.csv, tests between each two groups of models.
Runtime: a distance matrix of all images for each network.
"""

from dml_analysis.datasets.readers import properties_of
from dml_analysis.errors import Unfinished, run_script
from dml_analysis.properties import car_embeddings
from dml_analysis.properties.property_scores import (
    defined,
    images_and_codes,
    score_arrays,
    store_of,
    views,
)
from dml_analysis.scripts import start
from dml_analysis.todo import todo


def main():
    run = start(__doc__, __file__)
    work, problems = [], []
    for settings in run.variants:
        samples, codes = images_and_codes(settings)
        properties = properties_of(settings)
        stores, problem = car_embeddings.complete_stores(settings, samples)
        problems += [problem] * bool(problem)
        work += [
            ((embedded, codes), [store_of(embedded.subject, protocol, embedded, properties, codes)])
            for embedded in stores
            for protocol in settings.protocols
        ]

    def check(missing):
        for each in missing:
            embedded, _ = each.subject
            car_embeddings.read(embedded)  # a broken file ends the script before the long work

    files = [view for settings in run.variants for view in views(settings)]
    for (embedded, codes), chunk in todo(work, "scores", run, files, unit="score", prepare=check):
        (store,) = chunk.stores
        chunk.save(defined(score_arrays, embedded, codes, store.subject))

    if problems:
        raise Unfinished("; ".join(problems))


if __name__ == "__main__":
    run_script(main)
