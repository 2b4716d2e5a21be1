"""Test every property for differences between groups of models, and the paper's claims about them.

Tests are on losses' means and on all folds, of the settings' own scores and of the published
Table 6. The published similarities of saliency maps on SOP (Table 2) are tested for groups, too.

Reads: the scores of properties/3_score_properties.py.
Writes: results/<settings>/<protocol>/controls/group_tests.csv and claims.csv; the same and
table2_tests.csv in results/<settings>/published/.
Runtime: seconds.
"""

from dml_analysis.errors import run_script
from dml_analysis.scripts import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from dml_analysis import provenance
    from dml_analysis.controls import group_tests, published_maps

    provenance.record(settings, __file__)
    for file in group_tests.write(settings):
        print(f"wrote {file}")
    print(f"wrote {published_maps.write(settings)}")
    group_tests.show(settings)
    published_maps.show(settings)
    if settings.note:
        print(settings.note)


if __name__ == "__main__":
    run_script(main)
