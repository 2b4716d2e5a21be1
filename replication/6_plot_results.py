"""Plot the replication's main results: the similarity of maps, and the differences between types.

Reads: tests.csv of 5_test_questions.py.
Writes: figures/<settings>/overview.
Runtime: seconds.
"""

from dml_analysis.checkout import ROOT
from dml_analysis.errors import run_script
from dml_analysis.replication import evidence, result_figures
from dml_analysis.scripts import options_parser, settings_from


def main():
    parser = options_parser(__doc__, sweeps=True)
    parser.set_defaults(settings=ROOT / "settings" / "replication.yaml")
    settings = settings_from(parser.parse_args())
    result_figures.plot_overview(settings, evidence.read(settings))


if __name__ == "__main__":
    run_script(main)
