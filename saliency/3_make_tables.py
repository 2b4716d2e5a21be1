"""Make Tables 2 to 4 and the appendix's: how alike the models' saliency maps are.

Reads: pairs_<dataset>.csv, which 2_compare_maps.py has written.
Writes: results/<settings>/<protocol>/tables/table<N>....csv, .md and .tex. Cells whose inputs do
not exist are shown as missing, and counted.
Runtime: seconds.
"""

from dml_analysis.errors import run_script
from dml_analysis.scripts import narrowed, options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from dml_analysis import provenance, tables, views
    from dml_analysis.saliency import map_comparisons
    from dml_analysis.saliency.saliency_tables import entries

    for dataset in settings.datasets:  # one by one, as the inputs of some may be gone
        views.refresh(map_comparisons.views, narrowed(settings, datasets=[dataset]))
    provenance.record(settings, __file__)
    tables.make(settings, entries(settings))


if __name__ == "__main__":
    run_script(main)
