"""Do ranking and classification losses differ? Tests of every property on loss means and on all folds, and the paper's claims.

Of the run's own scores, and of the published Table 6.
"""

from dml_analysis.config import options_parser, settings_from
from dml_analysis.errors import run_script


def main():
    settings = settings_from(options_parser(__doc__).parse_args())
    from dml_analysis import provenance
    from dml_analysis.controls import group_tests

    provenance.record(settings, __file__)
    for file in group_tests.write(settings):
        print(f"wrote {file}")
    group_tests.show(settings)
    if settings.note:
        print(settings.note)


if __name__ == "__main__":
    run_script(main)
