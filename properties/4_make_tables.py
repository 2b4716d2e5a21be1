"""Make Table 1, the models; Table 5, the properties; and Table 6, the NR-Precisions.

Cells whose inputs do not exist are shown as missing, and counted.

Reads: what 3_score_properties.py has written.
Writes: results/<settings>/<protocol>/tables/table<N>.csv, .md and .tex.
Runtime: seconds.
"""

from dml_analysis.errors import run_script
from dml_analysis.scripts import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from dml_analysis import provenance, tables, views
    from dml_analysis.properties import property_scores
    from dml_analysis.properties.property_tables import ENTRIES

    views.refresh(property_scores.views, settings)
    provenance.record(settings, __file__)
    tables.make(settings, ENTRIES)


if __name__ == "__main__":
    run_script(main)
