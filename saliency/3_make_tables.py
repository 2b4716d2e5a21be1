"""Make Tables 2 to 4 and the appendix's from pairs_<dataset>.csv: how alike the models' saliency maps are.

Writes results/<settings>/<protocol>/tables/table<N>....csv, .md and .tex. Cells whose inputs do not exist are shown as
missing, and counted.
"""

from dml_analysis.config import narrowed, options_parser, settings_from
from dml_analysis.errors import run_script


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from dml_analysis import provenance, tables, views
    from dml_analysis.saliency import map_comparisons
    from dml_analysis.saliency.saliency_tables import entries

    for dataset in settings.datasets:  # of which some may be gone
        views.refresh(map_comparisons.views, narrowed(settings, datasets=[dataset]))
    provenance.record(settings, __file__)
    tables.make(settings, entries(settings))


if __name__ == "__main__":
    run_script(main)
