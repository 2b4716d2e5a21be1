"""Compute what NR-Precision is by chance, its intervals, and the smallest detectable differences.

Reads: the embeddings that properties/2_embed_cars.py has saved. If some are missing, the exit
status is 3. Networks with a zero embedding are named at the end, with exit status 1.
Writes: results/<settings>/<protocol>/controls/nulls.csv, intervals.csv, differences.csv and
orders.csv.
Runtime: `controls: permutations` NR-Precisions for each network.
"""

from itertools import product

from dml_analysis.controls import score_controls
from dml_analysis.datasets.readers import properties_of
from dml_analysis.errors import Unfinished, run_script
from dml_analysis.properties import car_embeddings, property_scores
from dml_analysis.scripts import start
from dml_analysis.todo import todo


def main():
    run = start(__doc__, __file__)
    work, files, problems = [], [], []
    for settings in run.variants:
        samples, codes = property_scores.images_and_codes(settings)
        properties = properties_of(settings)
        stores, problem = car_embeddings.complete_stores(settings, samples)
        problems += [problem] * bool(problem)
        for embedded, protocol in product(stores, settings.protocols):
            controls = score_controls.work_of(
                settings, samples, properties, codes, embedded, protocol
            )
            work += [((measure, embedded, codes), [store]) for measure, store in controls]
        files += score_controls.views(settings)

    for (measure, embedded, codes), chunk in todo(
        work, "controls of scores", run, files, unit="row"
    ):
        (store,) = chunk.stores
        rows = store.chunks[chunk.number]
        chunk.save(property_scores.defined(measure, embedded, codes, store.subject, rows))

    if problems:
        raise Unfinished(f"controls of scores: {'; '.join(problems)}")


if __name__ == "__main__":
    run_script(main)
