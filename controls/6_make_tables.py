"""Make Tables 2 to 4 with noise ceilings and random-weights baselines, and noise-corrected.

Cells whose inputs do not exist are shown as missing, and counted.

Reads: results/<settings>/<protocol>/controls/bounds_<dataset>.csv, which 1_bound_maps.py has
written.
Writes: results/<settings>/<protocol>/tables/table<N>_bounds.csv, .md and .tex, and
table<N>_corrected.
Runtime: seconds.
"""

from dml_analysis.errors import run_script
from dml_analysis.scripts import options_parser, settings_from


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from dml_analysis import provenance, tables
    from dml_analysis.controls.control_tables import entries

    provenance.record(settings, __file__)
    tables.make(settings, entries(settings))


if __name__ == "__main__":
    run_script(main)
