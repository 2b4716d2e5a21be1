"""Compare how maps, embeddings and properties group the models.

There are tests of similarity within and between groups, and Mantel tests between the three.
Embeddings are compared by three measures, each beside its permutation null and two folds of a loss.

Reads: what saliency/2_compare_maps.py, properties/2_embed_cars.py and 3_score_properties.py have
written.
Writes: results/<settings>/<protocol>/controls/model_similarities.csv, groupings.csv, mantel.csv and
representation_similarities.csv.
Runtime: 100 permutations of each measure for every two networks of a fold, and two folds of a loss.
"""

from dml_analysis.errors import run_script
from dml_analysis.scripts import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from dml_analysis import provenance
    from dml_analysis.controls import compared_groupings, compared_representations

    provenance.record(settings, __file__)
    embeddings = compared_representations.embeddings_of(settings)
    compared = {
        protocol: compared_groupings.models_of(settings, protocol, embeddings)
        for protocol in settings.protocols
    }
    names = {model.name for models, _ in compared.values() for model in models}
    chosen = {name: embeddings[name] for name in embeddings if name in names}
    similarities = compared_representations.table_of(settings.name, chosen, settings.seed)
    for protocol, (models, matrices) in compared.items():
        compared_groupings.write(settings, protocol, models, matrices, similarities)
        compared_groupings.show(settings, protocol)
    if settings.note:
        print(settings.note)


if __name__ == "__main__":
    run_script(main)
