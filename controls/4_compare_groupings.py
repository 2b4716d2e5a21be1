"""Compare how maps, embeddings and properties group the models.

There are tests of similarity within and between groups, and Mantel tests between the three.

Reads: what saliency/2_compare_maps.py, properties/2_embed_cars.py and 3_score_properties.py have
written.
Writes: results/<settings>/<protocol>/controls/model_similarities.csv, groupings.csv and mantel.csv.
Runtime: a CKA of every two networks of a fold.
"""

from dml_analysis.config import options_parser, settings_from
from dml_analysis.errors import run_script


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from dml_analysis import provenance
    from dml_analysis.controls import compared_groupings

    provenance.record(settings, __file__)
    compared_groupings.write(settings)
    for protocol in settings.protocols:
        compared_groupings.show(settings, protocol)
    if settings.note:
        print(settings.note)


if __name__ == "__main__":
    run_script(main)
