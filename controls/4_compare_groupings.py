"""Compare how maps, embeddings and properties group the models.

There are tests of similarity within and between groups, and Mantel tests between the three.
Embeddings are compared by three measures, each with its permutation null and two folds of a loss.

Reads: what saliency/2_compare_maps.py, properties/2_embed_cars.py and 3_score_properties.py have
written.
Writes: results/<settings>/controls/representations/<model>/<model>, and in
results/<settings>/<protocol>/controls/: model_similarities.csv, groupings.csv, mantel.csv and
representation_similarities.csv.
Runtime: 20 permutations of each measure for every two networks of a fold, and two folds of a loss.
"""

from dml_analysis.controls import compared_groupings, compared_representations
from dml_analysis.controls.compared_representations import Comparer, table_of
from dml_analysis.errors import Unfinished, run_script
from dml_analysis.scripts import start
from dml_analysis.todo import todo


def main():
    run = start(__doc__, __file__)
    work, comparisons = [], []
    for narrowed in run.variants:
        settings, chosen = narrowed.whole, {model.name for model in narrowed.models}
        embeddings, digests = compared_representations.embedded_cars(settings)
        compared = {
            protocol: compared_groupings.models_of(settings, protocol, embeddings)
            for protocol in settings.protocols
        }
        names = {model.name for models, _ in compared.values() for model in models}
        embeddings = {name: embeddings[name] for name in embeddings if name in names}
        comparer = Comparer(settings.name, embeddings)
        stores = compared_representations.stores_of(settings, comparer, digests)
        work += [
            ((settings, comparer, store.subject), [store])
            for store in stores
            if chosen.issuperset(store.subject)
        ]
        comparisons.append((settings, comparer, compared, stores))

    for (settings, comparer, models), chunk in todo(work, "similarities", run, unit="pair"):
        chunk.save(comparer.similarities(*models, settings.seed))

    for settings, comparer, compared, stores in comparisons:
        if not all(store.is_complete() for store in stores):
            raise Unfinished("similarities: other models are missing; run it without --models")
        similarities = table_of(comparer, {store.subject: store.read() for store in stores})
        for protocol, (models, matrices) in compared.items():
            compared_groupings.write(settings, protocol, models, matrices, similarities)
            compared_groupings.show(settings, protocol)
        if settings.note:
            print(settings.note)


if __name__ == "__main__":
    run_script(main)
